//! One client of the broker: where it comes from, who it is, what it may do.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use kafka_protocol::error::ResponseError;

use super::tls::Tls;
use super::users::{Role, Users};
use crate::error::BrokerError;

/// The most topics that one producer may make; with new names it would fill the broker otherwise.
pub(crate) const PRODUCER_TOPICS_MAX: usize = 64;

/// How a listener learns who its clients are.
#[derive(Debug)]
pub(crate) enum Gate {
    /// It does not ask: everyone may do everything.
    Open,
    /// Everyone has to be one of these.
    Users(UsersFile),
    /// This process, which alone knows the password.
    Own { password: String },
}

/// The name with which this process logs in to its own broker.
pub(crate) const OWN_NAME: &str = "this-process";

/// A listener's way in.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) gate: Gate,
    pub(crate) tls: Option<Tls>,
    /// What clients are told to connect to; the address that they came to when absent.
    pub(crate) advertised: Option<(String, u16)>,
    /// Makes up the salts of users that there are not.
    pub(crate) secret: [u8; 32],
}

/// The users, and the file they are read from.
#[derive(Debug)]
pub(crate) struct UsersFile {
    path: PathBuf,
    current: RwLock<(String, Arc<Users>)>,
}

/// Who a client has shown to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Anyone, at an open gate.
    Anyone,
    /// This process.
    Own,
    /// A user, by name.
    User(String),
}

/// A client, as long as it is connected.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    /// What this client is told to connect to.
    pub(crate) advertised: (String, u16),
    pub(crate) door: Arc<Door>,
    identity: Mutex<Option<Identity>>,
    has_been_denied: AtomicBool,
}

