//! What a restart finds, after a clean stop and after a kill at any moment.

use store::{StoreError, StoreOptions, Table, Tables};
use url::Url;

use crate::support::{Folder, TOPIC, count, events};

#[tokio::test(flavor = "multi_thread")]
async fn positions_survive_a_restart_a_checkpoint_and_a_clean_log() {
    let folder = Folder::new();
    let options = StoreOptions { checkpoint_every: 5, ..StoreOptions::default() };
    let tables = folder.open_with(options.clone()).await;
    for step in 0..12 {
        let (rows, read) = events(step % 3, i64::from(step / 3) * 10, i64::from(step / 3) * 10 + 10);
        tables.append(Table::Events, rows, &read).await.expect("appended");
    }
    drop(tables);
    assert!(log(&folder).iter().any(|name| name.ends_with(".checkpoint.parquet")), "{:?}", log(&folder));
    for name in log(&folder) {
        // What a clean-up of the log leaves: the checkpoint and what came after it.
        if name.ends_with(".json") && name.as_str() < "00000000000000000009" {
            std::fs::remove_file(folder.path().join("events/_delta_log").join(name)).expect("removed");
        }
    }

    let tables = folder.open_with(options).await;

    for partition in 0..3 {
        assert_eq!(tables.committed(Table::Events, TOPIC, partition).await.expect("known"), Some(40));
    }
    assert_eq!(count(&tables).await, 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_write_that_was_killed_are_not_rows() {
    let folder = Folder::new();
    let tables = folder.open().await;
    let (rows, read) = events(0, 0, 10);
    tables.append(Table::Events, rows, &read).await.expect("appended");
    drop(tables);
    // A kill between the put of a data file and the commit, and one in the middle of a put.
    let day = folder.path().join("events/day=2026-03-14");
    let file = std::fs::read_dir(&day).expect("a folder").flatten().next().expect("a file").path();
    std::fs::copy(&file, day.join("part-0123.zstd.parquet")).expect("copied");
    std::fs::write(day.join("part-4567.zstd.parquet#89"), b"PAR1 torn").expect("written");
    std::fs::write(folder.path().join("events/_delta_log/00000000000000000002.json#12"), b"{\"add")
        .expect("written");

    let tables = folder.open().await;

    assert_eq!(count(&tables).await, 10);
    assert_eq!(tables.committed(Table::Events, TOPIC, 0).await.expect("known"), Some(10));
    let (rows, read) = events(0, 10, 20);
    tables.append(Table::Events, rows, &read).await.expect("and on it goes");
    assert_eq!(count(&tables).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_may_have_any_name() {
    let folder = Folder::new();
    for name in ["with a space", "über", "a+b", "#1", "q?x=1", "day=1"] {
        let root = Url::from_directory_path(folder.path().join(name)).expect("a path");
        let tables =
            Tables::open(&root, StoreOptions::default()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let (rows, read) = events(0, 0, 10);
        tables.append(Table::Events, rows, &read).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        drop(tables);
        let tables = Tables::open(&root, StoreOptions::default()).await.expect("it opens again");
        assert_eq!(count(&tables).await, 10, "{name}");
        assert!(folder.path().join(name).join("events").is_dir(), "{name}");
    }
    let root = Url::from_directory_path(folder.path().join("a%20b")).expect("a path");
    let refused =
        Tables::open(&root, StoreOptions::default()).await.err().expect("read twice, it is another name");
    assert!(matches!(refused, StoreError::Unusable { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_open_an_empty_folder_at_once() {
    let folder = Folder::new();
    let (one, two) = tokio::join!(folder.open(), folder.open());
    let (rows, read) = events(0, 0, 10);
    one.append(Table::Events, rows, &read).await.expect("appended");
    assert_eq!(count(&two).await, 10);
}

fn log(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("events/_delta_log")).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
