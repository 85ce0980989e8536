//! Reading in a consumer group: by pattern, cooperative-sticky, only what is committed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::{EventTime, Positions};
use pipeline::{Polled, Reader, RecordView, Source, SourceError, StartAt, TopicPartition};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};

use crate::Connection;
use crate::context::{AssignmentChange, Context};

mod ends;
mod gather;
mod waiting;

use self::ends::EndWatch;
use self::gather::gather;
use self::waiting::Waiting;

/// How much one batch may hold and how long it may take to gather.
#[derive(Clone, Debug)]
pub struct Budget {
    /// How long to wait for the first record.
    pub wait: Duration,
    /// How long after the last batch to go on gathering. A record that comes later than that is
    /// handed over at once, with what else is there.
    pub linger: Duration,
    /// Most records.
    pub records_max: usize,
    /// Most bytes of payload, and for each line some more; the record that passes it is the last.
    pub bytes_max: usize,
}

/// What to read, as whom, from where.
pub struct SourceOptions {
    /// For logs and the client id.
    pub name: &'static str,
    /// Consumer group.
    pub group: String,
    /// Topic names, or patterns that begin with `^`.
    pub topics: Vec<String>,
    /// Where a new partition begins.
    pub start_at: StartAt,
    /// Batch limits.
    pub budget: Budget,
    /// How soon new topics are noticed.
    pub discovery: Duration,
    /// Whether the reader is told of every partition that its group reads, and of those of its own
    /// that are read to their end.
    pub announce: bool,
}

/// So many records since the last statistics do not make a source busy: ticks come all the time.
const A_HANDFUL: u64 = 16;

/// Statistics come every second; in the first ones a client may not be connected yet.
const FIRST_CONNECT: u64 = 2;

/// A source over a consumer group.
pub struct KafkaSource {
    consumer: Arc<BaseConsumer<Context>>,
    budget: Budget,
    topics: HashMap<String, Arc<str>>,
    owned: HashSet<TopicPartition>,
    ends: Option<EndWatch>,
    waiting: Waiting,
    /// Partitions that are read again from before their group's committed offset, up to it.
    again: HashMap<TopicPartition, i64>,
    lag: Box<dyn Fn(i64) + Send>,
    read_since_lag: u64,
    lag_generation: u64,
    last_batch: Instant,
}

