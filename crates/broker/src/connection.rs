//! One client's connection: requests in, responses out in the same order.
//!
//! A request is begun when it is read; its response may take until later. So a produce is
//! appended at once, and those behind it need not wait for the disk.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use self::frames::{Frames, Memory};
use crate::frame::{FrameError, Request};
use crate::handlers;
use crate::metrics::{Closing, Counters};
use crate::node::Node;

mod frames;

/// Requests of one connection that may be under way; then it is not read further.
const UNANSWERED_MAX: usize = 64;
/// What is sent or received is counted in steps of this, each of which has its time.
const STEP_BYTES: usize = 256 * 1024;

/// How long requests under way may take once the broker stops, or the client has hung up.
const GRACE: Duration = Duration::from_secs(2);

/// A response to come; `None` when the client wants none.
pub(crate) type Reply = Pin<Box<dyn Future<Output = Result<Option<Bytes>, FrameError>> + Send>>;

/// A reply to come, and the memory that its request takes until then.
struct Pending {
    key: ApiKey,
    reply: Reply,
    _memory: Memory,
}

/// Why a connection was closed by us.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("{0} within {1:?}")]
    Stalled(&'static str, Duration),
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve(node: Arc<Node>, stream: TcpStream, peer: SocketAddr) {
    // Small responses should not wait for more to send; if this cannot be set they will, no harm.
    stream.set_nodelay(true).ok();
    let (input, output) = stream.into_split();
    let (replies, unanswered) = mpsc::channel(UNANSWERED_MAX);
    let mut writing = tokio::spawn(write(Arc::clone(&node), output, unanswered));
    tokio::select! {
        read = read(Arc::clone(&node), input, peer, replies) => report(&node.counters, peer, read),
        written = &mut writing => return join(&node.counters, peer, written),
    }
    // What was asked is still done, though the client may not hear of it: it may have left its
    // group, or committed offsets, and hung up. Unless that waits for others.
    match tokio::time::timeout(GRACE, &mut writing).await {
        Ok(written) => join(&node.counters, peer, written),
        Err(_) => writing.abort(),
    }
}

fn join(counters: &Counters, peer: SocketAddr, written: Result<Result<(), Closed>, tokio::task::JoinError>) {
    match written {
        Ok(written) => report(counters, peer, written),
        Err(error) if error.is_panic() => {
            tracing::error!(%peer, %error, "a request panicked; its connection is closed")
        }
        Err(_) => {}
    }
}

fn report(counters: &Counters, peer: SocketAddr, ended: Result<(), Closed>) {
    match ended {
        Ok(()) => {}
        Err(Closed::Io(error)) => tracing::debug!(%peer, %error, "connection lost"),
        Err(closed @ Closed::Stalled(..)) => {
            counters.count_closing(Closing::Stalled);
            tracing::info!(%peer, %closed, "connection closed");
        }
        Err(Closed::Frame(error)) => {
            counters.count_closing(Closing::Malformed);
            tracing::warn!(%peer, %error, "connection closed");
        }
    }
}

/// Reads and begins requests until the client hangs up, or the broker stops.
async fn read(
    node: Arc<Node>,
    input: OwnedReadHalf,
    peer: SocketAddr,
    replies: mpsc::Sender<Pending>,
) -> Result<(), Closed> {
    let mut frames = Frames::new(&node, input);
    loop {
        let next = async {
            // A place for the reply first: what is begun is also answered.
            let Ok(place) = replies.reserve().await else { return Ok(None) };
            Ok::<_, Closed>(frames.next().await?.map(|(frame, memory)| (place, frame, memory)))
        };
        let next = tokio::select! {
            next = next => next?,
            () = node.stopping.cancelled() => None,
        };
        let Some((place, frame, memory)) = next else { return Ok(()) };
        let bytes = 4 + frame.len();
        let request = Request::read(frame)?;
        let key = request.key;
        node.counters.count_request(key, bytes);
        let reply = handlers::begin(&node, request, peer)?;
        place.send(Pending { key, reply, _memory: memory });
    }
}

/// Waits for each response in turn and sends it. Once the client is gone, what it had asked is
/// done without an answer.
async fn write(
    node: Arc<Node>,
    mut output: OwnedWriteHalf,
    mut unanswered: mpsc::Receiver<Pending>,
) -> Result<(), Closed> {
    let mut sent = Ok(());
    while let Some(pending) = unanswered.recv().await {
        let response = pending.reply.await?;
        if let (Some(response), Ok(())) = (response, &sent) {
            sent = send(&node, &mut output, &response).await;
            match sent {
                Ok(()) => node.counters.count_response(pending.key, response.len()),
                Err(_) => unanswered.close(),
            }
        }
    }
    sent
}

/// A client that does not read must not hold on to a response for ever.
async fn send(node: &Node, output: &mut OwnedWriteHalf, response: &[u8]) -> Result<(), Closed> {
    let patience = Duration::from_millis(node.config.stalled_ms_max);
    for part in response.chunks(STEP_BYTES) {
        tokio::time::timeout(patience, output.write_all(part))
            .await
            .map_err(|_| Closed::Stalled("response was not read", patience))??;
    }
    Ok(())
}
