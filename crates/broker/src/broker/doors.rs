//! Where clients come in: the listener that is configured, and one for this process alone.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::accept;
use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::node::Node;
use crate::security::client::{Door, Gate, OWN_NAME, UsersFile};
use crate::security::reload;
use crate::security::tls::Tls;

/// How this process reaches its own broker: with SASL PLAIN, unencrypted, on loopback.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnAccess {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name to log in with.
    pub username: &'static str,
    /// Drawn at each start, and kept nowhere.
    pub password: String,
}

impl fmt::Debug for OwnAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnAccess").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The listeners, before anyone is let in.
pub(super) struct Doors {
    pub(super) local_addr: SocketAddr,
    pub(super) own_access: Option<OwnAccess>,
    listeners: Vec<(TcpListener, Arc<Door>)>,
    reload_check: Duration,
}

impl Doors {
    /// Reads certificates and users, and listens.
    pub(super) async fn open(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let gate = match &config.users_file {
            Some(path) => Gate::Users(UsersFile::load(path)?),
            None => Gate::Open,
        };
        let tls = config.tls.clone().map(Tls::load).transpose()?;
        let (listener, local_addr) = listen(config.listen).await?;
        let door = Door { gate, tls, advertised: config.advertised.clone(), secret: random() };
        let mut listeners = vec![(listener, Arc::new(door))];
        let mut own_access = None;
        if config.own_listener {
            let (listener, address) = listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
            let password = BASE64.encode(random());
            let gate = Gate::Own { password: password.clone() };
            let door = Door { gate, tls: None, advertised: None, secret: random() };
            listeners.push((listener, Arc::new(door)));
            own_access = Some(OwnAccess { address, username: OWN_NAME, password });
        }
        let reload_check = Duration::from_millis(config.reload_check_ms.max(10));
        Ok(Self { local_addr, own_access, listeners, reload_check })
    }

    /// Lets clients in; the tasks end when the broker stops.
    pub(super) fn serve(self, node: &Arc<Node>, connections: &TaskTracker) -> Vec<JoinHandle<()>> {
        let doors = self.listeners.iter().map(|(_, door)| Arc::clone(door)).collect();
        let mut tasks = vec![tokio::spawn(reload::watch(doors, self.reload_check))];
        for (listener, door) in self.listeners {
            tasks.push(tokio::spawn(accept::accept(Arc::clone(node), listener, door, connections.clone())));
        }
        tasks
    }
}

/// Refuses settings that would let anyone in from the network.
pub(super) fn check(config: &BrokerConfig) -> Result<(), BrokerError> {
    let asks_for_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if asks_for_certificates && config.users_file.is_none() {
        let message = "tls.client_ca needs users_file, which says what a certificate's owner may do";
        return Err(BrokerError::Misconfigured(message));
    }
    let requires_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_certificate_required);
    if requires_certificates && !asks_for_certificates {
        return Err(BrokerError::Misconfigured("tls.client_certificate_required needs tls.client_ca"));
    }
    let missing = match (&config.tls, &config.users_file) {
        (Some(_), Some(_)) => return Ok(()),
        (Some(_), None) => "users",
        (None, Some(_)) => "TLS",
        (None, None) => "TLS and users",
    };
    if config.listen.ip().is_loopback() {
        return Ok(());
    }
    if !config.allow_insecure_listen {
        return Err(BrokerError::InsecureListen { address: config.listen, missing });
    }
    tracing::warn!(address = %config.listen, missing,
        "INSECURE: anyone who reaches this address gets in, or can listen in");
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BrokerError> {
    let failed = |source| BrokerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    Ok((listener, local_addr))
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}
