//! What a cut leaves, and what it takes.

use super::*;
use crate::disk::{DataFile, remove, rename, sync_directory};

/// What is left of a directory after a forgetful cut.
fn left(root: &Path, work: impl FnOnce()) -> Vec<(String, Vec<u8>)> {
    let power = Power::watch(root, usize::MAX);
    work();
    let watched = take(&power.root).unwrap();
    Cut { watched: &watched, mood: Mood::Forgetful, dice: &mut Dice::new(1) }.directory(root);
    let read = |path: PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
    };
    paths(root).into_iter().map(read).collect()
}

fn file(path: &Path, synced: &[u8], unsynced: &[u8]) {
    let file = DataFile::create(path).unwrap();
    file.append(synced, &[]).unwrap();
    file.sync().unwrap();
    file.append(unsynced, &[]).unwrap();
}

#[test]
fn what_was_not_synced_is_lost() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let kept = left(&root, || {
        file(&root.join("named"), b"synced", b" and more");
        sync_directory(&root).unwrap();
        file(&root.join("nameless"), b"synced", b"");
    });
    assert_eq!(kept, [("named".to_owned(), b"synced".to_vec())]);
}

#[test]
fn names_come_back_until_their_directory_is_synced() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let paths = ["a", "b", "c"].map(|name| root.join(name));
    paths.iter().for_each(|path| file(path, path.file_name().unwrap().as_encoded_bytes(), b""));
    let kept = left(&root, || {
        rename(&paths[0], &paths[1]).unwrap();
        remove(&paths[2]).unwrap();
    });
    let expected = ["a", "b", "c"].map(|name| (name.to_owned(), name.as_bytes().to_vec()));
    assert_eq!(kept, expected);
}