impl KafkaSource {
    /// Subscribes. `lag` is told how many records are still unread, about once a second.
    pub fn subscribe(
        connection: &Connection,
        options: SourceOptions,
        lag: Box<dyn Fn(i64) + Send>,
    ) -> Result<Self, SourceError> {
        let discovery_ms = options.discovery.as_millis().max(100).to_string();
        let mut client = connection.client(options.name);
        if !connection.has_new_groups() {
            client
                .set("partition.assignment.strategy", "cooperative-sticky")
                // The shortest that brokers take by default: so long is a partition without an owner after a kill.
                .set("session.timeout.ms", "6000")
                .set("heartbeat.interval.ms", "1500");
        }
        let consumer: BaseConsumer<Context> = client
            .set("group.id", &options.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Where to begin is said with each assignment. A log that does not hold it is found out by
            // the next one.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("topic.metadata.refresh.interval.ms", &discovery_ms)
            .set("metadata.max.age.ms", (options.discovery.as_millis() * 3).max(1_000).to_string())
            .set("statistics.interval.ms", "1000")
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "500")
            .set("fetch.error.backoff.ms", "50")
            .set("queued.max.messages.kbytes", "32768")
            .set("fetch.message.max.bytes", "4194304")
            .create_with_context(Context::new(options.name, options.start_at, options.announce))
            .map_err(|error| SourceError::Misconfigured(format!("create consumer: {error}")))?;
        let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|error| SourceError::Misconfigured(format!("subscribe to {topics:?}: {error}")))?;
        Ok(Self {
            consumer: Arc::new(consumer),
            budget: options.budget,
            topics: HashMap::new(),
            owned: HashSet::new(),
            ends: options.announce.then(EndWatch::new),
            waiting: Waiting::default(),
            again: HashMap::new(),
            lag,
            read_since_lag: 0,
            lag_generation: 0,
            last_batch: Instant::now(),
        })
    }

    /// The consumer, for the transaction that commits its positions.
    pub(crate) fn consumer(&self) -> Arc<BaseConsumer<Context>> {
        Arc::clone(&self.consumer)
    }

    fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(topic) = self.topics.get(name) {
            return Arc::clone(topic);
        }
        let topic: Arc<str> = name.into();
        self.topics.insert(name.to_owned(), Arc::clone(&topic));
        topic
    }

    /// Passes changes on to the stage; answers which partitions were lost on the way.
    fn take_over(
        &mut self,
        changes: Vec<AssignmentChange>,
        reader: &mut dyn Reader,
    ) -> Result<HashSet<TopicPartition>, SourceError> {
        let mut lost = HashSet::new();
        for change in changes {
            match change {
                AssignmentChange::Assigned(partitions) => {
                    reader.assigned(&partitions)?;
                    if let Some(ends) = &mut self.ends {
                        ends.assigned(&partitions, self.consumer.context().lag.read().generation);
                    }
                    for partition in &partitions {
                        if let Some(committed) = self.consumer.context().take_committed(partition) {
                            self.again.insert(partition.clone(), committed);
                        }
                    }
                    self.owned.extend(partitions);
                }
                AssignmentChange::Announced(partitions) => reader.announced(&partitions),
                AssignmentChange::Revoked(partitions) => {
                    partitions.iter().for_each(|partition| {
                        self.owned.remove(partition);
                        self.again.remove(partition);
                    });
                    if let Some(ends) = &mut self.ends {
                        ends.revoked(&partitions);
                    }
                    self.waiting.revoked(&partitions);
                    reader.revoked(&partitions);
                    lost.extend(partitions);
                }
                AssignmentChange::Failed(why) => return Err(SourceError::Interrupted(why)),
                AssignmentChange::Misconfigured(why) => return Err(SourceError::Misconfigured(why)),
            }
        }
        Ok(lost)
    }

    /// Whether the group has not committed this record yet. What is read again to rebuild state
    /// must not move the committed offset back.
    fn is_new(&mut self, topic: &Arc<str>, partition: i32, offset: i64) -> bool {
        if self.again.is_empty() {
            return true;
        }
        let partition = TopicPartition { topic: Arc::clone(topic), partition };
        match self.again.get(&partition) {
            Some(&committed) if offset < committed => false,
            Some(_) => {
                self.again.remove(&partition);
                true
            }
            None => true,
        }
    }

    /// Tells the reader of partitions that are read to their end, and commits that end with what comes
    /// of this batch: an instance that is no longer the owner is found out by it.
    fn tell_of_ends(&mut self, reader: &mut dyn Reader, positions: &mut Positions) {
        let Some(ends) = &mut self.ends else { return };
        ends.read(positions);
        let reached = ends.reached(&self.consumer);
        for (of, end) in &reached {
            positions.read(&of.topic, of.partition, end - 1);
        }
        let reached: Vec<_> = reached.into_iter().map(|(of, _)| of).collect();
        if !reached.is_empty() {
            reader.at_end(&reached);
        }
    }

    fn caught_up(&mut self, records: usize) -> bool {
        let lag = self.consumer.context().lag.read();
        if lag.generation != self.lag_generation {
            self.lag_generation = lag.generation;
            self.read_since_lag = 0;
            (self.lag)(lag.records);
        }
        self.read_since_lag += records as u64;
        lag.at_end && self.read_since_lag <= A_HANDFUL && !self.owned.is_empty()
    }

    /// Why nothing comes, once statistics have come without a connected broker.
    fn unreachable(&self, records: usize) -> Option<String> {
        let lag = self.consumer.context().lag.read();
        let away = records == 0 && lag.generation > FIRST_CONNECT && !lag.connected;
        away.then(|| "no Kafka broker is connected; it is tried again and again".to_owned())
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

impl Source for KafkaSource {
    fn next_batch(&mut self, reader: &mut dyn Reader) -> Result<Polled, SourceError> {
        let consumer = Arc::clone(&self.consumer);
        let (messages, changes, before_change) = gather(&consumer, &self.budget, self.last_batch)?;
        self.last_batch = Instant::now();
        let lost = self.take_over(changes, reader)?;
        let mut polled = Polled::default();
        for (i, message) in messages.iter().enumerate() {
            let topic = self.topic(message.topic());
            let partition = message.partition();
            // Gathered, but lost before it was handed over: its next owner, which may be us again,
            // reads it from the committed offset.
            if i < before_change && lost.contains(&TopicPartition { topic: Arc::clone(&topic), partition }) {
                continue;
            }
            if self.is_new(&topic, partition, message.offset()) {
                polled.positions.read(&topic, partition, message.offset());
            }
            polled.records += 1;
            reader.record(view(message, &topic));
        }
        drop(messages);
        self.tell_of_ends(reader, &mut polled.positions);
        self.waiting.follow(&self.consumer, reader)?;
        polled.caught_up = self.caught_up(polled.records);
        polled.unreachable = self.unreachable(polled.records);
        Ok(polled)
    }
}

fn view<'a>(message: &'a BorrowedMessage<'_>, topic: &'a Arc<str>) -> RecordView<'a> {
    let headers = message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key, header.value.unwrap_or_default())).collect())
        .unwrap_or_default();
    RecordView {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        broker_time: EventTime(message.timestamp().to_millis().unwrap_or(0)),
        payload: message.payload().unwrap_or_default(),
        headers,
    }
}
