//! How far a partition's log is known to be on the disk. What is bad below is damage, of which as
//! little as possible is given up; what is bad above was torn by a crash, and never acknowledged.

use std::io;
use std::path::Path;

use crate::disk::{DataFile, sync_directory};

const NAME: &str = "checkpoint";
const BYTES: usize = 28;

/// A position up to which everything was synced; as small as can be when nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checkpoint {
    /// The segment that begins at this offset,
    pub(crate) segment: i64,
    /// is synced up to this position, as is every earlier one.
    pub(crate) position: u64,
    /// The offset that comes after what was synced.
    pub(crate) end_offset: i64,
}

impl Checkpoint {
    /// Reads the checkpoint of the partition in `dir`.
    pub(crate) fn read(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        Ok(Self::decode(&bytes).unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), "checkpoint cannot be read; looking through the whole log");
            Self::default()
        }))
    }

    /// Replaces the checkpoint in `dir`, durably.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut file = DataFile::create(&dir.join("checkpoint.next"))?;
        file.append(&self.encode(), &[])?;
        file.sync()?;
        file.rename(&dir.join(NAME))?;
        sync_directory(dir)
    }

    fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.segment.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.position.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.end_offset.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[..24]);
        bytes[24..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let (fields, crc) = bytes.split_at(24);
        if crc32c::crc32c(fields).to_be_bytes() != crc {
            return None;
        }
        let field = |at: usize| <[u8; 8]>::try_from(&fields[at..at + 8]).ok();
        Some(Self {
            segment: i64::from_be_bytes(field(0)?),
            position: u64::from_be_bytes(field(8)?),
            end_offset: i64::from_be_bytes(field(16)?),
        })
    }

    /// How many bytes of a segment are known to be on the disk.
    pub(crate) fn synced_bytes(&self, segment: i64, file_bytes: u64) -> u64 {
        match segment.cmp(&self.segment) {
            std::cmp::Ordering::Less => file_bytes,
            std::cmp::Ordering::Equal => self.position.min(file_bytes),
            std::cmp::Ordering::Greater => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written_or_not_at_all() {
        let dir = tempfile::TempDir::new().unwrap();
        assert_eq!(Checkpoint::read(dir.path()).unwrap(), Checkpoint::default());
        let checkpoint = Checkpoint { segment: 7, position: 1234, end_offset: 99 };
        checkpoint.write(dir.path()).unwrap();
        assert_eq!(Checkpoint::read(dir.path()).unwrap(), checkpoint);
        let path = dir.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Checkpoint::read(dir.path()).unwrap(), Checkpoint::default());
    }
}
