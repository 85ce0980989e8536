//! Puts load on any Kafka and says in JSON how it went; `cargo xtask bench broker` runs it.
//!
//! `load produce ADDRESS TOPIC RECORDS`: acknowledged by all, idempotent, lz4, as fast as it goes.
//! `load consume ADDRESS TOPIC RECORDS`: from the beginning, as fast as it goes.
//! `load latency ADDRESS TOPIC RATE SECONDS`: from the moment that a record was due to be sent to the
//! moment that a consumer has it, so that a pause counts for every record that it held up.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const RECORD_BYTES: usize = 300;
const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(120);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = match words[..] {
        ["produce", address, topic, records] => produce(address, topic, records.parse()?)?,
        ["consume", address, topic, records] => consume(address, topic, records.parse()?)?,
        ["latency", address, topic, rate, seconds] => {
            latency(address, topic, rate.parse()?, seconds.parse()?)?
        }
        _ => {
            return Err(
                "load produce|consume ADDRESS TOPIC RECORDS, or load latency ADDRESS TOPIC RATE SECONDS"
                    .into(),
            );
        }
    };
    println!("{report}");
    Ok(())
}

fn client(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("broker.address.family", "v4");
    config
}

fn producer(address: &str, linger_ms: &str) -> Outcome<ThreadedProducer<DefaultProducerContext>> {
    Ok(client(address)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", linger_ms)
        .set("queue.buffering.max.kbytes", "65536")
        .create()?)
}

fn produce(address: &str, topic: &str, records: u64) -> Outcome<serde_json::Value> {
    make(address, topic)?;
    let producer = producer(address, "5")?;
    let mut lines = Lines::new();
    let began = Instant::now();
    for sent in 0..records {
        let line = lines.next(sent);
        let mut record =
            BaseRecord::<(), [u8]>::to(topic).payload(line).partition((sent / 64) as i32 % PARTITIONS);
        while let Err((error, again)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(1));
            record = again;
        }
    }
    producer.flush(PATIENCE)?;
    let seconds = began.elapsed().as_secs_f64();
    let stored: i64 = ends(address, topic)?.iter().sum();
    if stored != i64::try_from(records)? {
        return Err(format!("{records} records were sent and {stored} are there").into());
    }
    Ok(serde_json::json!({"records": records, "seconds": seconds}))
}

fn consume(address: &str, topic: &str, records: u64) -> Outcome<serde_json::Value> {
    let consumer = reader(address, topic, Offset::Beginning)?;
    let began = Instant::now();
    let mut bytes = 0;
    for seen in 0..records {
        let message =
            poll(&consumer, PATIENCE)?.ok_or_else(|| format!("nothing came after {seen} records"))?;
        bytes += message;
    }
    let seconds = began.elapsed().as_secs_f64();
    if bytes != records as usize * RECORD_BYTES {
        return Err(format!("{bytes} bytes are not {records} records").into());
    }
    Ok(serde_json::json!({"records": records, "seconds": seconds}))
}

/// Bytes of the next record's payload, if one comes in time.
fn poll(consumer: &BaseConsumer, patience: Duration) -> Outcome<Option<usize>> {
    match consumer.poll(patience) {
        Some(message) => Ok(Some(message?.payload().map_or(0, <[u8]>::len))),
        None => Ok(None),
    }
}