/// What a request would touch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    /// Append to a topic, or see that it is there.
    Append(&'a str),
    /// Read a topic, or change it.
    Topic(&'a str),
    Group(&'a str),
    Transaction(&'a str),
    /// What concerns the broker as a whole.
    Cluster,
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(topic) => write!(f, "append to topic {topic:?}"),
            Self::Topic(topic) => write!(f, "read or change topic {topic:?}"),
            Self::Group(group) => write!(f, "group {group:?}"),
            Self::Transaction(id) => write!(f, "transactional id {id:?}"),
            Self::Cluster => f.write_str("the broker itself"),
        }
    }
}

impl UsersFile {
    pub(crate) fn load(path: &Path) -> Result<Self, BrokerError> {
        let text = read(path)?;
        let users = parse(path, &text)?;
        Ok(Self { path: path.to_owned(), current: RwLock::new((text, users)) })
    }

    pub(crate) fn users(&self) -> Arc<Users> {
        Arc::clone(&self.current.read().expect("no one panics while replacing users").1)
    }

    /// Takes over a changed file; says whether it had changed. After an error the former users stay.
    pub(crate) fn reload(&self) -> Result<bool, BrokerError> {
        let text = read(&self.path)?;
        if self.current.read().expect("no one panics while replacing users").0 == text {
            return Ok(false);
        }
        let users = parse(&self.path, &text)?;
        *self.current.write().expect("no one panics while replacing users") = (text, users);
        Ok(true)
    }
}

fn read(path: &Path) -> Result<String, BrokerError> {
    std::fs::read_to_string(path).map_err(BrokerError::storage("read", path))
}

fn parse(path: &Path, text: &str) -> Result<Arc<Users>, BrokerError> {
    let users = Users::read(text);
    users.map(Arc::new).map_err(|error| BrokerError::Users { path: path.to_owned(), error })
}

impl Client {
    pub(crate) fn new(peer: SocketAddr, local: SocketAddr, door: Arc<Door>) -> Self {
        let advertised = door.advertised.clone().unwrap_or_else(|| (local.ip().to_string(), local.port()));
        let identity = matches!(door.gate, Gate::Open).then_some(Identity::Anyone);
        Self {
            peer,
            advertised,
            door,
            identity: Mutex::new(identity),
            has_been_denied: AtomicBool::new(false),
        }
    }

    /// Takes note of who the client has shown to be.
    pub(crate) fn identify(&self, identity: Identity) {
        *self.identity.lock().expect("no one panics while holding an identity") = Some(identity);
    }

    /// The owner of a certificate is a user if the file of users says so.
    pub(crate) fn identify_by_certificate(&self, name: String) {
        let Gate::Users(file) = &self.door.gate else { return };
        if file.users().get(&name).is_some() {
            self.identify(Identity::User(name));
        } else {
            tracing::warn!(peer = %self.peer, name, "certificate is valid, but its owner is no user");
        }
    }

    /// What the client may do now; `None` if it is no one, or no longer a user.
    pub(crate) fn role(&self) -> Option<Role> {
        let identity = self.identity.lock().expect("no one panics while holding an identity");
        match (identity.as_ref()?, &self.door.gate) {
            (Identity::Anyone | Identity::Own, _) => Some(Role::Admin),
            (Identity::User(name), Gate::Users(file)) => Some(file.users().get(name)?.role),
            (Identity::User(_), _) => None,
        }
    }

    /// For logs.
    pub(crate) fn name(&self) -> String {
        let identity = self.identity.lock().expect("no one panics while holding an identity");
        match identity.as_ref() {
            Some(Identity::User(name)) => name.clone(),
            Some(Identity::Own) => OWN_NAME.to_owned(),
            Some(Identity::Anyone) | None => "anyone".to_owned(),
        }
    }

    /// Whether the client may do that; if not, the protocol's error for it.
    pub(crate) fn may(&self, access: Access<'_>) -> Result<(), ResponseError> {
        let is_allowed = match (self.role(), access) {
            (Some(Role::Admin), _) => true,
            (Some(Role::Produce), Access::Append(topic)) => self.owns(topic),
            (Some(Role::Produce) | None, _) => false,
        };
        if is_allowed {
            return Ok(());
        }
        if !self.has_been_denied.swap(true, Ordering::Relaxed) {
            let (peer, name) = (self.peer, self.name());
            tracing::warn!(%peer, name, %access, "denied; said once for a connection");
        }
        Err(match access {
            Access::Append(_) | Access::Topic(_) => ResponseError::TopicAuthorizationFailed,
            Access::Group(_) => ResponseError::GroupAuthorizationFailed,
            Access::Transaction(_) => ResponseError::TransactionalIdAuthorizationFailed,
            Access::Cluster => ResponseError::ClusterAuthorizationFailed,
        })
    }

    /// Whether the client sees that there is such a topic. Asking is no offence.
    pub(crate) fn sees(&self, topic: &str) -> bool {
        match self.role() {
            Some(Role::Admin) => true,
            Some(Role::Produce) => self.owns(topic),
            None => false,
        }
    }

    /// How many of these topics are the client's own, if there is a limit to that.
    pub(crate) fn topics_left<'a>(&self, all: impl Iterator<Item = &'a str>) -> Option<usize> {
        (self.role() != Some(Role::Admin))
            .then(|| PRODUCER_TOPICS_MAX.saturating_sub(all.filter(|topic| self.owns(topic)).count()))
    }

    fn owns(&self, topic: &str) -> bool {
        let feed = topic.strip_prefix("logs.").and_then(|rest| rest.strip_prefix(self.name().as_str()));
        feed.is_some_and(|feed| feed.starts_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str) -> Client {
        let users = Users::read("acme produce\nops admin\n").unwrap();
        let file = UsersFile { path: PathBuf::new(), current: RwLock::new((String::new(), Arc::new(users))) };
        let door = Door { gate: Gate::Users(file), tls: None, advertised: None, secret: [0; 32] };
        let address = "127.0.0.1:1".parse().unwrap();
        let client = Client::new(address, address, Arc::new(door));
        client.identify(Identity::User(name.into()));
        client
    }

    #[test]
    fn a_producer_appends_to_its_own_logs_and_does_nothing_else() {
        let acme = client("acme");
        assert_eq!(acme.may(Access::Append("logs.acme.auth")), Ok(()));
        for other in ["logs.acme", "logs.acme2.auth", "logs.zeta.auth", "watchfire.events", "logs..acme.x"] {
            let refusal = acme.may(Access::Append(other));
            assert_eq!(refusal, Err(ResponseError::TopicAuthorizationFailed), "{other}");
        }
        let refused = [
            (Access::Topic("logs.acme.auth"), ResponseError::TopicAuthorizationFailed),
            (Access::Group("g"), ResponseError::GroupAuthorizationFailed),
            (Access::Transaction("t"), ResponseError::TransactionalIdAuthorizationFailed),
            (Access::Cluster, ResponseError::ClusterAuthorizationFailed),
        ];
        for (access, error) in refused {
            assert_eq!(acme.may(access), Err(error), "{access:?}");
        }
    }

    #[test]
    fn an_administrator_may_do_everything_and_a_former_user_nothing() {
        assert_eq!(client("ops").may(Access::Cluster), Ok(()));
        assert_eq!(client("gone").role(), None);
        assert!(client("gone").may(Access::Append("logs.gone.auth")).is_err());
    }
}
