//! Kill -9 at many moments, under producers, transactions and commits that go on through it.
//!
//! `KILL_POINTS` says how often; 200 is what a release is held against. `KILL_SEED` moves the
//! moments. A line on the error output says what came of it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;

use super::{Victim, Worker};
use crate::harness::{Kafka, PATIENCE, Producer, values};

const POINTS: usize = 20;
const PARTITIONS: i32 = 3;
/// Records that a producer may have under way, and that may wait for the worker.
const AHEAD_MAX: usize = 1000;

/// What goes on while the broker is killed.
struct Traffic<'a> {
    kafka: &'a Kafka,
    plain: String,
    source: String,
    target: String,
    marked: String,
    stop: AtomicBool,
    moved: AtomicUsize,
}

/// The values that were sent to each partition, in order.
type Sent = Vec<Vec<String>>;

/// What a producer knows of its transaction in the end.
#[derive(PartialEq)]
enum Fate {
    Committed,
    Aborted,
    /// The answer was lost with the producer.
    Unknown,
}

impl Traffic<'_> {
    fn is_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Numbered records to every partition, some compressed, and some for the worker.
    fn produce(&self) -> (Sent, usize) {
        let numbered = [("enable.idempotence", "true"), ("linger.ms", "1")];
        let producer = self.kafka.producer(&numbered);
        let compressing = self.kafka.producer(&[&numbered[..], &[("compression.type", "zstd")]].concat());
        let mut sent: Sent = vec![Vec::new(); PARTITIONS as usize];
        let mut to_move = 0;
        while self.is_on() {
            for partition in 0..PARTITIONS {
                let by = if partition == 0 { &compressing } else { &producer };
                let of_partition = &mut sent[partition as usize];
                let batch = values(&format!("p{partition}-{:06}-", of_partition.len()), 7);
                by.queue(&self.plain, partition, &batch);
                of_partition.extend(batch);
            }
            if to_move < self.moved.load(Ordering::Relaxed) + AHEAD_MAX {
                producer.queue(&self.source, 0, &values(&format!("in{to_move:06}-"), 5));
                to_move += 5;
            }
            let is_ahead = |by: &Producer| by.in_flight_count() as usize > AHEAD_MAX;
            while self.is_on() && (is_ahead(&producer) || is_ahead(&compressing)) {
                producer.poll(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(1)); // a steady stream, not one burst
        }
        let delivered = [producer.flushed(), compressing.flushed()].concat();
        assert_eq!(delivered.len(), sent.iter().map(Vec::len).sum::<usize>() + to_move);
        assert!(delivered.iter().all(Result::is_ok), "every record is acknowledged in the end");
        (sent, to_move)
    }

    /// One transaction after the other, from the source to the target.
    fn transact(&self) {
        let mut worker = Worker::start(self.kafka, &self.source, &self.target);
        while self.is_on() {
            self.moved.fetch_add(worker.work(self.kafka), Ordering::Relaxed);
        }
    }

    /// Transactions of a producer that reads nothing; one in four is aborted.
    fn mark(&self) -> Vec<(Vec<String>, Fate)> {
        let start = || self.kafka.transactional("marker", &[("linger.ms", "0")]);
        let mut producer = start();
        let mut transactions = Vec::new();
        while self.is_on() {
            let count = transactions.len();
            let batch = values(&format!("tx{count:05}-"), 6);
            producer.begin_transaction().unwrap();
            producer.queue(&self.marked, 0, &batch[..3]);
            producer.queue(&self.marked, 1, &batch[3..]);
            let fate = end(&producer, count % 4 != 0);
            if fate == Fate::Unknown {
                producer = start();
            }
            transactions.push((batch, fate));
        }
        transactions
    }

    /// Commits offsets, each higher than the last, and never finds less than was acknowledged.
    fn commit(&self) -> usize {
        let consumer = self.kafka.consumer("committer", &[]);
        let at = |offset| {
            let mut positions = TopicPartitionList::new();
            positions.add_partition_offset(&self.plain, 1, offset).unwrap();
            positions
        };
        let (mut asked, mut acknowledged, mut count) = (0, 0, 0);
        while self.is_on() {
            asked += 1;
            if consumer.commit(&at(Offset::Offset(asked)), CommitMode::Sync).is_ok() {
                acknowledged = asked;
                count += 1;
            }
            if let Ok(found) = consumer.committed_offsets(at(Offset::Invalid), Duration::from_secs(5)) {
                let found = found.elements()[0].offset().to_raw().unwrap_or(0).max(0);
                assert!((acknowledged..=asked).contains(&found), "{acknowledged} <= {found} <= {asked}");
            }
        }
        count
    }

    /// What was lost and what is there twice, of what was sent and transacted.
    fn count_losses(&self, sent: &Sent, to_move: usize) -> (usize, usize) {
        let plain: Vec<String> = sent.concat();
        let moved: Vec<String> =
            (0..to_move / 5).flat_map(|batch| values(&format!("out{:06}-", batch * 5), 5)).collect();
        let mut found = self.kafka.uncommitted(&self.plain);
        assert!(
            found == plain || found.len() != plain.len(),
            "records are not in the order of their sending"
        );
        found.extend(self.kafka.committed(&self.target));
        let there: BTreeSet<_> = found.iter().collect();
        let lost = plain.iter().chain(&moved).filter(|value| !there.contains(value)).count();
        (lost, found.len() - there.len())
    }
}

