//! Stored events in the order in which their lines arrived.

use event::{EventBatchBuilder, EventRow, EventTime, Positions};
use store::{Stretch, Table, Tables};

use crate::support::{Folder, MARCH_14, events};

/// Offsets of the events of a stretch, as they are handed out, and how many of them tell nothing.
async fn read(tables: &Tables, stretch: Stretch) -> (Vec<(i32, i64)>, u64) {
    let mut arrivals = tables.arrivals(&stretch).await.expect("the table is there");
    let mut places = Vec::new();
    while let Some(batch) = arrivals.next().await.expect("it can be read") {
        places.extend(batch.rows().filter_map(|row| row.kafka_partition.zip(row.kafka_offset)));
    }
    assert_eq!(places.len() as u64, arrivals.events);
    (places, arrivals.unobserved)
}

#[tokio::test]
async fn stored_events_are_read_in_the_order_in_which_they_arrived() {
    let folder = Folder::new();
    let tables = folder.open().await;
    for (partition, from, to) in [(1, 10, 13), (0, 11, 13), (0, 10, 11)] {
        let (batches, _) = events(partition, from, to);
        tables.append(Table::Events, batches, &Positions::default()).await.expect("a commit");
    }
    let (places, _) = read(&tables, Stretch::default()).await;
    assert_eq!(places, [(0, 10), (1, 10), (0, 11), (1, 11), (0, 12), (1, 12)]);
    let (from, until) = (Some(EventTime(MARCH_14 + 11)), Some(EventTime(MARCH_14 + 12)));
    let (places, _) = read(&tables, Stretch { from, until, ..Stretch::default() }).await;
    assert_eq!(places, [(0, 11), (1, 11)], "from is read, until is not");
    let (places, _) = read(&tables, Stretch { tenant: Some("prt_other".into()), ..Stretch::default() }).await;
    assert_eq!(places, []);
}

#[tokio::test]
async fn events_that_do_not_say_what_detectors_were_given_are_counted_before_they_are_read() {
    let folder = Folder::new();
    let tables = folder.open().await;
    let (silent, _) = events(0, 0, 2);
    let mut builder = EventBatchBuilder::default();
    builder.append(&EventRow {
        event_id: Some("evt_new".into()),
        tenant: Some("prt_acme".into()),
        time: Some(EventTime(MARCH_14)),
        ingest_time: Some(EventTime(MARCH_14)),
        kafka_topic: Some("logs.prt_acme.x".into()),
        kafka_partition: Some(1),
        kafka_offset: Some(0),
        observed: Some("-".into()),
        ..EventRow::default()
    });
    let batches = [silent, vec![builder.finish().into_arrow()]].concat();
    tables.append(Table::Events, batches, &Positions::default()).await.expect("a commit");
    let arrivals = tables.arrivals(&Stretch::default()).await.expect("the table is there");
    assert_eq!((arrivals.events, arrivals.unobserved), (3, 2));
}
