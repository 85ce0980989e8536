//! Takes connections, as many as there may be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::config::BrokerConfig;
use crate::connection;
use crate::metrics::Closing;
use crate::node::Node;
use crate::open_files;
use crate::security::client::{Client, Door};

/// Takes connections by one door until the broker stops.
pub(super) async fn accept(
    node: Arc<Node>,
    listener: TcpListener,
    door: Arc<Door>,
    connections: TaskTracker,
) {
    let connections_max = connections_max(&node.config);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = node.stopping.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: trying at once again would only spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if connections.len() >= connections_max {
            node.counters.count_closing(Closing::Rejected);
            tracing::warn!(%peer, connections_max, "too many connections; closed one");
            continue;
        }
        let (node, door) = (Arc::clone(&node), Arc::clone(&door));
        connections.spawn(serve(node, stream, peer, door));
    }
}

async fn serve(node: Arc<Node>, stream: TcpStream, peer: SocketAddr, door: Arc<Door>) {
    let Ok(local) = stream.local_addr() else { return }; // it is gone already
    node.counters.connection_began();
    connection::serve(Arc::clone(&node), stream, Client::new(peer, local, door)).await;
    node.counters.connection_ended();
}

/// Connections leave the log the open files that it needs.
fn connections_max(config: &BrokerConfig) -> usize {
    let Some(open_files_max) = open_files::limit() else { return config.connections_max };
    let connections_max = config.connections_max.min(open_files_max / 2);
    if connections_max < config.connections_max {
        tracing::warn!(
            connections_max,
            open_files_max,
            "fewer connections than configured: the process may not open more files (ulimit -n)"
        );
    }
    connections_max
}
