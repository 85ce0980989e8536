//! Requests as they come in, each with the memory that it takes, and not for ever.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Closed, Input, STEP_BYTES};
use crate::frame::FrameError;
use crate::node::Node;

/// The least that is made room for at once.
const RESERVE_BYTES_MIN: usize = 8 * 1024;
/// The largest request of a client that has not shown who it is.
const STRANGERS_BYTES_MAX: usize = 64 * 1024;

/// What a request takes of the memory that this connection may have, and of the whole broker's.
pub(super) struct Memory {
    _of_connection: OwnedSemaphorePermit,
    _of_broker: OwnedSemaphorePermit,
}

/// The frames of one connection.
pub(super) struct Frames {
    input: Input,
    buffer: BytesMut,
    bytes_max: usize,
    /// One request of the largest size, or many small ones.
    of_connection: Arc<Semaphore>,
    of_broker: Arc<Semaphore>,
    idle_max: Duration,
    stalled_max: Duration,
}

impl Frames {
    pub(super) fn new(node: &Node, input: Input) -> Self {
        Self {
            input,
            buffer: BytesMut::new(),
            bytes_max: node.config.request_bytes_max,
            of_connection: Arc::new(Semaphore::new(node.config.request_bytes_max)),
            of_broker: Arc::clone(&node.request_memory),
            idle_max: Duration::from_millis(node.config.idle_ms_max),
            stalled_max: Duration::from_millis(node.config.stalled_ms_max),
        }
    }

    /// The next frame's content; `None` at the end of the stream.
    pub(super) async fn next(&mut self, is_known: bool) -> Result<Option<(Bytes, Memory)>, Closed> {
        if !self.first_byte().await? || !self.fill(4).await? {
            return Ok(None);
        }
        let announced = i32::from_be_bytes([self.buffer[0], self.buffer[1], self.buffer[2], self.buffer[3]]);
        let bytes_max = if is_known { self.bytes_max } else { self.bytes_max.min(STRANGERS_BYTES_MAX) };
        let size = usize::try_from(announced).ok().filter(|&size| size <= bytes_max);
        let size = size.ok_or(FrameError::Size(announced))?;
        let memory = self.memory(announced.unsigned_abs()).await;
        if !self.fill(4 + size).await? {
            return Ok(None);
        }
        let frame = self.buffer.split_to(4 + size).freeze();
        Ok(Some((frame.slice(4..), memory)))
    }

    /// Waits for the memory; until then the client is not read, and has to wait as well.
    async fn memory(&self, bytes: u32) -> Memory {
        let take = async |of: &Arc<Semaphore>| {
            let taken = Arc::clone(of).acquire_many_owned(bytes).await;
            taken.expect("these semaphores are never closed")
        };
        Memory { _of_connection: take(&self.of_connection).await, _of_broker: take(&self.of_broker).await }
    }

    /// Waits for a request to begin. A client that has nothing under way may not wait for ever.
    async fn first_byte(&mut self) -> Result<bool, Closed> {
        loop {
            let filled = fill(&mut self.input, &mut self.buffer, 1);
            match tokio::time::timeout(self.idle_max, filled).await {
                Ok(filled) => return Ok(filled?),
                Err(_) if self.of_connection.available_permits() < self.bytes_max => {}
                Err(_) => return Err(Closed::Stalled("nothing was asked", self.idle_max)),
            }
        }
    }

    /// Reads until the buffer holds so many bytes; false if the stream ends before. Memory is
    /// taken as they arrive, not as a frame announces.
    async fn fill(&mut self, wanted: usize) -> Result<bool, Closed> {
        while self.buffer.len() < wanted {
            let step = wanted.min(self.buffer.len() + STEP_BYTES);
            let filled = fill(&mut self.input, &mut self.buffer, step);
            let filled = tokio::time::timeout(self.stalled_max, filled).await;
            if !filled.map_err(|_| Closed::Stalled("request did not come", self.stalled_max))?? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

async fn fill(input: &mut Input, buffer: &mut BytesMut, wanted: usize) -> io::Result<bool> {
    while buffer.len() < wanted {
        buffer.reserve((wanted - buffer.len()).max(RESERVE_BYTES_MIN));
        if input.read_buf(buffer).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
