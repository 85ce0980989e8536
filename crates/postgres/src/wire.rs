//! Bytes of a connection: frames in, replies out, each bounded in size and time.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

/// What may be read ahead while a query runs.
const READ_AHEAD_BYTES: usize = 64 << 10;
/// What may be gathered before it is sent.
const OUTPUT_BYTES: usize = 32 << 10;
/// The most bytes of a message before the token is known, as in PostgreSQL.
const STARTUP_BYTES_MAX: usize = 10_000;

/// Why nothing can be read or written any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The other end is gone, or takes nothing.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    /// The other end does not speak the protocol, or too much at a time.
    #[error("{0}")]
    Malformed(String),
}

/// A message from the client that has arrived whole.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: BytesMut,
}

/// A connection.
pub(crate) struct Wire<S> {
    read: ReadHalf<S>,
    input: BytesMut,
    write: WriteHalf<S>,
    /// Replies, whole, that are not sent yet.
    pub(crate) output: BytesMut,
    stall: Duration,
    message_bytes_max: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, stall: Duration, message_bytes_max: usize) -> Self {
        let (read, write) = tokio::io::split(stream);
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { read, input, write, output, stall, message_bytes_max }
    }

    /// The stream, to be wrapped in TLS. What was read ahead would have been said unencrypted by who
    /// knows whom.
    pub(crate) fn into_stream(self) -> Result<S, WireError> {
        match self.input.is_empty() {
            true => Ok(self.read.unsplit(self.write)),
            false => Err(WireError::Malformed("unencrypted data came after the request for TLS".to_owned())),
        }
    }

    /// The next message, after its first byte is known; `None` when the client is gone.
    pub(crate) async fn frame(&mut self) -> Result<Option<Frame>, WireError> {
        loop {
            if let Some(head) = self.input.first_chunk::<5>() {
                let [kind, length @ ..] = *head;
                let body = body_length(u32::from_be_bytes(length), self.message_bytes_max)?;
                if self.input.len() >= 5 + body {
                    self.input.advance(5);
                    return Ok(Some(Frame { kind, body: self.input.split_to(body) }));
                }
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// The next message of those that have no kind; `None` when the client is gone.
    pub(crate) async fn startup_frame(&mut self) -> Result<Option<BytesMut>, WireError> {
        loop {
            if let Some(length) = self.input.first_chunk::<4>() {
                let body = body_length(u32::from_be_bytes(*length), STARTUP_BYTES_MAX)?;
                if self.input.len() >= 4 + body {
                    self.input.advance(4);
                    return Ok(Some(self.input.split_to(body)));
                }
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> Result<bool, WireError> {
        Ok(self.read.read_buf(&mut self.input).await? > 0)
    }

    /// Returns when the client is gone; until then reads ahead a little.
    pub(crate) async fn gone(&mut self) {
        loop {
            if self.input.len() >= READ_AHEAD_BYTES {
                std::future::pending::<()>().await;
            }
            if !self.fill().await.unwrap_or(false) {
                return;
            }
        }
    }

    /// Sends the replies, once there are enough of them to be worth it. Dropped half-way, it goes on
    /// from there the next time.
    pub(crate) async fn send_some(&mut self) -> Result<(), WireError> {
        match self.output.len() >= OUTPUT_BYTES {
            true => self.send().await,
            false => Ok(()),
        }
    }

    /// Sends the replies.
    pub(crate) async fn send(&mut self) -> Result<(), WireError> {
        let stalled = || io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing");
        while !self.output.is_empty() {
            let written = tokio::time::timeout(self.stall, self.write.write_buf(&mut self.output)).await;
            if written.map_err(|_| stalled())?? == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        tokio::time::timeout(self.stall, self.write.flush()).await.map_err(|_| stalled())??;
        Ok(())
    }

    /// Sends what there is and says that nothing follows.
    pub(crate) async fn close(mut self) {
        if self.send().await.is_ok() {
            // Whether the client hears it is its own affair.
            drop(tokio::time::timeout(self.stall, self.write.shutdown()).await);
        }
    }
}

/// The length of a message's body, from the length that counts itself.
fn body_length(length: u32, max: usize) -> Result<usize, WireError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match length.checked_sub(4) {
        None => Err(WireError::Malformed(format!("a message of {length} bytes cannot be"))),
        Some(body) if body > max => {
            Err(WireError::Malformed(format!("a message has {body} bytes, at most {max} are read")))
        }
        Some(body) => Ok(body),
    }
}
