//! Reads whole batches of a segment for a fetch, each held against its checksum: what a disk has
//! changed is not served, whoever reads it.

use std::io;

use bytes::Bytes;

use super::batch::{BatchError, BatchHeader, clear_leader_epoch};
use super::segment::{INDEX_INTERVAL_BYTES, Stretch};

/// The batches a fetch asks for; read without holding the partition's lock.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub(crate) stretch: Stretch,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// Where a batch is, or should be.
#[derive(Debug, Clone, Copy)]
struct Place {
    position: u64,
    offset: i64,
}

/// What a look at some bytes found.
enum Picked {
    /// These bytes are batches to send.
    Batches { begin: usize, end: usize },
    /// The first batch to send is larger than was asked for, or than what was read.
    Larger { at: Place, batch_bytes: usize },
    /// Everything up to here comes before what is asked for.
    Before { end: Place },
    /// There is nothing to send.
    Nothing,
}

/// A part of a window, which does not hold on to the rest of it.
fn part(mut window: Vec<u8>, begin: usize, end: usize) -> Bytes {
    if end - begin < window.len() / 2 {
        return Bytes::copy_from_slice(&window[begin..end]);
    }
    window.truncate(end);
    Bytes::from(window).slice(begin..)
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
        let mut next = Place { position: self.stretch.begin, offset: self.stretch.first_offset };
        while next.position < self.stretch.end {
            let mut window =
                self.bytes(next.position, bytes_max.saturating_add(INDEX_INTERVAL_BYTES as usize))?;
            match self.pick(&mut window, next, bytes_max)? {
                Picked::Batches { begin, end } => return Ok(part(window, begin, end)),
                Picked::Larger { at, batch_bytes } if at_least_one || batch_bytes <= bytes_max => {
                    let mut batch = self.bytes(at.position, batch_bytes)?;
                    self.check(&mut batch, at)?;
                    return Ok(Bytes::from(batch));
                }
                Picked::Before { end } => next = end,
                Picked::Larger { .. } | Picked::Nothing => break,
            }
        }
        Ok(Bytes::new())
    }

    fn pick(&self, window: &mut [u8], first: Place, bytes_max: usize) -> io::Result<Picked> {
        let mut begin = None;
        let (mut at, mut next) = (0, first);
        while next.offset < self.until && at < window.len() {
            let header = match self.header(&window[at..], next) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                Err(_) if begin.is_some() => break, // told when a reader comes to it
                Err(damage) => return Err(damage),
            };
            let end = at + header.total_bytes;
            let is_wanted = header.next_offset() > self.from;
            if is_wanted && (end > window.len() || end - begin.unwrap_or(at) > bytes_max) {
                if begin.is_none() {
                    return Ok(Picked::Larger { at: next, batch_bytes: header.total_bytes });
                }
                break;
            }
            if let Some(batch) = window.get_mut(at..end)
                && let Err(damage) = self.check(batch, next)
            {
                if begin.is_some() {
                    break;
                }
                return Err(damage);
            }
            if is_wanted {
                begin.get_or_insert(at);
            }
            at = end;
            next =
                Place { position: next.position + header.total_bytes as u64, offset: header.next_offset() };
        }
        Ok(match begin {
            Some(begin) => Picked::Batches { begin, end: at },
            None if next.position > first.position && next.offset < self.until => {
                Picked::Before { end: next }
            }
            None => Picked::Nothing,
        })
    }

    /// The header of the batch that belongs at a place; `None` when the window ends before.
    fn header(&self, bytes: &[u8], at: Place) -> io::Result<Option<BatchHeader>> {
        let there = self.stretch.end - at.position;
        let problem = match BatchHeader::read(bytes) {
            Err(BatchError::Short) if (bytes.len() as u64) < there => return Ok(None),
            Ok(header) if header.total_bytes as u64 > there => BatchError::Short,
            Ok(header) if header.base_offset != at.offset => BatchError::Count,
            Ok(header) => return Ok(Some(header)),
            Err(problem) => problem,
        };
        Err(self.stretch.damaged(at.position, at.offset, problem))
    }

    /// Holds a batch against its checksum. What lies outside of it is as it must be after this.
    fn check(&self, batch: &mut [u8], at: Place) -> io::Result<()> {
        match BatchHeader::read_whole(batch) {
            Ok(header) if header.base_offset == at.offset => {
                clear_leader_epoch(batch);
                Ok(())
            }
            Ok(_) => Err(self.stretch.damaged(at.position, at.offset, BatchError::Count)),
            Err(problem) => Err(self.stretch.damaged(at.position, at.offset, problem)),
        }
    }

    fn bytes(&self, position: u64, wanted: usize) -> io::Result<Vec<u8>> {
        let there = self.stretch.end.saturating_sub(position);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(usize::MAX).min(wanted)];
        self.stretch.file.read_exact_at(&mut bytes, position)?;
        Ok(bytes)
    }
}
