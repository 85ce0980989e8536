//! The source and the transaction, on the embedded broker or on the cluster that `KAFKA_BROKERS` names.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may")]

mod operator;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig};
use kafka::{
    AtLeastOnceSink, Budget, Connection, KafkaSource, LogWriter, SourceOptions, TransactionSink, topics,
};
use pipeline::{
    Metrics, OutRecord, Polled, Reader, RecordView, Sink, Source, SourceError, StartAt, TopicPartition,
};
use prometheus_client::registry::Registry;

/// A broker of the test's own, or the cluster's address.
struct Kafka {
    connection: Connection,
    _embedded: Option<(Broker, tempfile::TempDir)>,
    runtime: tokio::runtime::Runtime,
}

impl Kafka {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        if let Ok(brokers) = std::env::var("KAFKA_BROKERS") {
            return Self { connection: Connection::new(brokers), _embedded: None, runtime };
        }
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(dir.path());
        config.listen = ([127, 0, 0, 1], 0).into();
        let broker = runtime.block_on(Broker::start(config)).unwrap();
        let connection = Connection::new(broker.local_addr().to_string());
        Self { connection, _embedded: Some((broker, dir)), runtime }
    }

    fn topic(&self, name: &str, partitions: i32) {
        let wanted = [topics::Wanted { name, partitions, config: &[("retention.ms", "3600000")] }];
        self.runtime.block_on(topics::ensure(&self.connection, &wanted)).unwrap();
    }

    fn source(&self, name: &'static str, group: &str, topics: &[&str], start_at: StartAt) -> KafkaSource {
        let options = SourceOptions {
            name,
            group: group.to_owned(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            start_at,
            budget: Budget {
                wait: Duration::from_millis(100),
                linger: Duration::from_millis(20),
                records_max: 50,
                bytes_max: 1 << 20,
            },
            discovery: Duration::from_millis(200),
            announce: true,
        };
        KafkaSource::subscribe(&self.connection, options, Box::new(|_| {})).unwrap()
    }
}

/// A name that no earlier run has used.
fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{name}-{:x}-{}", since.as_nanos(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[derive(Default)]
struct Seen {
    owned: Vec<TopicPartition>,
    announced: Vec<TopicPartition>,
    at_end: Vec<TopicPartition>,
    /// Of each topic these wait while another of its partitions has a backlog.
    wait: BTreeSet<i32>,
    records: Vec<(i32, i64, String)>,
}

impl Reader for Seen {
    fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<(), SourceError> {
        self.owned.extend_from_slice(partitions);
        Ok(())
    }
    fn announced(&mut self, partitions: &[TopicPartition]) {
        self.announced.extend_from_slice(partitions);
    }
    fn at_end(&mut self, partitions: &[TopicPartition]) {
        self.at_end.extend_from_slice(partitions);
    }
    fn ahead(&self, backlogged: &[TopicPartition]) -> Vec<TopicPartition> {
        let is_behind = backlogged.iter().any(|behind| !self.wait.contains(&behind.partition));
        let ahead = self.owned.iter().filter(|owned| is_behind && self.wait.contains(&owned.partition));
        ahead.cloned().collect()
    }
    fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.owned.retain(|owned| !partitions.contains(owned));
    }
    fn record(&mut self, record: RecordView<'_>) {
        let owned = self
            .owned
            .iter()
            .any(|owned| owned.topic == *record.topic && owned.partition == record.partition);
        assert!(owned, "a record of a partition that is not ours");
        self.records.push((
            record.partition,
            record.offset,
            String::from_utf8_lossy(record.payload).into_owned(),
        ));
    }
}

fn read_until(source: &mut KafkaSource, seen: &mut Seen, mut enough: impl FnMut(&Seen, &Polled) -> bool) {
    let began = Instant::now();
    loop {
        let polled = source.next_batch(seen).unwrap();
        if enough(seen, &polled) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "gave up after {} records", seen.records.len());
    }
}

fn fill(kafka: &Kafka, topic: &str, lines: usize) {
    let writer = LogWriter::new(&kafka.connection, "test").unwrap();
    for n in 0..lines {
        writer.push(topic, Some(&n.to_string()), format!("line {n}").as_bytes(), &[]).unwrap();
    }
    assert_eq!(writer.flush(Duration::from_secs(30)).unwrap(), lines as u64);
}

fn out(topic: &Arc<str>, seen: &mut Seen) -> Vec<OutRecord> {
    seen.records
        .drain(..)
        .map(|(_, _, line)| OutRecord {
            topic: Arc::clone(topic),
            partition: None,
            key: None,
            payload: line.into_bytes(),
        })
        .collect()
}

