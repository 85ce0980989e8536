//! Reads whole batches of a segment for a fetch.

use std::io;

use bytes::Bytes;

use super::batch::BatchHeader;
use super::segment::{INDEX_INTERVAL_BYTES, Stretch};

/// The batches a fetch asks for; read without holding the partition's lock.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub(crate) stretch: Stretch,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// What a look at some bytes found.
enum Picked {
    /// These bytes are batches to send.
    Batches { begin: usize, end: usize },
    /// The first batch to send is larger than was asked for, or than what was read.
    Larger { begin: usize, batch_bytes: usize },
    /// Everything up to here comes before what is asked for.
    Before { end: usize },
    /// There is nothing to send.
    Nothing,
}

/// A part of a window, which does not hold on to the rest of it.
fn part(window: Bytes, begin: usize, end: usize) -> Bytes {
    if end - begin < window.len() / 2 {
        return Bytes::copy_from_slice(&window[begin..end]);
    }
    window.slice(begin..end)
}

impl Slice {
    /// How many bytes a read may have to look at.
    pub(crate) fn bytes_at_most(&self, bytes_max: usize) -> usize {
        let there = self.stretch.end.saturating_sub(self.stretch.begin);
        usize::try_from(there)
            .unwrap_or(usize::MAX)
            .min(bytes_max.saturating_add(INDEX_INTERVAL_BYTES as usize))
    }

    /// Whole batches of at most `bytes_max` together, or, if `at_least_one`, the first however large.
    pub(crate) fn read(&self, bytes_max: usize, at_least_one: bool) -> io::Result<Bytes> {
        let mut position = self.stretch.begin;
        while position < self.stretch.end {
            let window = self.bytes(position, bytes_max + INDEX_INTERVAL_BYTES as usize)?;
            match self.pick(&window, bytes_max) {
                Picked::Batches { begin, end } => return Ok(part(window, begin, end)),
                Picked::Larger { begin, batch_bytes } if at_least_one || batch_bytes <= bytes_max => {
                    return self.bytes(position + begin as u64, batch_bytes);
                }
                Picked::Before { end } => position += end as u64,
                Picked::Larger { .. } | Picked::Nothing => break,
            }
        }
        Ok(Bytes::new())
    }

    fn pick(&self, window: &[u8], bytes_max: usize) -> Picked {
        let mut begin = None;
        let mut at = 0;
        while let Ok(header) = BatchHeader::read(&window[at.min(window.len())..]) {
            if header.base_offset >= self.until {
                return begin.map_or(Picked::Nothing, |begin| Picked::Batches { begin, end: at });
            }
            let next = at + header.total_bytes;
            if header.next_offset() <= self.from {
                at = next;
                continue;
            }
            let first = *begin.get_or_insert(at);
            if next > window.len() || next - first > bytes_max {
                return if first == at {
                    Picked::Larger { begin: at, batch_bytes: header.total_bytes }
                } else {
                    Picked::Batches { begin: first, end: at }
                };
            }
            at = next;
        }
        match begin {
            Some(begin) => Picked::Batches { begin, end: at },
            None if at > 0 => Picked::Before { end: at },
            None => Picked::Nothing,
        }
    }

    fn bytes(&self, position: u64, wanted: usize) -> io::Result<Bytes> {
        let there = self.stretch.end.saturating_sub(position);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(usize::MAX).min(wanted)];
        self.stretch.file.read_exact_at(&mut bytes, position)?;
        Ok(Bytes::from(bytes))
    }
}
