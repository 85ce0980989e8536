//! A broker to test, and short words for what clients do with it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, BrokerMetrics};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) use self::deliveries::Producer;

pub(crate) mod batch;
mod deliveries;
pub(crate) mod raw;

/// Longer than anything here should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster to test against: our own broker, or whatever `KAFKA_BROKERS` names.
pub(crate) struct Kafka {
    pub(crate) bootstrap: String,
    /// How every client introduces itself, unless it is told otherwise.
    settings: Vec<(String, String)>,
    runtime: Runtime,
    own: Option<Own>,
}

struct Own {
    broker: Option<Broker>,
    dir: TempDir,
    config: BrokerConfig,
}

impl Kafka {
    /// Any cluster will do.
    pub(crate) fn start() -> Self {
        match std::env::var("KAFKA_BROKERS") {
            Ok(bootstrap) => Self::at(&bootstrap),
            Err(_) => Self::start_own(|_| {}),
        }
    }

    /// The broker at this address, which someone else started.
    pub(crate) fn at(address: &str) -> Self {
        Self { bootstrap: address.to_owned(), settings: Vec::new(), runtime: runtime(), own: None }
    }

    /// It must be our own broker, with these settings; otherwise the case is skipped.
    pub(crate) fn own(case: &str, change: impl FnOnce(&mut BrokerConfig)) -> Option<Self> {
        if std::env::var_os("KAFKA_BROKERS").is_some() {
            eprintln!("skipped, needs a broker of its own: {case}");
            return None;
        }
        Some(Self::start_own(change))
    }

    /// Our own broker, with its data below this directory.
    pub(crate) fn own_in(parent: &std::path::Path) -> Self {
        Self::start_in(TempDir::new_in(parent).unwrap(), |_| {})
    }

    fn start_own(change: impl FnOnce(&mut BrokerConfig)) -> Self {
        Self::start_in(TempDir::new().unwrap(), change)
    }

    fn start_in(dir: TempDir, change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let mut config = BrokerConfig::new(dir.path());
        config.listen.set_port(0);
        change(&mut config);
        let runtime = runtime();
        let broker = runtime.block_on(Broker::start(config.clone())).unwrap();
        config.listen = broker.local_addr();
        let bootstrap = broker.local_addr().to_string();
        let own = Some(Own { broker: Some(broker), dir, config });
        Self { bootstrap, settings: Vec::new(), runtime, own }
    }

    /// Clients have these settings from now on.
    pub(crate) fn clients_have(&mut self, settings: &[(&str, &str)]) {
        self.settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    }

    /// How the test's process reaches its broker.
    pub(crate) fn own_access(&self) -> broker::OwnAccess {
        self.own.as_ref().unwrap().broker.as_ref().unwrap().own_access().unwrap().clone()
    }

    /// Stops our broker cleanly.
    pub(crate) fn stop(&mut self) {
        let broker = self.own.as_mut().unwrap().broker.take().unwrap();
        self.runtime.block_on(broker.shutdown()).unwrap();
    }

    /// Starts it again on the same data and port.
    pub(crate) fn start_again(&mut self) {
        let own = self.own.as_mut().unwrap();
        own.broker = Some(self.runtime.block_on(Broker::start(own.config.clone())).unwrap());
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.own.as_ref().unwrap().dir.path()
    }

    pub(crate) fn metrics(&self) -> BrokerMetrics {
        self.own.as_ref().unwrap().broker.as_ref().unwrap().metrics()
    }

    /// Waits for something asynchronous.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Whether it is our own broker.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// A client's settings, with as little as possible besides the given ones.
    pub(crate) fn config(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("reconnect.backoff.max.ms", "200");
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config(&[]).create().unwrap()
    }

    /// A new topic, with a name that no other has.
    pub(crate) fn topic(&self, partitions: i32) -> String {
        self.topic_with(partitions, &[])
    }

