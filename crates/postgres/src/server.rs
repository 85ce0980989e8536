//! The server: what its connections share, and how many there may be.

use std::future::Future;
use std::sync::Arc;

use alerting::{Control, WrongTokens};
use listener::{ByToken, Tls, TlsError, accept_all};
use query::QueryEngine;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cancel::Cancels;
use crate::{PostgresConfig, PostgresMetrics, catalog, startup};

/// Connections beyond the limit that are listened to until they can be told so, or want another
/// one's statement cancelled.
const SPARE: usize = 16;

/// The parts of Watchfire that are shown over this protocol.
#[derive(Clone)]
pub struct PostgresState {
    /// Who may come in.
    pub control: Control,
    /// SQL over the tables.
    pub query: QueryEngine,
    /// Counts.
    pub metrics: PostgresMetrics,
    /// Limits.
    pub config: PostgresConfig,
}

/// What the connections of a server share.
pub(crate) struct Shared {
    pub(crate) control: Control,
    pub(crate) query: QueryEngine,
    pub(crate) metrics: PostgresMetrics,
    pub(crate) config: PostgresConfig,
    pub(crate) tls: Option<Tls>,
    pub(crate) cancels: Arc<Cancels>,
    pub(crate) wrong_tokens: WrongTokens,
    pub(crate) by_token: Arc<ByToken>,
}

impl Shared {
    pub(crate) fn new(state: PostgresState) -> Result<Self, TlsError> {
        let PostgresState { control, query, metrics, config } = state;
        let tls = config.tls.clone().map(|files| Tls::load(files, &[])).transpose()?;
        Ok(Self {
            control,
            query: query.with_catalog(catalog::catalog()),
            metrics,
            tls,
            cancels: Arc::default(),
            wrong_tokens: WrongTokens::new(config.failed_auth_per_minute_max),
            by_token: Arc::default(),
            config,
        })
    }
}

/// Serves on `listener` until `shutdown` is there. Then takes no more connections, lets statements under
/// way end within the grace that the configuration gives, and returns. Fails at once if the files of TLS
/// are wrong.
pub fn serve(
    listener: TcpListener,
    state: PostgresState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = ()> + Send, TlsError> {
    let shared = Arc::new(Shared::new(state)?);
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    let spare = Arc::new(Semaphore::new(SPARE));
    let grace = shared.config.shutdown_grace;
    Ok(accept_all(listener, shutdown, grace, move |stream, peer, closing| {
        let Some(place) = Place::take(&places, &spare) else {
            shared.metrics.refused("too_many");
            return None;
        };
        Some(startup::connection(stream, peer, place, Arc::clone(&shared), closing))
    }))
}

/// A connection's place, while it lives.
pub(crate) struct Place {
    _held: OwnedSemaphorePermit,
    /// Whether it may stay once it is known who it is.
    pub(crate) may_stay: bool,
}

impl Place {
    fn take(places: &Arc<Semaphore>, spare: &Arc<Semaphore>) -> Option<Self> {
        let held = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_owned().ok();
        match held(places) {
            Some(held) => Some(Self { _held: held, may_stay: true }),
            None => held(spare).map(|held| Self { _held: held, may_stay: false }),
        }
    }
}
