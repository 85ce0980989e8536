//! Requests and answers on a connection, as frames, and which answer belongs to which request.

use std::collections::HashMap;
use std::io::{self, Read};

use kafka_protocol::messages::ApiKey;

/// The length before a frame.
const PREFIX: usize = 4;
/// More than any answer holds: a fetch may ask for 50 MiB, and gets a record that is larger all
/// the same.
const BYTES_MAX: usize = 128 << 20;
/// More requests than a client has under way.
const UNDER_WAY_MAX: usize = 10_000;

/// A request or an answer, with its length before it.
pub(super) struct Frame(pub(super) Vec<u8>);

impl Frame {
    /// Reads one; none at the orderly end of a connection.
    pub(super) fn read(mut from: impl Read) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; PREFIX];
        match from.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let size = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let size = usize::try_from(size).ok().filter(|&size| size <= BYTES_MAX);
        let size = size.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame out of bounds"))?;
        bytes.resize(PREFIX + size, 0);
        from.read_exact(&mut bytes[PREFIX..])?;
        Ok(Some(Self(bytes)))
    }

    /// Puts the length before it.
    pub(super) fn of(body: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(PREFIX + body.len());
        bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.0[PREFIX..]
    }

    /// Two bytes of a request: its kind, then its version.
    fn short(&self, at: usize) -> Option<i16> {
        Some(i16::from_be_bytes([*self.body().get(at)?, *self.body().get(at + 1)?]))
    }

    /// By it an answer is known: the fifth to eighth byte of a request, the first four of an answer.
    fn correlation_id(&self, at: usize) -> Option<i32> {
        let bytes = self.body().get(at..at + 4)?;
        bytes.try_into().ok().map(i32::from_be_bytes)
    }
}

/// What was asked and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) key: ApiKey,
    pub(super) version: i16,
}

/// The requests of a connection that are not answered yet.
#[derive(Default)]
pub(super) struct UnderWay(HashMap<i32, Asked>);

impl UnderWay {
    /// Remembers a request. One that this protocol does not know is none of our business.
    pub(super) fn ask(&mut self, request: &Frame) {
        // Not all are answered: who wants no acknowledgement gets none.
        if self.0.len() >= UNDER_WAY_MAX {
            self.0.clear();
        }
        let (key, version) = (request.short(0), request.short(2));
        let key = key.and_then(|key| ApiKey::try_from(key).ok());
        if let (Some(key), Some(version), Some(id)) = (key, version, request.correlation_id(4)) {
            self.0.insert(id, Asked { key, version });
        }
    }

    /// What this is the answer to.
    pub(super) fn answered(&mut self, answer: &Frame) -> Option<Asked> {
        self.0.remove(&answer.correlation_id(0)?)
    }
}
