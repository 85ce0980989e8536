//! The header of a v2 record batch: all that the broker reads of what producers send.
//!
//! Records stay closed, so every codec works and a decompression bomb costs nothing.

/// Where the records begin.
pub(crate) const HEADER_BYTES: usize = 61;
/// Base offset and length: what must be known to find the next batch.
const PREFIX_BYTES: usize = 12;
/// The checksum covers everything from here to the end.
const CHECKED_FROM: usize = 21;

const COMPRESSION_MASK: i16 = 0x07;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// Why some bytes are not a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("batch is cut short")]
    Short,
    #[error("batch length {0} is impossible")]
    Length(i32),
    #[error("batch has magic {0}, only 2 is stored")]
    Magic(i8),
    #[error("batch checksum does not match")]
    Checksum,
    #[error("batch counts its records wrongly")]
    Count,
}

/// The fields of a batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub(crate) total_bytes: usize,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may end before the batch does.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() < HEADER_BYTES {
            return Err(BatchError::Short);
        }
        let length = i32::from_be_bytes(field(bytes, 8));
        let magic = i8::from_be_bytes(field(bytes, 16));
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let total_bytes = usize::try_from(length).map_err(|_| BatchError::Length(length))? + PREFIX_BYTES;
        if total_bytes < HEADER_BYTES {
            return Err(BatchError::Length(length));
        }
        let header = Self {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            total_bytes,
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: i16::from_be_bytes(field(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            record_count: i32::from_be_bytes(field(bytes, 57)),
        };
        if header.last_offset_delta < 0 || header.base_offset.checked_add(header.record_span()).is_none() {
            return Err(BatchError::Count);
        }
        Ok(header)
    }

    /// Reads the header and checks that the batch is whole and its checksum holds.
    pub(crate) fn read_whole(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::read(bytes)?;
        let batch = bytes.get(..header.total_bytes).ok_or(BatchError::Short)?;
        if crc32c::crc32c(&batch[CHECKED_FROM..]) != header.crc {
            return Err(BatchError::Checksum);
        }
        Ok(header)
    }

    /// How many offsets the batch takes.
    pub(crate) fn record_span(&self) -> i64 {
        i64::from(self.last_offset_delta) + 1
    }

    /// The offset of the last record.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The offset after the last record.
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset + self.record_span()
    }

    /// The sequence number of the last record; sequences wrap to zero after the largest `i32`.
    pub(crate) fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    pub(crate) fn codec(&self) -> i16 {
        self.attributes & COMPRESSION_MASK
    }
}

/// The sequence number `steps` after `sequence`.
pub(crate) fn sequence_after(sequence: i32, steps: i32) -> i32 {
    let wide = (i64::from(sequence) + i64::from(steps)) % (i64::from(i32::MAX) + 1);
    i32::try_from(wide).unwrap_or(0)
}

/// Base offset, length and leader epoch as they are stored. Offset and epoch are the
/// broker's to set: they lie outside the checksum.
pub(crate) fn stored_prefix(header: &BatchHeader, base_offset: i64) -> [u8; 16] {
    let mut prefix = [0; 16];
    let length = (header.total_bytes - PREFIX_BYTES) as u32;
    prefix[..8].copy_from_slice(&base_offset.to_be_bytes());
    prefix[8..12].copy_from_slice(&length.to_be_bytes());
    prefix
}

/// The leader's epoch is always zero here. It lies outside the checksum.
pub(crate) fn clear_leader_epoch(batch: &mut [u8]) {
    batch[12..16].fill(0);
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice is N long, and the caller checked the header's length")
}

#[cfg(test)]
mod tests;
