//! What an operator asks of a cluster and changes in it. Works on any Kafka, with requests that
//! every version of it answers.

mod groups;
mod topics;

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Connection;
use crate::offsets::offsets_for_times;
pub use groups::{Group, GroupOffset, Member, Reset};
pub use topics::{New, Partition, Setting, Topic};

/// How long an answer may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks and changes.
pub struct Admin {
    connection: Connection,
    client: AdminClient<DefaultClientContext>,
    consumer: BaseConsumer,
}

/// A place in each partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first record there is.
    First,
    /// Behind the last record.
    End,
    /// An offset, or as near to it as there are records.
    Offset(i64),
    /// The first record of a time in milliseconds since 1970, or later.
    Time(i64),
}

/// Why something could not be asked or done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody answers there.
    #[error("kafka at {brokers} does not answer: {cause}")]
    Unreachable {
        /// Bootstrap servers.
        brokers: String,
        /// What the client said.
        cause: String,
    },
    /// There is no such topic, partition or group.
    #[error("there is no {0}")]
    Missing(String),
    /// The broker does not do it.
    #[error("kafka refuses to {attempt}: {cause}")]
    Refused {
        /// What was attempted, as a verb and its object.
        attempt: String,
        /// What it said.
        cause: String,
    },
}

impl Admin {
    /// Makes the clients. Nothing is asked yet.
    pub fn connect(connection: &Connection) -> Result<Self, AdminError> {
        let mut config = connection.client("admin");
        let client = config.create().map_err(|error| refused("connect", &error))?;
        // Where the log ends, and not only what is committed of it.
        config.set("isolation.level", "read_uncommitted");
        let consumer = config.create().map_err(|error| refused("connect", &error))?;
        Ok(Self { connection: connection.clone(), client, consumer })
    }

    /// The offset of a place in each partition of a topic.
    pub(crate) fn offsets_of(&self, topic: &Topic, place: Place) -> Result<HashMap<i32, i64>, AdminError> {
        let since = match place {
            Place::Time(time) => self.offsets(&topic.names().collect::<Vec<_>>(), Offset::Offset(time))?,
            Place::First | Place::End | Place::Offset(_) => HashMap::new(),
        };
        let offset = |one: &Partition| match place {
            Place::First => one.first,
            Place::End => one.end,
            Place::Offset(offset) => offset.clamp(one.first, one.end),
            // Nothing came so late.
            Place::Time(_) => since.get(&(topic.name.clone(), one.partition)).copied().unwrap_or(one.end),
        };
        Ok(topic.partitions.iter().map(|one| (one.partition, offset(one))).collect())
    }

    /// Where partitions begin, where they end, or what came at a time; none for a time later than
    /// the last record's.
    fn offsets(
        &self,
        partitions: &[(String, i32)],
        at: Offset,
    ) -> Result<HashMap<(String, i32), i64>, AdminError> {
        if partitions.is_empty() {
            return Ok(HashMap::new()); // the client takes an empty question for a mistake
        }
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in partitions {
            let added = asked.add_partition_offset(topic, *partition, at);
            added.map_err(|error| self.failed("tell offsets", &error))?;
        }
        let found = offsets_for_times(&self.consumer, &asked, TIMEOUT);
        let found = found.map_err(|error| self.failed("tell offsets", &error))?;
        let mut offsets = HashMap::new();
        for one in found.elements() {
            one.error().map_err(|error| {
                self.failed(&format!("tell the offsets of topic {}", one.topic()), &error)
            })?;
            if let Offset::Offset(offset) = one.offset() {
                offsets.insert((one.topic().to_owned(), one.partition()), offset);
            }
        }
        Ok(offsets)
    }

    fn failed(&self, attempt: &str, error: &KafkaError) -> AdminError {
        match code(error) {
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve,
            ) => AdminError::Unreachable { brokers: self.connection.brokers.clone(), cause: said(error) },
            _ => refused(attempt, error),
        }
    }
}

pub(crate) fn refused(attempt: &str, error: &KafkaError) -> AdminError {
    AdminError::Refused { attempt: attempt.to_owned(), cause: said(error) }
}

/// What is behind an error, without the client's own words around it.
fn said(error: &KafkaError) -> String {
    code(error).map_or_else(|| error.to_string(), |code| code.to_string())
}

fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}
