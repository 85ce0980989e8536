//! Cuts the power, in tests: what was not synced is lost, torn or garbled.
//!
//! A kill leaves the page cache to the operating system, so it cannot tell an honest fsync from a
//! forgotten one. Here a directory is watched: for each file how much of it was synced, for each
//! directory which names. [`Power::settle`] leaves of everything else what a seed makes of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::TempDir;

/// A small generator of numbers that look random, the same for the same seed everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is above zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

type Inode = u64;
type Names = BTreeMap<OsString, Inode>;

/// What is durable in one watched directory.
#[derive(Debug)]
struct Watched {
    root: PathBuf,
    /// Files that lost their name are kept here, for a cut that gives it back.
    lost: TempDir,
    operations_left: usize,
    synced_bytes: HashMap<Inode, u64>,
    synced_names: HashMap<PathBuf, Names>,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// The power of a directory; while this lives, syncs in there are noted and not done.
#[derive(Debug)]
pub(crate) struct Power {
    root: PathBuf,
}

impl Power {
    /// Everything that is in `root` now is durable. After so many operations on the disk the
    /// power is off, and every further one fails.
    pub(crate) fn watch(root: &Path, operations: usize) -> Self {
        let beside = root.parent().unwrap_or(root);
        let mut watched = Watched {
            root: root.to_owned(),
            lost: TempDir::new_in(beside).unwrap(),
            operations_left: operations,
            synced_bytes: HashMap::new(),
            synced_names: HashMap::new(),
        };
        watched.note_all(root);
        WATCHED.lock().unwrap().push(watched);
        Self { root: root.to_owned() }
    }

    pub(crate) fn is_off(&self) -> bool {
        WATCHED.lock().unwrap().iter().any(|one| one.root == self.root && one.operations_left == 0)
    }

    /// Leaves in the directory what a power cut now might leave. No one may be using it.
    pub(crate) fn settle(self, dice: &mut Dice) {
        let watched = take(&self.root).unwrap();
        let mood = match dice.below(4) {
            0 => Mood::Forgetful,
            1 => Mood::Torn,
            _ => Mood::Mixed,
        };
        Cut { watched: &watched, mood, dice }.directory(&self.root);
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        drop(take(&self.root));
    }
}

fn take(root: &Path) -> Option<Watched> {
    let mut all = WATCHED.lock().unwrap();
    let at = all.iter().position(|one| one.root == root)?;
    Some(all.swap_remove(at))
}

impl Watched {
    fn note_all(&mut self, directory: &Path) {
        self.synced_names.insert(directory.to_owned(), names(directory));
        for path in paths(directory) {
            let metadata = path.metadata().unwrap();
            if metadata.is_dir() {
                self.note_all(&path);
            } else {
                self.synced_bytes.insert(metadata.ino(), metadata.len());
            }
        }
    }

    fn synced_bytes(&self, inode: Inode) -> u64 {
        self.synced_bytes.get(&inode).copied().unwrap_or(0)
    }
}

/// How much of what was not synced is there all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Forgetful,
    Torn,
    Mixed,
}

/// A power cut on its way through the directories.
struct Cut<'a> {
    watched: &'a Watched,
    mood: Mood,
    dice: &'a mut Dice,
}

