//! The beginning of a connection: how it is encrypted, who speaks, and what they want to see.

use std::net::SocketAddr;
use std::sync::Arc;

use alerting::{Principal, Role};
use bytes::BufMut;
use listener::OfToken;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::error::SqlError;
use crate::message::{Message, Opening};
use crate::reply::Replies;
use crate::server::{Place, Shared};
use crate::session::Session;
use crate::settings::Settings;
use crate::wire::{Wire, WireError};

/// The one database there is.
pub(crate) const DATABASE: &str = "watchfire";
/// Requests for encryption that are answered before a client has to begin.
const REQUESTS_MAX: usize = 4;

/// What a connection's bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
pub(crate) type BoxStream = Box<dyn Stream>;

/// Who came in, with what.
pub(crate) struct Guest {
    pub(crate) principal: Principal,
    pub(crate) token: Token,
    pub(crate) settings: Settings,
    /// Of the protocol's 3.x, and what of it is unknown here, if it asked for more than 3.0.
    unknown: Option<Vec<String>>,
    _of_token: OfToken,
}

/// A token. It has no `Debug`, so it gets into no log.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Serves one connection from its first byte to its last.
pub(crate) async fn connection(
    stream: impl Stream + 'static,
    peer: SocketAddr,
    place: Place,
    shared: Arc<Shared>,
    closing: watch::Receiver<bool>,
) {
    let mut door = Door::new(Box::new(stream), peer, &shared);
    let opened = tokio::time::timeout(shared.config.startup_timeout, door.open(&shared, &place)).await;
    let refusal = match opened {
        Ok(Ok(Some(guest))) => {
            let Some(wire) = door.wire else { return };
            shared.metrics.open.inc();
            let name = guest.principal.name.clone();
            tracing::debug!(token = name, %peer, "a client came in");
            let ended = Session::new(wire, guest, Arc::clone(&shared), closing).run().await;
            shared.metrics.open.dec();
            let why = ended.err().map_or_else(String::new, |broken| broken.to_string());
            tracing::debug!(token = name, %peer, why, "a client left");
            return;
        }
        Ok(Ok(None)) => return,
        Ok(Err(refusal)) => refusal,
        Err(_) => Refusal::new("slow", SqlError::fatal("08006", "the connection was not begun in time")),
    };
    shared.metrics.refused(refusal.reason);
    tracing::info!(%peer, reason = refusal.reason, "a connection was refused");
    if let Some(mut wire) = door.wire {
        wire.output.error(&refusal.error);
        wire.close().await;
    }
}

/// Why a connection does not begin.
struct Refusal {
    reason: &'static str,
    error: SqlError,
}

impl Refusal {
    fn new(reason: &'static str, error: SqlError) -> Self {
        Self { reason, error }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::new("malformed", SqlError::malformed(error.to_string()))
    }
}

struct Door {
    /// Away while TLS is negotiated, and for good if that fails.
    wire: Option<Wire<BoxStream>>,
    peer: SocketAddr,
    encrypted: bool,
}

impl Door {
    fn new(stream: BoxStream, peer: SocketAddr, shared: &Shared) -> Self {
        Self { wire: Some(wire(stream, shared)), peer, encrypted: false }
    }

    fn wire(&mut self) -> Result<&mut Wire<BoxStream>, Refusal> {
        let gone = || WireError::Malformed("TLS could not be agreed on".to_owned());
        Ok(self.wire.as_mut().ok_or_else(gone)?)
    }

    /// Who came in; `None` if it was only to say something, or to look.
    async fn open(&mut self, shared: &Shared, place: &Place) -> Result<Option<Guest>, Refusal> {
        let Some((minor, parameters)) = self.begin(shared).await? else { return Ok(None) };
        let (settings, unknown) = self.wanted(&parameters)?;
        if !place.may_stay {
            let text = format!("there are {} connections already", shared.config.connections_max);
            let error = SqlError::fatal("53300", text).with_hint("close one, or try again in a moment");
            return Err(Refusal::new("too_many", error));
        }
        self.check_secrecy(shared)?;
        let Some(token) = self.password().await? else { return Ok(None) };
        let principal = identify(&token, self.peer, shared).await?;
        let max = shared.config.connections_per_token_max;
        let Some(of_token) = shared.by_token.enter(&principal.name, max) else {
            let text = format!("this token has {max} connections open already");
            return Err(Refusal::new("too_many", SqlError::fatal("53300", text)));
        };
        let unknown = (minor > 0 || !unknown.is_empty()).then_some(unknown);
        Ok(Some(Guest { principal, token, settings, unknown, _of_token: of_token }))
    }

    /// Up to the message that begins a session.
    async fn begin(&mut self, shared: &Shared) -> Result<Option<(u16, Vec<(String, String)>)>, Refusal> {
        for _ in 0..REQUESTS_MAX {
            let Some(body) = self.wire()?.startup_frame().await? else { return Ok(None) };
            match Opening::read(&body)? {
                Opening::Startup { minor, parameters } => return Ok(Some((minor, parameters))),
                Opening::Cancel { process, secret } => {
                    shared.cancels.cancel(process, secret);
                    return Ok(None);
                }
                Opening::Tls if !self.encrypted && shared.tls.is_some() => self.encrypt(shared).await?,
                Opening::Tls | Opening::Gss => {
                    let wire = self.wire()?;
                    wire.output.put_u8(b'N');
                    wire.send().await?;
                }
            }
        }
        Err(WireError::Malformed("too many requests came before the connection began".to_owned()).into())
    }

