//! Rows and positions in one commit: once, whoever tries how often.

use event::Positions;
use store::{Appended, StoreError, Table};

use crate::support::{DAY_MS, Folder, MARCH_14, TOPIC, count, events, number, positions};

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_positions_are_there_after_an_append() {
    let folder = Folder::new();
    let tables = folder.open().await;
    let (batches, read) = events(0, 0, 100);

    let appended = tables.append(Table::Events, batches, &read).await.expect("appended");

    assert_eq!((appended.rows, appended.files, appended.version), (100, 1, 1));
    assert_eq!(count(&tables).await, 100);
    assert_eq!(tables.committed(Table::Events, TOPIC, 0).await.expect("known"), Some(100));
    assert_eq!(tables.committed(Table::Events, TOPIC, 1).await.expect("known"), None);
    let day = "SELECT count(*) FROM events WHERE day = DATE '2026-03-14' AND array_has(flags, 'late')";
    assert_eq!(number(&tables, day).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_positions_are_stored_once() {
    let folder = Folder::new();
    let tables = folder.open().await;
    let (batches, read) = events(0, 0, 100);
    tables.append(Table::Events, batches.clone(), &read).await.expect("appended");

    let again = tables.append(Table::Events, batches, &read).await;

    assert!(matches!(again, Err(StoreError::AlreadyStored { committed: 100, .. })), "{again:?}");
    assert_eq!(count(&tables).await, 100);
    let (next, read) = events(0, 100, 150);
    tables.append(Table::Events, next, &read).await.expect("what comes after is new");
    assert_eq!(count(&tables).await, 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_handles_that_race_one_wins() {
    let folder = Folder::new();
    let (one, two) = (folder.open().await, folder.open().await);
    let ((rows, read), (other_rows, other_read)) = (events(0, 0, 100), events(0, 0, 60));

    let (first, second) = tokio::join!(
        one.append(Table::Events, rows, &read),
        two.append(Table::Events, other_rows, &other_read)
    );

    match (first, second) {
        (Ok(_), Err(StoreError::AlreadyStored { committed: 100, .. })) => assert_eq!(count(&one).await, 100),
        (Err(StoreError::Overtaken { committed: Some(60), .. }), Ok(_)) => assert_eq!(count(&one).await, 60),
        other => panic!("one wins and the other says why not: {other:?}"),
    }
    assert_eq!(data_files(&folder), 1, "the loser's file is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_slept_through_another_one_must_read_again() {
    let folder = Folder::new();
    let (sleeper, other) = (folder.open().await, folder.open().await);
    assert_eq!(sleeper.committed(Table::Events, TOPIC, 0).await.expect("known"), None);
    let (rows, read) = events(0, 0, 15);
    other.append(Table::Events, rows, &read).await.expect("appended");

    let (rows, read) = events(0, 0, 20);
    let woken = sleeper.append(Table::Events, rows, &read).await;

    assert!(matches!(woken, Err(StoreError::Overtaken { committed: Some(15), .. })), "{woken:?}");
    assert_eq!(sleeper.committed(Table::Events, TOPIC, 0).await.expect("known"), Some(15));
    let (rows, read) = events(0, 15, 20);
    sleeper.append(Table::Events, rows, &read).await.expect("read again from there");
    assert_eq!(number(&sleeper, "SELECT count(DISTINCT kafka_offset) FROM events").await, 20);
    assert_eq!(count(&sleeper).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_that_write_different_partitions_do_not_disturb_each_other() {
    let folder = Folder::new();
    let handles = [folder.open().await, folder.open().await, folder.open().await];
    let mut writers = tokio::task::JoinSet::new();
    for (partition, tables) in (0_i32..).zip(handles.clone()) {
        writers.spawn(async move {
            for step in 0..10 {
                let (rows, read) = events(partition, step * 10, step * 10 + 10);
                tables.append(Table::Events, rows, &read).await.expect("its own partition");
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("no writer panics");
    }
    assert_eq!(count(&handles[0]).await, 300);
    assert_eq!(number(&handles[1], "SELECT count(DISTINCT event_id) FROM events").await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_kept_even_when_there_are_no_rows() {
    let folder = Folder::new();
    let tables = folder.open().await;

    let appended = tables.append(Table::Rejects, Vec::new(), &positions(3, 7)).await.expect("appended");

    assert_eq!(appended, Appended { version: 1, ..Appended::default() });
    assert_eq!(tables.committed(Table::Rejects, TOPIC, 3).await.expect("known"), Some(7));
    let nothing =
        tables.append(Table::Rejects, Vec::new(), &Positions::default()).await.expect("nothing to do");
    assert_eq!(nothing.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_another_day_goes_to_another_file() {
    let folder = Folder::new();
    let tables = folder.open().await;
    let mut builder = event::EventBatchBuilder::default();
    for days in [0, 1, 1, 400] {
        let time = Some(event::EventTime(MARCH_14 - days * DAY_MS));
        let ingest_time = Some(event::EventTime(MARCH_14));
        builder.append(&event::EventRow { time, ingest_time, ..event::EventRow::default() });
    }
    let batch = builder.finish().into_arrow();

    let appended = tables.append(Table::Events, vec![batch], &positions(0, 1)).await.expect("appended");

    assert_eq!((appended.rows, appended.files), (4, 2), "the stray one is with those of its ingest");
    assert_eq!(number(&tables, "SELECT count(*) FROM events WHERE day = DATE '2026-03-13'").await, 2);
    assert_eq!(number(&tables, "SELECT count(*) FROM events WHERE time < '2025-06-01T00:00:00Z'").await, 1);
}

fn data_files(folder: &Folder) -> usize {
    let days = std::fs::read_dir(folder.path().join("events")).expect("a folder").flatten();
    days.filter(|entry| entry.file_name().to_string_lossy().starts_with("day="))
        .map(|day| std::fs::read_dir(day.path()).expect("a folder").count())
        .sum()
}