/// Commits or aborts, however often it takes.
fn end(producer: &Producer, commits: bool) -> Fate {
    loop {
        let ended = match commits {
            true => producer.commit_transaction(PATIENCE),
            false => producer.abort_transaction(PATIENCE),
        };
        match ended {
            Ok(()) if commits => return Fate::Committed,
            Ok(()) => return Fate::Aborted,
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
            Err(KafkaError::Transaction(error)) if commits && error.txn_requires_abort() => {
                return end(producer, false);
            }
            Err(_) => return Fate::Unknown,
        }
    }
}

/// How many of these values were lost and how many are doubled; a transaction is there as a whole,
/// or not at all.
fn count_torn(transactions: &[(Vec<String>, Fate)], found: &[String]) -> (usize, usize) {
    let there: BTreeSet<_> = found.iter().collect();
    let mut lost = 0;
    for (batch, fate) in transactions {
        let seen = batch.iter().filter(|value| there.contains(value)).count();
        match fate {
            Fate::Committed => lost += batch.len() - seen,
            Fate::Aborted => assert_eq!(seen, 0, "{batch:?} was aborted"),
            Fate::Unknown => assert!(seen == 0 || seen == batch.len(), "half of {batch:?} is there"),
        }
    }
    (lost, found.len() - there.len())
}

/// How long the broker lives this time: mostly not long enough to settle.
fn moment(seed: u64, point: usize) -> Duration {
    let mut mixed = (seed << 32 | point as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let longest = if mixed.is_multiple_of(4) { 1500 } else { 250 };
    Duration::from_millis(5 + (mixed >> 33) % longest)
}

#[test]
fn nothing_is_lost_or_doubled_at_many_points() {
    if std::env::var_os("KAFKA_BROKERS").is_some() {
        return eprintln!("skipped, needs a broker of its own: kill -9");
    }
    let told = |name| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let points = told("KILL_POINTS").unwrap_or(POINTS);
    let seed = told("KILL_SEED").unwrap_or(1) as u64;
    let dir = TempDir::new().unwrap();
    let victim = Victim::start(dir.path(), 0);
    let kafka = &Kafka::at(&victim.address);
    let rolling = [("segment.bytes", "100000")];
    let traffic = &Traffic {
        kafka,
        plain: kafka.topic_with(PARTITIONS, &rolling),
        source: kafka.topic(1),
        target: kafka.topic_with(2, &rolling),
        marked: kafka.topic_with(2, &rolling),
        stop: AtomicBool::new(false),
        moved: AtomicUsize::new(0),
    };
    let (sent, to_move, transactions, commits, victim) = std::thread::scope(|scope| {
        let mut victim = victim;
        let producing = scope.spawn(|| traffic.produce());
        let transacting = scope.spawn(|| traffic.transact());
        let marking = scope.spawn(|| traffic.mark());
        let committing = scope.spawn(|| traffic.commit());
        for point in 0..points {
            std::thread::sleep(moment(seed, point)); // the seed says when it dies
            let port = victim.kill();
            victim = Victim::start(dir.path(), port);
        }
        traffic.stop.store(true, Ordering::Relaxed);
        let (sent, to_move) = producing.join().unwrap();
        transacting.join().unwrap();
        (sent, to_move, marking.join().unwrap(), committing.join().unwrap(), victim)
    });
    let mut worker = Worker::start(kafka, &traffic.source, &traffic.target);
    let deadline = Instant::now() + 2 * PATIENCE;
    while worker.work(kafka) > 0 || kafka.committed(&traffic.target).len() < to_move {
        assert!(Instant::now() < deadline, "the worker is stuck");
    }
    let (mut lost, mut doubled) = traffic.count_losses(&sent, to_move);
    let torn = count_torn(&transactions, &kafka.committed(&traffic.marked));
    (lost, doubled) = (lost + torn.0, doubled + torn.1);
    // Written past the test's own output, which is shown of failed tests only.
    let records: usize = sent.iter().map(Vec::len).sum();
    writeln!(
        std::io::stderr(),
        "kill -9: {points} points, lost {lost}, doubled {doubled} (seed {seed}; {records} records, {to_move} moved in \
         transactions, {} transactions more, {commits} commits)",
        transactions.len()
    )
    .unwrap();
    assert_eq!((lost, doubled), (0, 0));
    victim.kill();
}
