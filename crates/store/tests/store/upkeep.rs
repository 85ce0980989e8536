//! Compaction changes files, and nothing that anybody can ask for.

use store::{StoreOptions, Table};

use crate::support::{Folder, TOPIC, count, events, number};

#[tokio::test(flavor = "multi_thread")]
async fn compaction_merges_files_and_keeps_rows_and_positions() {
    let folder = Folder::new();
    let tables = folder.open().await;
    for step in 0..8 {
        let (rows, read) = events(0, step * 10, step * 10 + 10);
        tables.append(Table::Events, rows, &read).await.expect("appended");
    }

    let compacted = tables.compact(Table::Events).await.expect("compacted");

    assert_eq!((compacted.files_removed, compacted.files_added), (8, 1));
    assert_eq!(count(&tables).await, 80);
    assert_eq!(number(&tables, "SELECT count(DISTINCT event_id) FROM events WHERE tenant = 'prt_acme'").await, 80);
    assert_eq!(tables.committed(Table::Events, TOPIC, 0).await.expect("known"), Some(80));
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
        // Two compactions never meet here, and an append does not invalidate one.
        keeper.compact(Table::Events).await.expect("compacted");
    }
    appends.await.expect("the writer does not panic");

    assert_eq!(count(&keeper).await, 300);
    assert_eq!(number(&keeper, "SELECT count(DISTINCT kafka_offset) FROM events").await, 300);
}
