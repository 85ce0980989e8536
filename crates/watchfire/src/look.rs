//! How files look from outside, so that one that has changed can be told from one that has not.

use std::path::PathBuf;
use std::time::SystemTime;

/// When each file was written last, and how long it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Look {
    /// Takes a look.
    pub(crate) fn at(mut paths: Vec<PathBuf>) -> Self {
        paths.sort();
        let look = |path: PathBuf| {
            let written =
                std::fs::metadata(&path).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
            (path, written)
        };
        Self(paths.into_iter().map(look).collect())
    }
}

/// What is in a folder; nothing where there is none.
pub(crate) fn inside(dir: &str) -> impl Iterator<Item = PathBuf> {
    let entries = (!dir.is_empty()).then(|| std::fs::read_dir(dir).ok()).flatten();
    entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}
