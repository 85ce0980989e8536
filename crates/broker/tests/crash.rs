//! Kill -9 at any moment: what was acknowledged is there, once.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::harness::{Kafka, PATIENCE, Producer, values};

mod points;

/// Tells the child which directory and port to serve.
const CHILD: &str = "BROKER_TEST_CHILD";

/// Not a case of its own: the process that [`Victim`] starts and kills.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let (port, dir) = told.split_once(' ').unwrap();
    let mut config = BrokerConfig::new(dir);
    config.listen.set_port(port.parse().unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let broker = Broker::start(config).await.unwrap();
        println!("\nlistening on {}", broker.local_addr());
        std::future::pending::<()>().await;
    });
}

/// A broker in a process of its own.
struct Victim {
    process: Child,
    address: String,
    /// Held, because a test that runs for a minute says so there, and dies if nobody can hear it.
    _stdout: BufReader<ChildStdout>,
}

impl Victim {
    fn start(dir: &Path, port: u16) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(CHILD, format!("{port} {}", dir.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let told = |line: Result<String, _>| Some(line.unwrap().strip_prefix("listening on ")?.to_owned());
        let address = stdout.by_ref().lines().find_map(told).unwrap();
        Self { process, address, _stdout: stdout }
    }

    fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    fn kill(mut self) -> u16 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.port()
    }
}

/// Kills and restarts a broker several times while `work` goes on in this thread.
fn through_crashes(dir: &Path, first: Victim, crashes: usize, mut work: impl FnMut()) -> Victim {
    let mut victim = first;
    for crash in 0..crashes {
        let until = Instant::now() + Duration::from_millis(150 + 70 * crash as u64);
        while Instant::now() < until {
            work();
        }
        let port = victim.kill();
        victim = Victim::start(dir, port);
    }
    victim
}

#[test]
fn acknowledged_records_survive_in_order_and_once() {
    if std::env::var_os("KAFKA_BROKERS").is_some() {
        return eprintln!("skipped, needs a broker of its own: kill -9");
    }
    let dir = TempDir::new().unwrap();
    let victim = Victim::start(dir.path(), 0);
    let kafka = Kafka::at(&victim.address);
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[("enable.idempotence", "true"), ("linger.ms", "1")]);
    let mut sent = Vec::new();
    let victim = through_crashes(dir.path(), victim, 6, || {
        let batch = values(&format!("{:06}-", sent.len()), 20);
        producer.queue(&topic, 0, &batch);
        sent.extend(batch);
        std::thread::sleep(Duration::from_millis(1)); // a steady stream, not one burst
    });
    let delivered = producer.flushed();
    assert_eq!(delivered.len(), sent.len());
    assert!(delivered.iter().all(Result::is_ok));
    assert_eq!(kafka.committed(&topic), sent);
    victim.kill();
}

#[test]
fn consume_transform_produce_is_exactly_once_through_crashes() {
    if std::env::var_os("KAFKA_BROKERS").is_some() {
        return eprintln!("skipped, needs a broker of its own: kill -9");
    }
    let dir = TempDir::new().unwrap();
    let victim = Victim::start(dir.path(), 0);
    let kafka = Kafka::at(&victim.address);
    let (source, target) = (kafka.topic(1), kafka.topic(2));
    kafka.producer(&[]).send(&source, 0, &values("in", 2000));
    let mut worker = Worker::start(&kafka, &source, &target);
    let victim = through_crashes(dir.path(), victim, 6, || {
        worker.work(&kafka);
    });
    let deadline = Instant::now() + 2 * PATIENCE;
    while kafka.committed(&target).len() < 2000 {
        assert!(Instant::now() < deadline, "stuck at {}", kafka.committed(&target).len());
        worker.work(&kafka);
    }
    let mut moved = kafka.committed(&target);
    moved.sort_unstable();
    assert_eq!(moved, values("out", 2000));
    victim.kill();
}

/// Moves records from one topic to another, some per transaction.
struct Worker {
    source: String,
    target: String,
    consumer: BaseConsumer,
    producer: Producer,
    round: i32,
}

impl Worker {
    fn start(kafka: &Kafka, source: &str, target: &str) -> Self {
        let consumer = kafka.consumer("workers", &[("isolation.level", "read_committed")]);
        consumer.subscribe(&[source]).unwrap();
        let producer = kafka.transactional("worker", &[("linger.ms", "0")]);
        Self { source: source.into(), target: target.into(), consumer, producer, round: 0 }
    }

    /// One transaction; returns how many records it moved. After any error it is thrown away, and a
    /// new worker takes over.
    fn work(&mut self, kafka: &Kafka) -> usize {
        self.transact().unwrap_or_else(|error| {
            eprintln!("worker starts again: {error}");
            *self = Self::start(kafka, &self.source, &self.target);
            0
        })
    }

    fn transact(&mut self) -> KafkaResult<usize> {
        let mut batch = Vec::new();
        let mut next = 0;
        while batch.len() < 25 {
            match self.consumer.poll(Duration::from_millis(20)) {
                Some(Ok(message)) => {
                    use rdkafka::Message;
                    next = message.offset() + 1;
                    batch.push(String::from_utf8_lossy(message.payload().unwrap()).replace("in", "out"));
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => break,
                Some(Err(_)) => {} // lost connections come back by themselves
            }
        }
        if batch.is_empty() {
            return Ok(0);
        }
        self.round += 1;
        self.producer.begin_transaction()?;
        self.producer.queue(&self.target, self.round % 2, &batch);
        let mut positions = TopicPartitionList::new();
        positions.add_partition_offset(&self.source, 0, Offset::Offset(next))?;
        let metadata = self.consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        self.producer.send_offsets_to_transaction(&positions, &metadata, PATIENCE)?;
        self.producer.commit_transaction(PATIENCE)?;
        Ok(batch.len())
    }
}
