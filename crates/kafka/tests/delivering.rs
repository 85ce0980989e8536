//! What a stage delivers, with transactions and without.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka::{AtLeastOnceSink, TransactionSink};
use pipeline::{Metrics, OutRecord, Sink, Source, StartAt};
use prometheus_client::registry::Registry;

use crate::{Kafka, Seen, fill, out, read_until, unique};

#[test]
fn a_stage_that_dies_between_reading_and_committing_leaves_every_record_exactly_once() {
    for kafka in Kafka::of_each_protocol() {
        let (input, output): (String, Arc<str>) = (unique("logs.in"), unique("out").into());
        let (group, id) = (unique("group"), unique("id"));
        kafka.topic(&input, 3);
        kafka.topic(&output, 2);
        fill(&kafka, &input, 1_000);
        let metrics = Metrics::register(&mut Registry::default());
        let mut delivered = 0;
        for attempt in 0.. {
            let mut source = kafka.source("copy", &group, &[&input], StartAt::Committed);
            let mut sink =
                TransactionSink::new(&kafka.connection, "copy", &id, &source, metrics.clone()).unwrap();
            let (mut seen, mut batches) = (Seen::default(), 0);
            while delivered < 1_000 {
                let polled = source.next_batch(&mut seen).unwrap();
                batches += usize::from(polled.records > 0);
                if attempt < 3 && batches == 3 {
                    break; // Read, and never delivered.
                }
                let records = out(&output, &mut seen);
                delivered += records.len();
                sink.deliver(records, &polled.positions).unwrap();
            }
            if delivered >= 1_000 {
                break;
            }
        }
        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        let (mut source, mut seen) =
            (kafka.source("check", &unique("check"), &[&output], StartAt::Committed), Seen::default());
        read_until(&mut source, &mut seen, |seen, polled| seen.records.len() >= 1_000 && polled.caught_up);
        for (_, _, line) in seen.records {
            *copies.entry(line).or_default() += 1;
        }
        assert_eq!(copies.len(), 1_000);
        assert!(copies.values().all(|&count| count == 1), "{copies:?}");
    }
}

#[test]
fn without_transactions_a_stage_that_dies_writes_again_and_loses_nothing() {
    let kafka = Kafka::start();
    let (input, output): (String, Arc<str>) = (unique("logs.in"), unique("out").into());
    let group = unique("group");
    kafka.topic(&input, 1);
    kafka.topic(&output, 1);
    fill(&kafka, &input, 100);
    for attempt in 0..2 {
        let mut source = kafka.source("copy", &group, &[&input], StartAt::Committed);
        let mut sink = AtLeastOnceSink::new(&kafka.connection, "copy", &source).unwrap();
        let mut seen = Seen::default();
        let mut committed = 0;
        read_until(&mut source, &mut seen, |seen, polled| {
            // It dies the first time behind its records and before their positions.
            let positions = if attempt == 0 { event::Positions::default() } else { polled.positions.clone() };
            sink.deliver(out_of(&output, seen, committed), &positions).unwrap();
            committed = seen.records.len();
            committed >= 100
        });
    }
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    let (mut source, mut seen) =
        (kafka.source("check", &unique("check"), &[&output], StartAt::Committed), Seen::default());
    read_until(&mut source, &mut seen, |seen, _| seen.records.len() >= 200);
    seen.records.into_iter().for_each(|(_, _, line)| *copies.entry(line).or_default() += 1);
    assert_eq!(copies.len(), 100);
    assert!(copies.values().all(|&count| count == 2), "{copies:?}");
    let mut source = kafka.source("after", &group, &[&input], StartAt::Committed);
    let mut seen = Seen::default();
    read_until(&mut source, &mut seen, |_, polled| polled.caught_up);
    assert!(seen.records.is_empty(), "its positions are committed");
}

/// Copies of the records from the `from`th on.
fn out_of(topic: &Arc<str>, seen: &Seen, from: usize) -> Vec<OutRecord> {
    let mut rest = Seen { records: seen.records[from..].to_vec(), ..Seen::default() };
    out(topic, &mut rest)
}

#[test]
fn an_older_holder_of_a_transactional_id_is_fenced() {
    let kafka = Kafka::start();
    let (topic, id): (Arc<str>, String) = (unique("fence").into(), unique("id"));
    kafka.topic(&topic, 1);
    let metrics = Metrics::register(&mut Registry::default());
    let source = kafka.source("fence", &unique("group"), &[&topic], StartAt::Committed);
    let mut older = TransactionSink::new(&kafka.connection, "fence", &id, &source, metrics.clone()).unwrap();
    let _newer = TransactionSink::new(&kafka.connection, "fence", &id, &source, metrics).unwrap();
    let record =
        OutRecord { topic: Arc::clone(&topic), partition: None, key: None, payload: b"late".to_vec() };
    let refused = older.deliver(vec![record], &event::Positions::default());
    assert!(matches!(refused, Err(pipeline::SinkError::Fenced(_))), "{refused:?}");
}

#[test]
fn reading_again_to_rebuild_state_does_not_move_the_committed_offset_back() {
    for kafka in Kafka::of_each_protocol() {
        let (topic, group, id) = (unique("logs.again"), unique("group"), unique("id"));
        kafka.topic(&topic, 1);
        fill(&kafka, &topic, 30);
        let metrics = Metrics::register(&mut Registry::default());
        {
            let mut source = kafka.source("first", &group, &[&topic], StartAt::Committed);
            let mut sink = TransactionSink::new(&kafka.connection, "first", &id, &source, metrics).unwrap();
            let mut seen = Seen::default();
            read_until(&mut source, &mut seen, |_, polled| {
                sink.deliver(Vec::new(), &polled.positions).unwrap();
                polled.caught_up
            });
        }
        fill(&kafka, &topic, 5);
        let owner = StartAt::Owner(Arc::new(|_, committed| {
            assert_eq!(committed, Some(30));
            Ok(Some(10))
        }));
        let (mut source, mut seen) = (kafka.source("second", &group, &[&topic], owner), Seen::default());
        let mut positions = event::Positions::default();
        read_until(&mut source, &mut seen, |seen, polled| {
            positions.merge(&polled.positions);
            assert!(positions.is_empty() || seen.records.len() > 20, "a position below what is committed");
            seen.records.len() == 25
        });
        assert_eq!((seen.records[0].1, positions.next_offset(&topic, 0)), (10, Some(35)));
    }
}
