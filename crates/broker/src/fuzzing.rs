//! Doors for fuzzers: everything that reads bytes which others wrote, with what must hold then.
//!
//! A door panics when something does not hold. `fuzz/` has a target for each; the crate's own tests
//! throw arbitrary and almost valid bytes at the same doors. Bytes alone seldom have a checksum
//! that holds, so the doors to what is on the disk can also seal them first, as the first byte says.

use std::path::Path;

use bytes::Bytes;

use crate::frame::Request;
use crate::handlers::check_batch;
use crate::journal::{Journal, encode_state};
use crate::log::Log;
use crate::log::batch::{BatchHeader, HEADER_BYTES};
use crate::log::{marker, records};

/// How often a log may have to be opened until nothing damaged is left in it.
const STARTS_MAX: usize = 4;

/// A request as it comes from a socket: refused, or decoded.
pub fn request(bytes: &[u8]) {
    if let Ok(mut request) = Request::read(Bytes::copy_from_slice(bytes))
        && request.version >= 0
    {
        // A shape that fits may still hold text that is none, and so on.
        drop(request.decode_any());
    }
}

/// A batch as a producer sends it: refused, or whole and plausible.
pub fn batch(bytes: &[u8]) {
    for batch in [bytes.to_vec(), sealed(bytes)] {
        let batch = Bytes::from(batch);
        if let Ok(header) = check_batch(&batch, usize::MAX) {
            assert_eq!(header.total_bytes, batch.len());
            assert_eq!(header.next_offset() - header.base_offset, i64::from(header.record_count));
            assert!(records::are_sound(&header, &batch) && marker::decode(&header, &batch).is_none());
        }
    }
}

/// A partition's files as a crash or a bad disk may leave them: they open, nothing is served that is
/// not a batch, and the log goes on.
pub fn log_recovery(dir: &Path, bytes: &[u8]) {
    let Some(([how, index_bytes, checkpoint_bytes], rest)) = bytes.split_first_chunk::<3>() else { return };
    let (index, rest) = rest.split_at(rest.len().min(usize::from(*index_bytes)));
    let (checkpoint, log) = rest.split_at(rest.len().min(usize::from(*checkpoint_bytes)));
    let put = |name: &str, content: Vec<u8>| {
        std::fs::write(dir.join(name), content).expect("the directory can be written");
    };
    put("00000000000000000000.log", if how & 1 == 0 { log.to_vec() } else { sealed(log) });
    if how & 2 != 0 {
        put("00000000000000000000.index", if how & 4 == 0 { index.to_vec() } else { framed(index) });
    }
    if how & 8 != 0 {
        put("checkpoint", if how & 16 == 0 { checkpoint.to_vec() } else { checksummed(checkpoint) });
    }
    recover(dir);
}

/// Opens a log until nothing in it is damaged, and then once more with one batch behind it.
fn recover(dir: &Path) {
    let open = || Log::open(dir, 0).expect("a log opens whatever its files hold");
    let healthy = (0..STARTS_MAX).find_map(|_| {
        let log = open();
        Some((served(&log)?, log))
    });
    let (mut expected, mut log) =
        healthy.expect("damage is taken out of the log by the start after it was met");
    let mut next = vec![0; HEADER_BYTES];
    next[43..57].fill(0xff); // from no producer in particular
    let next = sealed(&next);
    let header = BatchHeader::read_whole(&next).expect("it was sealed");
    if log.end_offset() < i64::MAX - 1 {
        let placed = log.append(header, &next, u64::MAX).expect("the log can be written");
        expected.push((placed.base_offset, header.crc));
    }
    drop(log);
    assert_eq!(served(&open()), Some(expected));
}

/// Offset and checksum of each batch that a reader gets; `None` if it meets damage.
fn served(log: &Log) -> Option<Vec<(i64, u32)>> {
    let (mut served, mut from) = (Vec::new(), log.start_offset());
    while let Some(slice) = log.slice(from, log.end_offset()).expect("the offset is in the log") {
        let bytes = slice.read(1, true).ok()?;
        let Ok(header) = BatchHeader::read_whole(&bytes) else {
            assert!(bytes.is_empty(), "what is served is a batch");
            return Some(served);
        };
        assert!(header.next_offset() > from, "offsets go up");
        served.push((header.base_offset, header.crc));
        from = header.next_offset();
    }
    Some(served)
}

/// A journal as a crash or a bad disk may leave it: refused, or read, and then its compact form says
/// the same.
pub fn journal_recovery(dir: &Path, bytes: &[u8]) {
    let Some((how, content)) = bytes.split_first() else { return };
    let path = dir.join("journal");
    let content = if how & 1 == 0 { content.to_vec() } else { framed_lines(content) };
    std::fs::write(&path, content).expect("the directory can be written");
    let Ok(state) = Journal::load(&path) else { return };
    std::fs::write(&path, encode_state(&state)).expect("the directory can be written");
    assert_eq!(Journal::load(&path).expect("what was written can be read"), state);
}

/// Batches with lengths that fit, offsets that follow on each other, and checksums that hold.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let (mut left, mut next_offset) = (sealed.as_mut_slice(), 0_i64);
    while left.len() >= HEADER_BYTES {
        let body_bytes = usize::from(u16::from_be_bytes([left[10], left[11]])).min(left.len() - HEADER_BYTES);
        let (batch, rest) = left.split_at_mut(HEADER_BYTES + body_bytes);
        batch[..8].copy_from_slice(&next_offset.to_be_bytes());
        let length = (batch.len() - 12) as u32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
        batch[23..25].fill(0);
        next_offset += i64::from(u16::from_be_bytes([batch[25], batch[26]])) + 1;
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        left = rest;
    }
    sealed
}

/// A frame of the journal or an index.
fn framed(body: &[u8]) -> Vec<u8> {
    let header = [(body.len() as u32).to_le_bytes(), crc32c::crc32c(body).to_le_bytes()].concat();
    [&header, body].concat()
}

fn framed_lines(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|&byte| byte == b'\n').flat_map(framed).collect()
}

fn checksummed(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32c::crc32c(bytes).to_be_bytes()].concat()
}

#[cfg(test)]
mod tests;
