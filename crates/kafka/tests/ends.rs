//! Where a partition ends, what waits for a backlog, and sources that end.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka::{LogWriter, TransactionSink};
use pipeline::{Metrics, Sink, StartAt};
use prometheus_client::registry::Registry;

use crate::{Kafka, Seen, fill, read_until, unique};

#[test]
fn a_quiet_partition_is_said_to_be_at_its_end_once_all_of_it_was_handed_over() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.end"), unique("group"));
    kafka.topic(&topic, 2);
    let writer = LogWriter::new(&kafka.connection, "test").unwrap();
    let key = (0..).map(|n| n.to_string()).find(|key| partition_of(&kafka, &writer, key) == 0).unwrap();
    for n in 0..200 {
        writer.push(&topic, Some(&key), format!("line {n}").as_bytes(), &[]).unwrap();
    }
    writer.flush(Duration::from_secs(30)).unwrap();
    let (mut source, mut seen) =
        (kafka.source("end", &group, &[&topic], StartAt::Committed), Seen::default());
    let mut positions = event::Positions::default();
    read_until(&mut source, &mut seen, |seen, polled| {
        positions.merge(&polled.positions);
        if seen.at_end.iter().any(|end| end.partition == 0) {
            assert_eq!(seen.records.len(), 200, "what is not handed over is not read");
        }
        let ends: BTreeSet<_> = seen.at_end.iter().map(|end| end.partition).collect();
        ends == BTreeSet::from([0, 1])
    });
    assert_eq!(positions.next_offset(&topic, 0), Some(200));
    assert_eq!(positions.next_offset(&topic, 1), Some(0), "it holds nothing, and is ours");
    // Whoever reads it next hands nothing over, and says the same of it.
    let id = unique("id");
    let metrics = Metrics::register(&mut Registry::default());
    let mut sink = TransactionSink::new(&kafka.connection, "end", &id, &source, metrics).unwrap();
    sink.deliver(Vec::new(), &positions).unwrap();
    drop((sink, source));
    let (mut source, mut seen) =
        (kafka.source("next", &group, &[&topic], StartAt::Committed), Seen::default());
    read_until(&mut source, &mut seen, |seen, _| seen.at_end.iter().any(|end| end.partition == 0));
    assert_eq!(seen.records, []);
}

/// Which of two partitions a key's records go to.
fn partition_of(kafka: &Kafka, writer: &LogWriter, key: &str) -> i32 {
    let topic = unique("logs.probe");
    kafka.topic(&topic, 2);
    writer.push(&topic, Some(key), b"probe", &[]).unwrap();
    writer.flush(Duration::from_secs(30)).unwrap();
    let (mut source, mut seen) =
        (kafka.source("probe", &unique("group"), &[&topic], StartAt::Committed), Seen::default());
    read_until(&mut source, &mut seen, |seen, _| !seen.records.is_empty());
    seen.records[0].0
}

#[test]
fn what_is_ahead_waits_for_a_backlog_and_goes_on_after_it() {
    let kafka = Kafka::start();
    let topic = unique("logs.backlog");
    kafka.topic(&topic, 2);
    fill(&kafka, &topic, 20_000);
    let mut seen = Seen { wait: BTreeSet::from([1]), ..Seen::default() };
    let mut source = kafka.source("backlog", &unique("group"), &[&topic], StartAt::Committed);
    let read_of = |seen: &Seen| {
        let ahead = seen.records.iter().filter(|(partition, ..)| *partition == 1).count();
        (seen.records.len() - ahead, ahead)
    };
    // Slow enough for statistics to come while there is a backlog.
    let mut waited = 0;
    read_until(&mut source, &mut seen, |seen, polled| {
        let (behind, ahead) = read_of(seen);
        waited = waited.max(behind.saturating_sub(ahead));
        std::thread::sleep(Duration::from_millis(if polled.records > 0 { 10 } else { 0 }));
        seen.records.len() == 20_000
    });
    assert!(waited > 3_000, "at most {waited} records of the one were read before the other's");
    let lines: BTreeSet<_> = seen.records.iter().map(|(.., line)| line).collect();
    assert_eq!(lines.len(), 20_000, "each once");
    let in_order = |of: i32| {
        let offsets: Vec<_> = seen.records.iter().filter(|(p, ..)| *p == of).map(|(_, at, _)| *at).collect();
        offsets.is_sorted()
    };
    assert!(in_order(0) && in_order(1));
}

#[test]
fn a_source_that_ends_before_it_heard_of_its_partitions_does_end() {
    let kafka = Kafka::start();
    let topic = unique("logs.brief");
    kafka.topic(&topic, 2);
    // Unread, what it is assigned waits for it; the moment at which that happens is not known.
    let brief = |moment: u64| {
        let source = kafka.source("brief", &unique("group"), &[&topic], StartAt::Committed);
        std::thread::sleep(Duration::from_millis(moment));
        drop(source);
    };
    let (ended, ends) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (ended, brief) = (ended.clone(), &brief);
            scope.spawn(move || {
                (0..ROUNDS).for_each(|round| {
                    brief((thread * 37 + round * 11) % 400);
                    ended.send(()).unwrap();
                })
            });
        }
        for round in 0..8 * ROUNDS {
            if ends.recv_timeout(Duration::from_secs(30)).is_err() {
                // The thread that hangs cannot be ended.
                eprintln!("a source hangs after {round} have ended");
                std::process::abort();
            }
        }
    });
}

const ROUNDS: u64 = 20;

#[test]
fn a_source_whose_broker_is_gone_says_so() {
    let kafka = Kafka::start();
    let Kafka { connection, _embedded: Some((broker, _dir)), runtime } = kafka else {
        eprintln!("skipped: a cluster that others use is not stopped");
        return;
    };
    let kafka = Kafka { connection, _embedded: None, runtime };
    let topic = unique("logs.gone");
    kafka.topic(&topic, 1);
    let (mut source, mut seen) =
        (kafka.source("gone", &unique("group"), &[&topic], StartAt::Committed), Seen::default());
    read_until(&mut source, &mut seen, |_, polled| polled.caught_up && polled.unreachable.is_none());
    kafka.runtime.block_on(broker.shutdown()).unwrap();
    read_until(&mut source, &mut seen, |_, polled| polled.unreachable.is_some());
}
