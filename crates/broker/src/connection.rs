//! One client's connection: requests in, responses out in the same order.
//!
//! A request is begun when it is read; its response may take until later. So a produce is
//! appended at once, and those behind it need not wait for the disk.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use self::frames::{Frames, Memory};
use crate::frame::{FrameError, Request};
use crate::handlers;
use crate::metrics::{Closing, Counters};
use crate::node::Node;
use crate::security::client::Client;
use crate::security::sasl::{self, Progress};
use crate::security::tls;

mod frames;

/// Requests of one connection that may be under way; then it is not read further.
const UNANSWERED_MAX: usize = 64;
/// What is sent or received is counted in steps of this, each of which has its time.
const STEP_BYTES: usize = 256 * 1024;

/// How long requests under way may take once the broker stops, or the client has hung up.
const GRACE: Duration = Duration::from_secs(2);

/// The two halves of a connection, encrypted or not.
type Input = Box<dyn AsyncRead + Send + Sync + Unpin>;
type Output = Box<dyn AsyncWrite + Send + Sync + Unpin>;

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
    #[error("TLS handshake failed: {0}")]
    Handshake(io::Error),
    #[error("{0:?} was asked by a client that has not shown who it is")]
    Unknown(ApiKey),
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve(node: Arc<Node>, stream: TcpStream, client: Client) {
    // Small responses should not wait for more to send; if this cannot be set they will, no harm.
    stream.set_nodelay(true).ok();
    let client = Arc::new(client);
    let opened = tokio::select! {
        opened = open(&node, stream, &client) => opened,
        () = node.stopping.cancelled() => return,
    };
    match opened {
        Ok((input, output)) => converse(node, input, output, client).await,
        Err(closed) => report(&node.counters, &client, Err(closed)),
    }
}

/// Shakes hands, if the listener does.
async fn open(node: &Node, stream: TcpStream, client: &Client) -> Result<(Input, Output), Closed> {
    let Some(tls) = &client.door.tls else {
        let (input, output) = stream.into_split();
        return Ok((Box::new(input), Box::new(output)));
    };
    let patience = Duration::from_millis(node.config.stalled_ms_max);
    let shaken = tokio::time::timeout(patience, TlsAcceptor::from(tls.config()).accept(stream)).await;
    let shaken = shaken.map_err(|_| Closed::Stalled("TLS handshake did not end", patience))?;
    let stream = shaken.map_err(Closed::Handshake)?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    if let Some(name) = certificate.and_then(tls::common_name) {
        client.identify_by_certificate(name);
    }
    let (input, output) = tokio::io::split(stream);
    Ok((Box::new(input), Box::new(output)))
}

async fn converse(node: Arc<Node>, input: Input, output: Output, client: Arc<Client>) {
    let (replies, unanswered) = mpsc::channel(UNANSWERED_MAX);
    let mut writing = tokio::spawn(write(Arc::clone(&node), output, unanswered));
    tokio::select! {
        read = read(Arc::clone(&node), input, &client, replies) => report(&node.counters, &client, read),
        written = &mut writing => return join(&node.counters, &client, written),
    }
    // What was asked is still done, though the client may not hear of it: it may have left its
    // group, or committed offsets, and hung up. Unless that waits for others.
    match tokio::time::timeout(GRACE, &mut writing).await {
        Ok(written) => join(&node.counters, &client, written),
        Err(_) => writing.abort(),
    }
}

fn join(counters: &Counters, client: &Client, written: Result<Result<(), Closed>, tokio::task::JoinError>) {
    match written {
        Ok(written) => report(counters, client, written),
        Err(error) if error.is_panic() => {
            tracing::error!(peer = %client.peer, %error, "a request panicked; its connection is closed")
        }
        Err(_) => {}
    }
}

fn report(counters: &Counters, client: &Client, ended: Result<(), Closed>) {
    let peer = client.peer;
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
        Err(closed @ (Closed::Handshake(_) | Closed::Unknown(_))) => {
            counters.count_closing(Closing::Unidentified);
            tracing::warn!(%peer, %closed, "connection refused");
        }
    }
}

/// Reads and begins requests until the client hangs up, or the broker stops.
async fn read(
    node: Arc<Node>,
    input: Input,
    client: &Arc<Client>,
    replies: mpsc::Sender<Pending>,
) -> Result<(), Closed> {
    let mut frames = Frames::new(&node, input);
    let mut progress = Progress::default();
    loop {
        let next = async {
            // A place for the reply first: what is begun is also answered.
            let Ok(place) = replies.reserve().await else { return Ok(None) };
            let is_known = client.role().is_some();
            Ok::<_, Closed>(frames.next(is_known).await?.map(|(frame, memory)| (place, frame, memory)))
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
        let reply: Reply = match key {
            ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => {
                let answer = sasl::answer(&node, client, &mut progress, request).await?;
                let response = answer.response;
                place.send(Pending { key, reply: Box::pin(async { Ok(Some(response)) }), _memory: memory });
                if answer.goes_on {
                    continue;
                }
                return Ok(());
            }
            // Which versions there are anyone may ask, before the handshake too.
            key if key != ApiKey::ApiVersions && client.role().is_none() => return Err(Closed::Unknown(key)),
            _ => handlers::begin(&node, request, client)?,
        };
        place.send(Pending { key, reply, _memory: memory });
    }
}

/// Waits for each response in turn and sends it. Once the client is gone, what it had asked is
/// done without an answer.
async fn write(
    node: Arc<Node>,
    mut output: Output,
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
    // A client of TLS is told that this is the end. It may have gone, or not read.
    drop(tokio::time::timeout(GRACE, output.shutdown()).await);
    sent
}

/// A client that does not read must not hold on to a response for ever.
async fn send(node: &Node, output: &mut Output, response: &[u8]) -> Result<(), Closed> {
    let patience = Duration::from_millis(node.config.stalled_ms_max);
    for part in response.chunks(STEP_BYTES) {
        let sending = async {
            output.write_all(part).await?;
            output.flush().await // TLS may hold some of it back
        };
        tokio::time::timeout(patience, sending)
            .await
            .map_err(|_| Closed::Stalled("response was not read", patience))??;
    }
    Ok(())
}
