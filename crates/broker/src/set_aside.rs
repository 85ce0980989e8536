//! What repairs have set aside, and when it goes.
//!
//! Nothing that was once a record or a topic is deleted because it could not be read or was not
//! known: torn and bad bytes are kept in files that end in `.cut`, beside the log or journal they
//! were taken from, and directories that the journal does not know in `removed`. There they stay
//! for [`BrokerConfig::set_aside_ms`](crate::BrokerConfig::set_aside_ms), counted from when they
//! were set aside, for someone to look at. Then they are deleted, with a line in the log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::now_ms;
use crate::topics;

/// Notes that something was set aside now: under its new name it has the age of its content.
pub(crate) fn mark(path: &Path) {
    if let Err(error) = File::open(path).and_then(|file| file.set_modified(time_of(now_ms()))) {
        tracing::warn!(path = %path.display(), %error, "cannot note when this was set aside");
    }
}

/// Deletes what was set aside before that time.
pub(crate) fn delete_before(data_dir: &Path, time_ms: i64) {
    let before = time_of(time_ms);
    for path in all(data_dir) {
        match delete_if_before(&path, before) {
            Ok(false) => {}
            Ok(true) => tracing::info!(path = %path.display(), "deleted what was set aside long ago"),
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot delete what was set aside"),
        }
    }
}

fn delete_if_before(path: &Path, before: SystemTime) -> io::Result<bool> {
    let metadata = path.symlink_metadata()?;
    if metadata.modified()? >= before {
        return Ok(false);
    }
    if metadata.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }?;
    Ok(true)
}

fn all(data_dir: &Path) -> Vec<PathBuf> {
    let mut all = entries(&data_dir.join("removed"));
    let mut directories = vec![data_dir.to_owned()];
    for topic in entries(&topics::directory(data_dir)) {
        directories.extend(entries(&topic));
    }
    let cut = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cut");
    all.extend(directories.iter().flat_map(|directory| entries(directory)).filter(cut));
    all
}

/// What is in a directory; nothing if there is none.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn time_of(time_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(time_ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_was_set_aside_goes_after_its_time_and_nothing_else_does() {
        let dir = TempDir::new().unwrap();
        let partition = dir.path().join("topics/t@1/0");
        let removed = dir.path().join("removed/old@7");
        for directory in [&partition, &removed.join("0")] {
            std::fs::create_dir_all(directory).unwrap();
        }
        let cut = [dir.path().join("journal.cut"), partition.join("00.log.cut"), partition.join("00.77.cut")];
        let kept = [dir.path().join("journal"), partition.join("00.log"), partition.join("checkpoint")];
        cut.iter().chain(&kept).for_each(|path| std::fs::write(path, "bytes").unwrap());
        let is_there = || cut.iter().chain([&removed]).map(|path| path.exists()).collect::<Vec<_>>();

        delete_before(dir.path(), now_ms() - 60_000);
        assert_eq!(is_there(), [true; 4]);
        delete_before(dir.path(), now_ms() + 60_000);
        assert_eq!(is_there(), [false; 4]);
        assert!(kept.iter().all(|path| path.exists()));
    }

    #[test]
    fn the_time_counts_from_when_it_was_set_aside() {
        let dir = TempDir::new().unwrap();
        let cut = dir.path().join("journal.cut");
        std::fs::write(&cut, "bytes").unwrap();
        File::open(&cut).unwrap().set_modified(UNIX_EPOCH).unwrap();
        mark(&cut);
        delete_before(dir.path(), now_ms() - 60_000);
        assert!(cut.exists());
    }
}
