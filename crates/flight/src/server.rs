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
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

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
    Ok(accept_all(listener, shared, shutdown))
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>, shutdown: impl Future<Output = ()> + Send) {
    let (close, closing) = watch::channel(false);
    let places = Arc::new(Semaphore::new(shared.config.connections_max));
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
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            shared.metrics.refused("too_many");
            continue;
        };
        let serving = connection::serve(stream, peer, Arc::clone(&shared), closing.clone());
        connections.spawn(async move {
            serving.await;
            drop(place);
        });
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