#[test]
fn a_stage_that_dies_between_reading_and_committing_leaves_every_record_exactly_once() {
    let kafka = Kafka::start();
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
fn an_owner_that_keeps_its_own_offsets_says_where_to_begin() {
    let kafka = Kafka::start();
    let topic = unique("logs.own");
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 20);
    let owner = StartAt::Owner(Arc::new(|_, committed| {
        assert_eq!(committed, None, "nobody has committed in this group");
        Ok(Some(15))
    }));
    let (mut source, mut seen) = (kafka.source("own", &unique("group"), &[&topic], owner), Seen::default());
    read_until(&mut source, &mut seen, |_, polled| polled.caught_up);
    let offsets: Vec<i64> = seen.records.iter().map(|(_, offset, _)| *offset).collect();
    assert_eq!(offsets, [15, 16, 17, 18, 19]);
}

#[test]
fn an_owner_that_has_read_further_than_the_log_goes_is_told_that_the_log_is_another() {
    let kafka = Kafka::start();
    let topic = unique("logs.anew");
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 3);
    let owner = StartAt::Owner(Arc::new(|_, _| Ok(Some(5_000))));
    let (mut source, mut seen) = (kafka.source("anew", &unique("group"), &[&topic], owner), Seen::default());
    let began = Instant::now();
    let error = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody noticed");
        if let Err(error) = source.next_batch(&mut seen) {
            break error;
        }
    };
    assert!(matches!(&error, SourceError::Misconfigured(why) if why.contains("kafka.prefix")), "{error}");
    assert!(seen.records.is_empty());
}

#[test]
fn reading_again_to_rebuild_state_does_not_move_the_committed_offset_back() {
    let kafka = Kafka::start();
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

#[test]
fn a_member_is_told_of_every_partition_before_it_reads_its_own() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.all"), unique("group"));
    kafka.topic(&topic, 4);
    fill(&kafka, &topic, 40);
    let told = |seen: &Seen| {
        let of_topic = seen.announced.iter().filter(|partition| *partition.topic == *topic);
        of_topic.map(|partition| partition.partition).collect::<BTreeSet<_>>()
    };
    let (mut first, mut seen) =
        (kafka.source("first", &group, &[&topic], StartAt::Committed), Seen::default());
    read_until(&mut first, &mut seen, |seen, _| !seen.records.is_empty());
    assert_eq!(told(&seen), BTreeSet::from([0, 1, 2, 3]));
    // The second gets two of them, and hears of all.
    let (mut second, mut others) =
        (kafka.source("second", &group, &[&topic], StartAt::Committed), Seen::default());
    read_until(&mut second, &mut others, |others, _| {
        first.next_batch(&mut seen).unwrap();
        !others.records.is_empty()
    });
    assert_eq!(told(&others), BTreeSet::from([0, 1, 2, 3]));
    let own: BTreeSet<i32> = others.records.iter().map(|(partition, ..)| *partition).collect();
    assert!(own.len() < 4, "{own:?}");
}

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

#[test]
fn a_topic_that_appears_later_is_noticed_by_its_pattern() {
    let kafka = Kafka::start();
    let prefix = unique("late");
    let pattern = format!("^{prefix}\\.[a-z]+$");
    let (mut source, mut seen) =
        (kafka.source("late", &unique("group"), &[&pattern], StartAt::Committed), Seen::default());
    source.next_batch(&mut seen).unwrap();
    let topic = format!("{prefix}.new");
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 3);
    read_until(&mut source, &mut seen, |seen, _| seen.records.len() == 3);
}

#[test]
fn two_members_share_the_partitions_and_the_rest_comes_back_when_one_leaves() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.share"), unique("group"));
    kafka.topic(&topic, 4);
    let (mut one, mut seen_one) =
        (kafka.source("one", &group, &[&topic], StartAt::Committed), Seen::default());
    read_until(&mut one, &mut seen_one, |seen, _| seen.owned.len() == 4);
    let (mut two, mut seen_two) =
        (kafka.source("two", &group, &[&topic], StartAt::Committed), Seen::default());
    let began = Instant::now();
    while seen_one.owned.len() != 2 || seen_two.owned.len() != 2 {
        one.next_batch(&mut seen_one).unwrap();
        two.next_batch(&mut seen_two).unwrap();
        assert!(began.elapsed() < Duration::from_secs(60), "{:?} {:?}", seen_one.owned, seen_two.owned);
    }
    fill(&kafka, &topic, 400);
    let began = Instant::now();
    while seen_one.records.len() + seen_two.records.len() < 400 {
        one.next_batch(&mut seen_one).unwrap();
        two.next_batch(&mut seen_two).unwrap();
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    drop(two);
    read_until(&mut one, &mut seen_one, |seen, _| seen.owned.len() == 4);
}
