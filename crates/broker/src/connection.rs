//! One client's connection: requests in, responses out in the same order.
//!
//! A request is begun when it is read; its response may take until later. So a produce is
//! appended at once, and those behind it need not wait for the disk.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::frame::{FrameError, Request};
use crate::handlers;
use crate::node::Node;

/// Requests of one connection that may be under way; then it is not read further.
const UNANSWERED_MAX: usize = 64;
/// Memory is taken as bytes arrive, in steps of this, not as a frame announces.
const READ_STEP_BYTES: usize = 256 * 1024;
const READ_STEP_BYTES_MIN: usize = 8 * 1024;

/// How long requests under way may take once the broker stops.
const GRACE: Duration = Duration::from_secs(2);

/// A response to come; `None` when the client wants none.
pub(crate) type Reply = Pin<Box<dyn Future<Output = Result<Option<Bytes>, FrameError>> + Send>>;

/// Why a connection was closed by us.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve(node: Arc<Node>, stream: TcpStream, peer: SocketAddr) {
    // Small responses should not wait for more to send; if this cannot be set they will, no harm.
    stream.set_nodelay(true).ok();
    let (input, output) = stream.into_split();
    let (replies, unanswered) = mpsc::channel(UNANSWERED_MAX);
    let mut writing = tokio::spawn(write(Arc::clone(&node), output, unanswered));
    let reading = read(Arc::clone(&node), input, peer, replies);
    tokio::select! {
        read = reading => {
            report(peer, read);
            if node.stopping.is_cancelled() {
                // What was asked before we stopped is still answered, unless it waits for others.
                match tokio::time::timeout(GRACE, &mut writing).await {
                    Ok(written) => join(peer, written),
                    Err(_) => writing.abort(),
                }
            } else {
                writing.abort();
            }
        }
        written = &mut writing => join(peer, written),
    }
}

fn join(peer: SocketAddr, written: Result<Result<(), Closed>, tokio::task::JoinError>) {
    match written {
        Ok(written) => report(peer, written),
        Err(error) if error.is_panic() => {
            tracing::error!(%peer, %error, "a request panicked; its connection is closed")
        }
        Err(_) => {}
    }
}

fn report(peer: SocketAddr, ended: Result<(), Closed>) {
    match ended {
        Ok(()) => {}
        Err(Closed::Io(error)) => tracing::debug!(%peer, %error, "connection lost"),
        Err(Closed::Frame(error)) => tracing::warn!(%peer, %error, "connection closed"),
    }
}

/// Reads and begins requests until the client hangs up.
async fn read(
    node: Arc<Node>,
    mut input: OwnedReadHalf,
    peer: SocketAddr,
    replies: mpsc::Sender<Reply>,
) -> Result<(), Closed> {
    let mut buffer = BytesMut::new();
    loop {
        let frame = tokio::select! {
            frame = next_frame(&mut input, &mut buffer, node.config.request_bytes_max) => frame?,
            () = node.stopping.cancelled() => None,
        };
        let Some(frame) = frame else { return Ok(()) };
        node.counters.requests.fetch_add(1, Ordering::Relaxed);
        node.counters.bytes_in.fetch_add(4 + frame.len() as u64, Ordering::Relaxed);
        let reply = handlers::begin(&node, Request::read(frame)?, peer)?;
        if replies.send(reply).await.is_err() {
            return Ok(()); // the writing side has ended, and said why
        }
    }
}

/// The next frame's content; `None` at the end of the stream.
async fn next_frame(
    input: &mut OwnedReadHalf,
    buffer: &mut BytesMut,
    bytes_max: usize,
) -> Result<Option<Bytes>, Closed> {
    if !fill(input, buffer, 4).await? {
        return Ok(None);
    }
    let announced = i32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
    let size = usize::try_from(announced).ok().filter(|&size| size <= bytes_max);
    let size = size.ok_or(FrameError::Size(announced))?;
    if !fill(input, buffer, 4 + size).await? {
        return Ok(None);
    }
    let frame = buffer.split_to(4 + size).freeze();
    Ok(Some(frame.slice(4..)))
}

/// Reads until the buffer holds so many bytes; false if the stream ends before.
async fn fill(input: &mut OwnedReadHalf, buffer: &mut BytesMut, wanted: usize) -> io::Result<bool> {
    while buffer.len() < wanted {
        buffer.reserve((wanted - buffer.len()).clamp(READ_STEP_BYTES_MIN, READ_STEP_BYTES));
        if input.read_buf(buffer).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits for each response in turn and sends it.
async fn write(
    node: Arc<Node>,
    mut output: OwnedWriteHalf,
    mut unanswered: mpsc::Receiver<Reply>,
) -> Result<(), Closed> {
    while let Some(reply) = unanswered.recv().await {
        if let Some(response) = reply.await? {
            output.write_all(&response).await?;
            node.count_bytes_out(response.len());
        }
    }
    Ok(())
}