fn latency(address: &str, topic: &str, rate: u64, seconds: u64) -> Outcome<serde_json::Value> {
    make(address, topic)?;
    let (producer, consumer) = (producer(address, "0")?, reader(address, topic, Offset::End)?);
    // The first records find connections and positions; they do not count.
    let (warm_up, counted) = (rate, rate * seconds);
    let due = move |sent: u64| Duration::from_nanos(sent * 1_000_000_000 / rate);
    let began = Instant::now() + Duration::from_millis(500);
    let mut took = std::thread::scope(|scope| {
        let sending = scope.spawn(move || send_on_time(&producer, topic, began, warm_up + counted, due));
        let took = receive(&consumer, began, warm_up + counted, due);
        sending.join().expect("sending does not panic")?;
        took
    })?;
    let mut took = took.split_off(usize::try_from(warm_up)?);
    took.sort_unstable();
    let quantile = |q: f64| took[((took.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    Ok(serde_json::json!({
        "records": counted, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99), "p999_ms": quantile(0.999),
    }))
}

fn send_on_time(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    began: Instant,
    records: u64,
    due: impl Fn(u64) -> Duration,
) -> Result<(), KafkaError> {
    let mut lines = Lines::new();
    for sent in 0..records {
        wait_until(began + due(sent));
        let record =
            BaseRecord::<(), [u8]>::to(topic).payload(lines.next(sent)).partition(sent as i32 % PARTITIONS);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)
}

/// How long each record took, in the order of their sending.
fn receive(
    consumer: &BaseConsumer,
    began: Instant,
    records: u64,
    due: impl Fn(u64) -> Duration,
) -> Result<Vec<Duration>, KafkaError> {
    let mut took = vec![None; records as usize];
    let mut missing = records;
    while missing > 0 {
        let Some(message) = consumer.poll(PATIENCE) else { return Err(KafkaError::NoMessageReceived) };
        let message = message?;
        let number = message
            .payload()
            .and_then(|line| line.first_chunk::<8>())
            .map_or(0, |it| u64::from_be_bytes(*it));
        let slot = &mut took[number as usize];
        missing -= u64::from(slot.is_none());
        *slot = Some(began.elapsed().saturating_sub(due(number)));
    }
    Ok(took.into_iter().flatten().collect())
}

#[expect(clippy::disallowed_methods, reason = "a fixed rate has nothing to wait for but time")]
fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

fn make(address: &str, topic: &str) -> Outcome<()> {
    let admin: AdminClient<DefaultClientContext> = client(address).create()?;
    let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for made in runtime.block_on(admin.create_topics(&[new], &AdminOptions::new()))? {
        made.map_err(|(topic, code)| format!("make topic {topic}: {code}"))?;
    }
    // Known to a cluster is not yet led by one of its brokers.
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = ends(address, topic) {
        if Instant::now() > deadline {
            return Err(error);
        }
    }
    Ok(())
}

fn ends(address: &str, topic: &str) -> Outcome<Vec<i64>> {
    let consumer: BaseConsumer = client(address).create()?;
    let end = |partition| Ok(consumer.fetch_watermarks(topic, partition, PATIENCE)?.1);
    (0..PARTITIONS).map(end).collect()
}

fn reader(address: &str, topic: &str, from: Offset) -> Outcome<BaseConsumer> {
    let consumer: BaseConsumer = client(address)
        .set("group.id", "load")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "32768")
        // Else a client whose queue is full waits a second before it asks again, however fast it empties.
        .set("fetch.queue.backoff.ms", "1")
        .create()?;
    let mut list = TopicPartitionList::new();
    for (partition, end) in (0..).zip(ends(address, topic)?) {
        let from = if from == Offset::End { Offset::Offset(end) } else { from };
        list.add_partition_offset(topic, partition, from)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Lines like a web server's: much in them repeats, and much does not.
struct Lines {
    line: Vec<u8>,
    state: u64,
}

impl Lines {
    fn new() -> Self {
        Self { line: Vec::with_capacity(2 * RECORD_BYTES), state: 0x9e37_79b9_7f4a_7c15 }
    }

    fn draw(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A line of the size of all; its number is in its first eight bytes.
    fn next(&mut self, number: u64) -> &[u8] {
        use std::io::Write;
        let (a, b, c, d) = (self.draw(), self.draw(), self.draw(), self.draw());
        self.line.clear();
        self.line.extend_from_slice(&number.to_be_bytes());
        let written = write!(
            self.line,
            "{{\"time\":\"2026-03-14T09:26:{:02}.{:03}Z\",\"src_ip\":\"203.0.{}.{}\",\"method\":\"GET\",\"path\":\"/v1/orders/{:x}\",\
             \"status\":{},\"bytes\":{},\"user_agent\":\"partner-sync/4.{} (+https://partner.example/bot)\",\"request_id\":\"{:016x}\",\
             \"token\":\"{:016x}\",\"duration_ms\":{}}}",
            a % 60,
            b % 1000,
            a % 32,
            b % 256,
            c % 100_000,
            [200, 200, 200, 404][(d % 4) as usize],
            c % 60_000,
            a % 9,
            c,
            d,
            b % 900
        );
        written.expect("a Vec takes every write");
        self.line.resize(RECORD_BYTES, b' ');
        &self.line
    }
}
