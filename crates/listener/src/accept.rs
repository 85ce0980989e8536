//! Taking connections, until asked to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long nothing is taken after a connection could not be: mostly there are too many open files, and asking
/// again at once would only ask.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections and serves each in a task of its own, until `shutdown` is there. `serve` gives what serves a
/// connection, or `None` where it is to be closed; what it is given says when the server stops. Those under way may
/// then go on for `grace`.
pub async fn accept_all<S>(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
    grace: Duration,
    mut serve: impl FnMut(TcpStream, SocketAddr, watch::Receiver<bool>) -> Option<S>,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let (close, closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = tokio::select! {
            () = &mut shutdown => break,
            next = accept(&listener) => next,
        };
        while connections.try_join_next().is_some() {}
        match next {
            Ok((stream, peer)) => {
                if let Some(serving) = serve(stream, peer, closing.clone()) {
                    connections.spawn(serving);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not take a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    close.send_replace(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all_ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "ended connections that did not end by themselves");
    }
}

async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}
