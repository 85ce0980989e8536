//! Compaction changes files, and nothing that anybody can ask for.

use store::{StoreOptions, Table};

use crate::support::{Folder, TOPIC, count, events, number, positions};

#[tokio::test(flavor = "multi_thread")]
async fn compaction_merges_files_and_keeps_rows_and_positions() {
    let folder = Folder::new();
    let tables = folder.open().await;
    // The newest first, so that merging has something to sort.
    for step in 0..8 {
        let (rows, _) = events(0, 70 - step * 10, 80 - step * 10);
        tables.append(Table::Events, rows, &positions(0, step * 10 + 10)).await.expect("appended");
    }

    let compacted = tables.compact(Table::Events).await.expect("compacted");

    assert_eq!((compacted.files_removed, compacted.files_added), (8, 1));
    assert_eq!(count(&tables).await, 80);
    assert_eq!(
        number(&tables, "SELECT count(DISTINCT event_id) FROM events WHERE tenant = 'prt_acme'").await,
        80
    );
    assert_eq!(tables.committed(Table::Events, TOPIC, 0).await.expect("known"), Some(80));
    let first = "SELECT kafka_offset FROM events LIMIT 1";
    assert_eq!(number(&tables, first).await, 0, "the merged file is sorted");
    let again = tables.compact(Table::Events).await.expect("nothing to do");
    assert_eq!((again.files_removed, again.files_added), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_and_compactions_of_two_processes_do_not_lose_rows() {
    let folder = Folder::new();
    let options = StoreOptions { checkpoint_every: 7, ..StoreOptions::default() };
    let (writer, keeper) = (folder.open_with(options.clone()).await, folder.open_with(options).await);
    let appends = tokio::spawn(async move {
        for step in 0..30 {
            let (rows, read) = events(0, step * 10, step * 10 + 10);
            writer.append(Table::Events, rows, &read).await.expect("appended");
        }
    });
    while !appends.is_finished() {
        // An append does not invalidate a compaction.
        keeper.compact(Table::Events).await.expect("compacted");
    }
    appends.await.expect("the writer does not panic");

    assert_eq!(count(&keeper).await, 300);
    assert_eq!(number(&keeper, "SELECT count(DISTINCT kafka_offset) FROM events").await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keepers_that_merge_the_same_files_do_not_double_a_row() {
    for _ in 0..5 {
        let folder = Folder::new();
        let (one, two) = (folder.open().await, folder.open().await);
        for step in 0..8 {
            let (rows, read) = events(0, step * 10, step * 10 + 10);
            one.append(Table::Events, rows, &read).await.expect("appended");
        }
        let (first, second) = tokio::join!(one.compact(Table::Events), two.compact(Table::Events));
        let merged = first.expect("compacted").files_removed + second.expect("compacted").files_removed;

        assert_eq!(merged, 8, "one of them did it");
        assert_eq!(count(&folder.open().await).await, 80);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_removes_nothing_that_is_young_or_needed() {
    let folder = Folder::new();
    let tables = folder.open().await;
    for step in 0..8 {
        let (rows, read) = events(0, step * 10, step * 10 + 10);
        tables.append(Table::Events, rows, &read).await.expect("appended");
    }
    tables.compact(Table::Events).await.expect("compacted");

    assert_eq!(tables.vacuum(Table::Events).await.expect("vacuumed"), 0);
    assert_eq!(count(&tables).await, 80);
    // Yesterday's, though, are gone: what was merged, and what a kill left behind.
    age_files(&folder);
    assert_eq!(tables.vacuum(Table::Events).await.expect("vacuumed"), 1);
    assert_eq!(count(&tables).await, 80);
    assert_eq!(tables.committed(Table::Events, TOPIC, 0).await.expect("known"), Some(80));
}

/// Leaves an orphan that is two days old.
fn age_files(folder: &Folder) {
    let path = folder.path().join("events/day=2026-03-14/part-orphan.zstd.parquet");
    let file = std::fs::File::create(path).expect("created");
    let modified = file.metadata().expect("there").modified().expect("dated");
    file.set_modified(modified - std::time::Duration::from_secs(48 * 60 * 60)).expect("older");
}
