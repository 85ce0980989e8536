//! Takes connections and serves the router on them, until asked to stop.
//!
//! `axum::serve` offers no way to bound how long a client may take to send a request's head or to
//! read an answer; this loop does both, and bounds how many connections there are.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::routes::metrics;
use crate::stall::StallTimeout;
use crate::{ApiConfig, ApiState, router};

/// The most bytes of a request's head, and of what is read ahead of a body.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(SocketAddr);

impl Peer {
    pub(crate) fn ip(self) -> IpAddr {
        self.0.ip()
    }

    pub(crate) fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

/// Turns true when the server is asked to stop; live streams end then.
#[derive(Clone)]
pub(crate) struct Closing(pub(crate) watch::Receiver<bool>);

/// Serves the API on `listener` until `shutdown` is there. Then takes no more connections, ends live
/// streams, lets requests under way finish within the grace that the configuration gives, and returns.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), io::Error> {
    let config = Arc::clone(&state.config);
    serve_router(listener, router(state), config, shutdown).await
}

/// Serves `/metrics` and nothing else, to whoever reaches `listener`: for a process without an API.
pub async fn serve_metrics(
    listener: TcpListener,
    registry: Registry,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), io::Error> {
    serve_router(listener, metrics::router(registry), Arc::new(ApiConfig::default()), shutdown).await
}

async fn serve_router(
    listener: TcpListener,
    app: Router,
    config: Arc<ApiConfig>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), io::Error> {
    let (close, closing) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = tokio::select! {
            () = &mut shutdown => break,
            next = accept(&listener, &slots) => next,
        };
        while connections.try_join_next().is_some() {}
        match next {
            Ok((stream, peer, slot)) => {
                let connection =
                    Connection { app: app.clone(), peer: Peer(peer), closing: Closing(closing.clone()) };
                connections.spawn(connection.run(stream, Arc::clone(&config), slot));
            }
            Err(error) => {
                tracing::warn!(%error, "could not take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    close.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(config.shutdown_grace, all_ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "ended connections that did not end by themselves");
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

#[derive(Clone)]
struct Connection {
    app: Router,
    peer: Peer,
    closing: Closing,
}

impl Connection {
    async fn run(self, stream: TcpStream, config: Arc<ApiConfig>, _slot: OwnedSemaphorePermit) {
        let mut closing = self.closing.0.clone();
        let service = service_fn(move |request| self.clone().answer(request));
        let stream = StallTimeout::new(stream, config.write_stall_timeout);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_timeout)
            .max_buf_size(READ_BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let asked_to_stop = async { closing.wait_for(|closing| *closing).await.is_ok() };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = asked_to_stop => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.closing);
        self.app.oneshot(request).await
    }
}