    async fn encrypt(&mut self, shared: &Shared) -> Result<(), Refusal> {
        let (Some(mut wire), Some(tls)) = (self.wire.take(), &shared.tls) else { return Ok(()) };
        wire.output.put_u8(b'S');
        wire.send().await?;
        let acceptor = TlsAcceptor::from(tls.config());
        let stream = acceptor.accept(wire.into_stream()?).await;
        let stream: BoxStream = Box::new(stream.map_err(WireError::from)?);
        self.wire = Some(self::wire(stream, shared));
        self.encrypted = true;
        Ok(())
    }

    /// What is set from the beginning, and what is asked of the protocol that it does not have.
    fn wanted(&self, parameters: &[(String, String)]) -> Result<(Settings, Vec<String>), Refusal> {
        let refused = |error| Refusal::new("not_here", SqlError { fatal: true, ..error });
        let of = |wanted: &str| {
            parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        let database = of("database").filter(|name| !name.is_empty()).or(of("user")).unwrap_or_default();
        if database != DATABASE {
            let error = SqlError::new("3D000", format!("database \"{database}\" does not exist"));
            return Err(refused(error.with_hint(format!("the only one is \"{DATABASE}\""))));
        }
        if of("replication").is_some_and(|value| !matches!(value, "false" | "off" | "no" | "0")) {
            return Err(refused(SqlError::new("0A000", "replication is not available")));
        }
        let (mut settings, mut unknown) = (Settings::default(), Vec::new());
        for (name, value) in parameters {
            match name.as_str() {
                "database" | "user" | "options" | "replication" => {}
                name if name.starts_with("_pq_.") => unknown.push(name.to_owned()),
                name => settings.set(name, value).map_err(refused)?,
            }
        }
        Ok((settings, unknown))
    }

    fn check_secrecy(&self, shared: &Shared) -> Result<(), Refusal> {
        let is_safe = self.encrypted || self.peer.ip().to_canonical().is_loopback();
        if is_safe || shared.config.allow_insecure {
            return Ok(());
        }
        let hint = match shared.tls {
            Some(_) => "connect with sslmode=require",
            None => "give the server a certificate (postgres.tls_certificate, postgres.tls_key)",
        };
        let error = SqlError::fatal("28000", "a token may not travel unencrypted").with_hint(hint);
        Err(Refusal::new("unencrypted", error))
    }

    async fn password(&mut self) -> Result<Option<Token>, Refusal> {
        let wire = self.wire()?;
        wire.output.ask_for_password();
        wire.send().await?;
        // Clients without one end the connection here, ask their user, and come again.
        let Some(frame) = wire.frame().await? else { return Ok(None) };
        match Message::read(frame)? {
            Message::Password(token) => Ok(Some(Token(token))),
            _ => Err(WireError::Malformed("a password was asked for".to_owned()).into()),
        }
    }
}

async fn identify(token: &Token, peer: SocketAddr, shared: &Shared) -> Result<Principal, Refusal> {
    let verified = shared.control.verify_token(token.expose().trim()).await;
    let verified = verified.map_err(|error| {
        tracing::warn!(%error, "tokens cannot be looked up");
        Refusal::new("unavailable", SqlError::fatal("58000", "tokens cannot be looked up at the moment"))
    })?;
    let Some(principal) = verified else {
        let text = match shared.wrong_tokens.count(peer.ip()) {
            Some(wait) => {
                let seconds = wait.as_secs() + 1;
                format!("too many wrong tokens came from this address; wait {seconds} s before the next")
            }
            None => "this token is unknown, revoked or expired".to_owned(),
        };
        let error = SqlError::fatal("28P01", text).with_hint("the password is a token: wf_…");
        return Err(Refusal::new("wrong_token", error));
    };
    match principal.role {
        Role::Analyst | Role::Admin => Ok(principal),
        Role::Shipper => {
            let error = SqlError::fatal("28000", "a shipper's token may only send logs");
            Err(Refusal::new("wrong_role", error))
        }
    }
}

fn wire(stream: BoxStream, shared: &Shared) -> Wire<BoxStream> {
    Wire::new(stream, shared.config.write_stall_timeout, shared.config.message_bytes_max)
}

impl Guest {
    /// Says what a client wants to know first.
    pub(crate) fn greet(&self, output: &mut impl Replies) {
        if let Some(unknown) = &self.unknown {
            let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
            output.negotiate_version(&unknown);
        }
        output.authentication_ok();
        for (name, value) in Settings::reported() {
            output.parameter_status(name, value);
        }
        output
            .parameter_status("application_name", self.settings.get("application_name").unwrap_or_default());
        output.parameter_status("is_superuser", "off");
        output.parameter_status("session_authorization", &self.principal.name);
    }
}
