//! Looks at a topic's records: the last ones, those since a moment, and those to come. Joins no
//! group and commits nothing.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message};

use crate::Connection;
use crate::admin::{Admin, AdminError, Partition, Place, TIMEOUT, Topic, refused};

/// How long a wait for records is divided into.
const STEP: Duration = Duration::from_millis(100);

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Topic.
    pub topic: &'a str,
    /// One partition of it, or all.
    pub partition: Option<i32>,
    /// Also what belongs to transactions that did not commit, or have not yet.
    pub uncommitted: bool,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970, if it has one.
    pub timestamp_ms: Option<i64>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Headers in their order; names may repeat.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Payload.
    pub value: Option<Vec<u8>>,
}

/// Reads a topic.
pub struct Tail {
    admin: Admin,
    /// As it was when it was asked; only the partitions to look at.
    topic: Topic,
    config: ClientConfig,
    /// A new one wherever reading begins anew: the client does not take an assignment well while it is
    /// still about an earlier one, and has been seen to abort the process.
    consumer: Option<BaseConsumer>,
    /// Partitions that are read, and whether they were read to where they ended then.
    at_end: HashMap<i32, bool>,
}

impl Tail {
    /// Connects, and asks where the topic begins and ends now.
    pub fn open(connection: &Connection, look: Look<'_>) -> Result<Self, AdminError> {
        let admin = Admin::connect(connection)?;
        let mut topic = admin.topic(look.topic)?;
        topic.partitions.retain(|one| look.partition.is_none_or(|wanted| wanted == one.partition));
        if let (Some(wanted), true) = (look.partition, topic.partitions.is_empty()) {
            return Err(AdminError::Missing(format!("partition {wanted} of topic {}", look.topic)));
        }
        let mut config = connection.client("tail");
        config
            .set("group.id", "watchfire-tail") // the client wants one, though nothing is joined
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", if look.uncommitted { "read_uncommitted" } else { "read_committed" })
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384");
        Ok(Self { admin, topic, config, consumer: None, at_end: HashMap::new() })
    }

    /// The last `count` records of all partitions together, the newest last. Reading goes on behind
    /// them, as it does if nothing else is asked for.
    pub fn last(&mut self, count: usize) -> Result<Vec<Record>, AdminError> {
        let mut kept: HashMap<i32, VecDeque<Record>> = HashMap::new();
        let mut unfinished = self.topic.partitions.clone();
        // Markers and records of aborted transactions take offsets, so some are looked at further back.
        let mut back = i64::try_from(count).unwrap_or(i64::MAX);
        while count > 0 && !unfinished.is_empty() {
            let start = |one: Partition| (one, one.end.saturating_sub(back).max(one.first));
            let has_records = |(one, start): &(Partition, i64)| *start < one.end;
            let starts: Vec<_> = unfinished.into_iter().map(start).filter(has_records).collect();
            for (partition, _) in &starts {
                kept.remove(&partition.partition);
            }
            self.assign(&starts.iter().map(|(one, start)| (one.partition, *start)).collect::<Vec<_>>())?;
            while let Some(record) = self.until_end()? {
                let of_partition = kept.entry(record.partition).or_default();
                if of_partition.len() == count {
                    of_partition.pop_front();
                }
                of_partition.push_back(record);
            }
            let found = |partition: i32| kept.get(&partition).map_or(0, VecDeque::len);
            unfinished = starts
                .into_iter()
                .filter(|(one, start)| *start > one.first && found(one.partition) < count)
                .map(|(one, _)| one)
                .collect();
            back = back.saturating_mul(4);
        }
        self.consumer = None;
        Ok(merged(kept.into_values(), count))
    }

    /// Begins there, in each partition.
    pub fn begin(&mut self, at: Place) -> Result<(), AdminError> {
        let starts: Vec<_> = self.admin.offsets_of(&self.topic, at)?.into_iter().collect();
        self.assign(&starts)
    }

    fn assign(&mut self, starts: &[(i32, i64)]) -> Result<(), AdminError> {
        let mut list = TopicPartitionList::new();
        for (partition, start) in starts {
            let added = list.add_partition_offset(&self.topic.name, *partition, Offset::Offset(*start));
            added.map_err(|error| refused("read", &error))?;
        }
        self.at_end =
            starts.iter().map(|&(partition, start)| (partition, start >= self.end(partition))).collect();
        self.consumer = None;
        let consumer: BaseConsumer = self.config.create().map_err(|error| refused("read", &error))?;
        consumer.assign(&list).map_err(|error| refused("read", &error))?;
        self.consumer = Some(consumer);
        Ok(())
    }

    /// The next record that was there when the topic was opened; `None` after the last.
    pub fn until_end(&mut self) -> Result<Option<Record>, AdminError> {
        let deadline = Instant::now() + TIMEOUT;
        while !self.at_end.values().all(|&at_end| at_end) {
            match self.poll(STEP)? {
                Some(record) if record.offset < self.end(record.partition) => return Ok(Some(record)),
                _ if Instant::now() > deadline => {
                    let cause = format!("nothing came for {} s", TIMEOUT.as_secs());
                    return Err(AdminError::Refused {
                        attempt: format!("read topic {}", self.topic.name),
                        cause,
                    });
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The partitions that are looked at.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        self.topic.partitions.iter().map(|one| one.partition)
    }

    /// Where a partition ended when it was asked.
    fn end(&self, partition: i32) -> i64 {
        self.topic.partitions.iter().find(|one| one.partition == partition).map_or(0, |one| one.end)
    }

    /// The next record, if one comes within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Record>, AdminError> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(record) = self.poll(left.min(STEP))? {
                return Ok(Some(record));
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    fn poll(&mut self, wait: Duration) -> Result<Option<Record>, AdminError> {
        if self.consumer.is_none() {
            self.begin(Place::End)?;
        }
        let consumer = self.consumer.as_ref().expect("reading has begun, here or before");
        let record = match consumer.poll(wait) {
            Some(Ok(message)) => Record::of(&message),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.at_end.insert(partition, true);
                return Ok(None);
            }
            // Told about every lost connection; librdkafka tries again by itself.
            Some(Err(error)) if is_passing(&error) => return Ok(None),
            Some(Err(error)) => return Err(refused(&format!("read topic {}", self.topic.name), &error)),
            None => return Ok(None),
        };
        if record.offset + 1 >= self.end(record.partition) {
            self.at_end.insert(record.partition, true);
        }
        Ok(Some(record))
    }
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.map(|one| (one.key.to_owned(), one.value.map(<[u8]>::to_vec))).collect(),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }
}

fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| matches!(code, AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

/// The last `count` of all partitions' records by time; those of one partition stay in their order.
fn merged(partitions: impl Iterator<Item = VecDeque<Record>>, count: usize) -> Vec<Record> {
    let mut all = Vec::new();
    for records in partitions {
        let mut latest = i64::MIN;
        for record in records {
            latest = latest.max(record.timestamp_ms.unwrap_or(i64::MIN));
            all.push(((latest, record.partition, record.offset), record));
        }
    }
    all.sort_by_key(|(at, _)| *at);
    let surplus = all.len().saturating_sub(count);
    all.into_iter().skip(surplus).map(|(_, record)| record).collect()
}