    pub(crate) fn topic_with(&self, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = fresh_name("topic");
        let mut new = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let created = self.wait(self.admin().create_topics(&[new], &AdminOptions::new())).unwrap();
        assert_eq!(created, [Ok(name.clone())]);
        name
    }

    pub(crate) fn producer(&self, settings: &[(&str, &str)]) -> Producer {
        Producer::new(&self.config(settings))
    }

    /// A producer that has taken over the transactional id.
    pub(crate) fn transactional(&self, id: &str, settings: &[(&str, &str)]) -> Producer {
        let mut all = vec![("transactional.id", id)];
        all.extend_from_slice(settings);
        let producer = self.producer(&all);
        producer.init_transactions(PATIENCE).unwrap();
        producer
    }

    pub(crate) fn consumer(&self, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.config(&[
            ("group.id", group),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "200"),
            ("fetch.wait.max.ms", "100"),
        ]);
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config.create().unwrap()
    }

    /// Every value of a topic, partition after partition, as `read_committed` sees it.
    pub(crate) fn committed(&self, topic: &str) -> Vec<String> {
        self.read(topic, "read_committed")
    }

    /// Every value of a topic, partition after partition, aborted or not.
    pub(crate) fn uncommitted(&self, topic: &str) -> Vec<String> {
        self.read(topic, "read_uncommitted")
    }

    fn read(&self, topic: &str, isolation: &str) -> Vec<String> {
        let consumer = self.consumer(&fresh_name("reader"), &[("isolation.level", isolation)]);
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let mut values = Vec::new();
        for partition in metadata.topics()[0].partitions() {
            let mut assignment = TopicPartitionList::new();
            assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
            consumer.assign(&assignment).unwrap();
            values.extend(until_end(&consumer).iter().map(|seen| seen.value.clone()));
        }
        values
    }
}

/// A record as a test looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) value: String,
}

impl Seen {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            value: String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned(),
        }
    }
}

/// Waits for the next event of a consumer: a record, or the end of a partition.
pub(crate) fn next(consumer: &BaseConsumer) -> KafkaResult<Seen> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => return Ok(Seen::of(&message)),
            // Told once more after a restart; librdkafka goes on by itself.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            ))) => {}
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    panic!("nothing came for {PATIENCE:?}");
}

/// The next records, however many ends of partitions lie between.
pub(crate) fn take(consumer: &BaseConsumer, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    while seen.len() < count {
        match next(consumer) {
            Ok(record) => seen.push(record),
            Err(KafkaError::PartitionEOF(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

/// The values of the next records, sorted.
pub(crate) fn take_values(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let mut values: Vec<_> = take(consumer, count).into_iter().map(|seen| seen.value).collect();
    values.sort_unstable();
    values
}

/// All records up to the end of the one partition that is assigned.
pub(crate) fn until_end(consumer: &BaseConsumer) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        match next(consumer) {
            Ok(record) => seen.push(record),
            Err(KafkaError::PartitionEOF(_)) => return seen,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Polls every consumer in turn until `done`; group members need that to follow a rebalance.
pub(crate) fn poll_until(consumers: &[&BaseConsumer], mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "it did not come to that within {PATIENCE:?}");
        for consumer in consumers {
            drop(consumer.poll(Duration::from_millis(20)));
        }
    }
}

/// The partitions that a member has been assigned.
pub(crate) fn assigned(consumer: &BaseConsumer) -> usize {
    consumer.assignment().unwrap().count()
}

/// `prefix0` up to `prefix(count-1)`.
pub(crate) fn values(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index:04}")).collect()
}

pub(crate) fn record<'a>(topic: &'a str, partition: i32, value: &'a str) -> BaseRecord<'a, str, str> {
    BaseRecord::to(topic).partition(partition).payload(value)
}

/// A name that nothing else in this run, or another, has.
pub(crate) fn fresh_name(kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    format!("{kind}-{}-{nanos}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
