//! Takes connections and serves each in a task of its own, until asked to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use alerting::{Control, WrongTokens};
use listener::{ByToken, Tls, TlsError};
use query::QueryEngine;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

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
    Ok(accept_all(listener, shared, shutdown))
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>, shutdown: impl Future<Output = ()> + Send) {
    let (close, closing) = watch::channel(false);
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
    let spare = Arc::new(Semaphore::new(SPARE));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = tokio::select! {
            () = &mut shutdown => break,
            next = accept(&listener) => next,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match next {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "could not take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = Place::take(&places, &spare) else {
            shared.metrics.refused("too_many");
            continue;
        };
        connections.spawn(startup::connection(stream, peer, place, Arc::clone(&shared), closing.clone()));
    }
    drop(listener);
    close.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.config.shutdown_grace, all_ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "ended connections that did not end by themselves");
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer))
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
