//! The server: what its connections share, and how many there may be.

use std::future::Future;
use std::sync::Arc;

use alerting::{Control, WrongTokens};
use listener::{ByToken, Tls, TlsError, accept_all};
use query::QueryEngine;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::prepared::PreparedStatements;
use crate::{FlightConfig, FlightMetrics, connection};

/// The parts of Watchfire that are shown over this protocol.
#[derive(Clone)]
pub struct FlightState {
    /// Who may ask.
    pub control: Control,
    /// SQL over the tables.
    pub query: QueryEngine,
    /// Counts.
    pub metrics: FlightMetrics,
    /// Limits.
    pub config: FlightConfig,
}

/// What the connections of a server share.
pub(crate) struct Shared {
    pub(crate) control: Control,
    pub(crate) query: QueryEngine,
    pub(crate) metrics: FlightMetrics,
    pub(crate) config: FlightConfig,
    pub(crate) tls: Option<Tls>,
    pub(crate) wrong_tokens: WrongTokens,
    pub(crate) by_token: Arc<ByToken>,
    pub(crate) prepared: PreparedStatements,
}

impl Shared {
    fn new(state: FlightState) -> Result<Self, TlsError> {
        let FlightState { control, query, metrics, config } = state;
        // gRPC is spoken over HTTP/2, and clients insist on hearing so.
        let tls = config.tls.clone().map(|files| Tls::load(files, &[b"h2"])).transpose()?;
        Ok(Self {
            control,
            query,
            metrics,
            tls,
            wrong_tokens: WrongTokens::new(config.failed_auth_per_minute_max),
            by_token: Arc::default(),
            prepared: PreparedStatements::new(&config),
            config,
        })
    }
}

/// Serves on `listener` until `shutdown` is there. Then takes no more connections, lets calls under way
/// end within the grace that the configuration gives, and returns. Fails at once if the files of TLS are
/// wrong.
pub fn serve(
    listener: TcpListener,
    state: FlightState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = ()> + Send, TlsError> {
    let shared = Arc::new(Shared::new(state)?);
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    let grace = shared.config.shutdown_grace;
    Ok(accept_all(listener, shutdown, grace, move |stream, peer, closing| {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            shared.metrics.refused("too_many");
            return None;
        };
        let serving = connection::serve(stream, peer, Arc::clone(&shared), closing);
        Some(async move {
            serving.await;
            drop(place);
        })
    }))
}
