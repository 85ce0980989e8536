//! The files that records and the journal live in. All writing, syncing and naming goes through
//! here, so that a test can let the disk refuse, or cut the power.

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
        power::was_cut(&file, path, 0);
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
        if power::sync(&self.file, &self.path) {
            return Ok(());
        }
        self.file.sync_data()
    }

    /// Cuts the file to its first `bytes`, if it is longer.
    pub(crate) fn cut_to(&self, bytes: u64) -> io::Result<()> {
        if self.bytes()? == bytes {
            return Ok(()); // cutting nothing would still touch the time of the last change
        }
        faults::check(Operation::Cut, &self.path)?;
        self.file.set_len(bytes)?;
        power::was_cut(&self.file, &self.path, bytes);
        Ok(())
    }

    /// Takes another name; the caller makes the directory durable.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        rename(&self.path, to)?;
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

/// Gives a file another name; whoever had that name is gone. The caller makes it durable.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::check(Operation::Rename, to)?;
    power::will_lose_name(from);
    power::will_lose_name(to);
    std::fs::rename(from, to)
}

/// Takes a file away; the caller makes it durable.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    faults::check(Operation::Remove, path)?;
    power::will_lose_name(path);
    std::fs::remove_file(path)
}

/// Makes created, renamed and deleted names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    faults::check(Operation::SyncDirectory, directory)?;
    if power::sync_directory(directory) {
        return Ok(());
    }
    File::open(directory)?.sync_all()
}

/// A directory, and those above it, that outlast a power cut.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_directory(parent)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_directory(parent),
    }
}

/// What a disk may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Append,
    Sync,
    Cut,
    Rename,
    Remove,
    SyncDirectory,
}

#[cfg(test)]
pub(crate) mod faults;
#[cfg(test)]
pub(crate) mod power;

/// The disk as it comes.
#[cfg(not(test))]
mod faults {
    pub(super) fn check(_: super::Operation, _: &std::path::Path) -> std::io::Result<()> {
        Ok(())
    }
}

/// The power as it comes.
#[cfg(not(test))]
mod power {
    use std::fs::File;
    use std::path::Path;

    pub(super) fn sync(_: &File, _: &Path) -> bool {
        false
    }

    pub(super) fn sync_directory(_: &Path) -> bool {
        false
    }

    pub(super) fn was_cut(_: &File, _: &Path, _: u64) {}

    pub(super) fn will_lose_name(_: &Path) {}
}
