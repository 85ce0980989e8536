//! The journal's file: length, checksum and JSON of each record.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::record::Record;
use super::state::State;
use crate::disk::sync_directory;

const FRAME_BYTES: usize = 8;

/// Appends a record's frame to `bytes`.
pub(crate) fn encode(record: &Record, bytes: &mut Vec<u8>) {
    let begin = bytes.len();
    bytes.extend_from_slice(&[0; FRAME_BYTES]);
    serde_json::to_writer(&mut *bytes, record).expect("records have string keys, and a Vec takes all bytes");
    let body = &bytes[begin + FRAME_BYTES..];
    let (length, crc) = (body.len() as u32, crc32c::crc32c(body));
    bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    bytes[begin + 4..begin + FRAME_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// The record at the start of `bytes`, and how many bytes it takes; `None` if it is not whole.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let body = rest.get(..length)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let record = serde_json::from_slice(body).ok()?;
    Some((record, FRAME_BYTES + length))
}

/// What a journal amounts to, up to the first record that is not whole.
pub(crate) fn load(path: &Path) -> io::Result<State> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
        Err(error) => return Err(error),
    };
    let mut state = State::default();
    let mut at = 0;
    while let Some((record, length)) = decode(&bytes[at..]) {
        state.apply(&record);
        at += length;
    }
    if at < bytes.len() {
        let lost_bytes = bytes.len() - at;
        tracing::warn!(path = %path.display(), lost_bytes, "journal was torn; cut after its last whole record");
    }
    Ok(state)
}

/// The records' frames, one after another.
pub(crate) fn encode_all(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        encode(record, &mut bytes);
    }
    bytes
}

/// Puts a new journal in the old one's place, durably, and returns it open for appending.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<File> {
    let next = path.with_extension("next");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&next)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&next, path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    OpenOptions::new().append(true).open(path)
}
