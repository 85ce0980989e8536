//! The files that records and the journal live in. All writing and syncing goes through here, so
//! that a test can let the disk refuse.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that grows at its end.
#[derive(Debug)]
pub(crate) struct DataFile {
    file: File,
    path: PathBuf,
}

impl DataFile {
    /// An empty file, whatever was there before; the caller makes the directory durable.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        faults::check(Operation::Create, path)?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        file.set_len(0)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// A file that is there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes `first` and then `second` at the end. After an error some of it may be there.
    pub(crate) fn append(&self, first: &[u8], second: &[u8]) -> io::Result<()> {
        faults::check(Operation::Append, &self.path)?;
        let mut file = &self.file;
        let written = file.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])?;
        if written < first.len() {
            file.write_all(&first[written..])?;
            return file.write_all(second);
        }
        file.write_all(&second[written - first.len()..])
    }

    /// Waits until the disk has what was written. Linux reports an error once: who gets one must
    /// not take a later success for more than it says.
    pub(crate) fn sync(&self) -> io::Result<()> {
        faults::check(Operation::Sync, &self.path)?;
        self.file.sync_data()
    }

    /// Cuts the file to its first `bytes`, if it is longer.
    pub(crate) fn cut_to(&self, bytes: u64) -> io::Result<()> {
        if self.bytes()? == bytes {
            return Ok(()); // cutting nothing would still touch the time of the last change
        }
        faults::check(Operation::Cut, &self.path)?;
        self.file.set_len(bytes)
    }

    /// Takes another name; the caller makes the directory durable.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, to)?;
        to.clone_into(&mut self.path);
        Ok(())
    }

    pub(crate) fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// When the file was created and last written, by the clock of this machine.
    pub(crate) fn times(&self) -> io::Result<Times> {
        let metadata = self.file.metadata()?;
        let modified = metadata.modified()?;
        // Not every file system knows when a file was created.
        let created = metadata.created().unwrap_or(modified);
        Ok(Times { created_ms: millis(created), modified_ms: millis(modified) })
    }

    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, position)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// When something happened to a file, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
}

fn millis(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Makes created, renamed and deleted names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    faults::check(Operation::SyncDirectory, directory)?;
    File::open(directory)?.sync_all()
}

/// What a disk may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Append,
    Sync,
    Cut,
    SyncDirectory,
}

#[cfg(not(test))]
mod faults {
    use super::Operation;

    pub(super) fn check(_: Operation, _: &std::path::Path) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets the disk refuse, in tests.
#[cfg(test)]
pub(crate) mod faults {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use super::Operation;

    struct Fault {
        below: PathBuf,
        operation: Operation,
        kind: io::ErrorKind,
        times: usize,
    }

    static FAULTS: Mutex<Vec<Fault>> = Mutex::new(Vec::new());

    /// The next so many operations of that kind on files in or below `below` fail.
    pub(crate) fn fail(below: &Path, operation: Operation, kind: io::ErrorKind, times: usize) {
        let fault = Fault { below: below.to_owned(), operation, kind, times };
        FAULTS.lock().unwrap().push(fault);
    }

    /// The disk is well again.
    pub(crate) fn heal(below: &Path) {
        FAULTS.lock().unwrap().retain(|fault| fault.below != below);
    }

    pub(super) fn check(operation: Operation, path: &Path) -> io::Result<()> {
        let mut faults = FAULTS.lock().unwrap();
        let hits = |fault: &&mut Fault| {
            fault.times > 0 && fault.operation == operation && path.starts_with(&fault.below)
        };
        match faults.iter_mut().find(hits) {
            Some(fault) => {
                fault.times -= 1;
                Err(fault.kind.into())
            }
            None => Ok(()),
        }
    }
}
