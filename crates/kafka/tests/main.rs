//! The source and the transaction, on the embedded broker or on the cluster that `KAFKA_BROKERS` names.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may")]

mod assigned;
mod delivering;
mod ends;
mod operator;
mod starts;
mod unsettled;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig};
use kafka::{Budget, Connection, KafkaSource, LogWriter, SourceOptions, topics};
use pipeline::{OutRecord, Polled, Reader, RecordView, Source, SourceError, StartAt, TopicPartition};

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

    /// The same with groups of KIP-848 beside the classic ones, where a broker has them.
    fn of_each_protocol() -> Vec<Self> {
        let (classic, mut new) = (Self::start(), Self::start());
        if new._embedded.is_some() {
            return vec![classic];
        }
        new.connection.properties.insert("group.protocol".to_owned(), "consumer".to_owned());
        vec![classic, new]
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