impl Cut<'_> {
    fn directory(&mut self, directory: &Path) {
        let now = names(directory);
        let nothing = Names::new();
        let synced = self.watched.synced_names.get(directory).unwrap_or(&nothing);
        for name in now.keys().chain(synced.keys()).collect::<BTreeSet<_>>() {
            if now.get(name) != synced.get(name) && self.is_forgotten() {
                self.restore(&directory.join(name), synced.get(name).copied());
            }
        }
        for path in paths(directory) {
            if path.is_dir() {
                self.directory(&path);
            } else {
                self.file(&path);
            }
        }
    }

    fn is_forgotten(&mut self) -> bool {
        match self.mood {
            Mood::Forgetful => true,
            Mood::Torn => false,
            Mood::Mixed => self.dice.once_in(2),
        }
    }

    /// The name is again what it was when its directory was synced. A directory that was moved stays.
    fn restore(&self, path: &Path, synced: Option<Inode>) {
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
        let kept = synced.map(|inode| self.watched.lost.path().join(inode.to_string()));
        if let Some(kept) = kept.filter(|kept| kept.exists()) {
            std::fs::hard_link(kept, path).unwrap();
        }
    }

    /// Only what was synced is sure to be in the file.
    fn file(&mut self, path: &Path) {
        let file = OpenOptions::new().write(true).read(true).open(path).unwrap();
        let metadata = file.metadata().unwrap();
        let synced = self.watched.synced_bytes(metadata.ino()).min(metadata.len());
        let unsynced = (metadata.len() - synced) as usize;
        if unsynced == 0 {
            return;
        }
        let kept = synced + self.dice.below(unsynced + 1) as u64;
        let at = synced + self.dice.below(unsynced) as u64;
        match self.dice.below(5) {
            _ if self.mood == Mood::Forgetful => file.set_len(synced).unwrap(),
            0 => file.set_len(synced).unwrap(),
            1 => file.set_len(kept).unwrap(),
            2 => overwrite(&file, kept, metadata.len(), |_| 0),
            3 => overwrite(&file, at, at + 1, |byte| byte ^ (1 << self.dice.below(8))),
            _ => {} // all of it had come to the disk
        }
    }
}

fn overwrite(file: &File, from: u64, until: u64, mut change: impl FnMut(u8) -> u8) {
    let mut bytes = vec![0; (until - from) as usize];
    file.read_exact_at(&mut bytes, from).unwrap();
    bytes.iter_mut().for_each(|byte| *byte = change(*byte));
    file.write_all_at(&bytes, from).unwrap();
}

fn paths(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn names(directory: &Path) -> Names {
    let named = |path: PathBuf| Some((path.file_name()?.to_owned(), path.metadata().ok()?.ino()));
    paths(directory).into_iter().filter_map(named).collect()
}

/// Does something with the directory that `path` is in, if it is watched.
fn with<T>(path: &Path, work: impl FnOnce(&mut Watched) -> T) -> Option<T> {
    let mut all = WATCHED.lock().unwrap();
    all.iter_mut().find(|one| path.starts_with(&one.root)).map(work)
}

/// Counts an operation on the disk; refuses it when the power is off.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let is_on = with(path, |watched| {
        watched.operations_left = watched.operations_left.saturating_sub(1);
        watched.operations_left > 0
    });
    if is_on == Some(false) { Err(io::Error::other("the power is off")) } else { Ok(()) }
}

/// Notes what is synced; false when no one watches, and it must be done.
pub(super) fn sync(file: &File, path: &Path) -> bool {
    let note = |watched: &mut Watched| {
        let metadata = file.metadata().unwrap();
        watched.synced_bytes.insert(metadata.ino(), metadata.len());
    };
    with(path, note).is_some()
}

/// The same for the names in a directory.
pub(super) fn sync_directory(directory: &Path) -> bool {
    let note = |watched: &mut Watched| {
        watched.synced_names.insert(directory.to_owned(), names(directory));
    };
    with(directory, note).is_some()
}

/// What a file lost at its end will not come back.
pub(super) fn was_cut(file: &File, path: &Path, bytes: u64) {
    with(path, |watched| {
        let synced = watched.synced_bytes.entry(file.metadata().unwrap().ino()).or_insert(0);
        *synced = (*synced).min(bytes);
    });
}

/// Keeps a file whose name is taken away.
pub(super) fn will_lose_name(path: &Path) {
    with(path, |watched| {
        if let Ok(metadata) = path.metadata() {
            let kept = watched.lost.path().join(metadata.ino().to_string());
            drop(std::fs::hard_link(path, kept)); // it may be kept already
        }
    });
}

mod tests;
