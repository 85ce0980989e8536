//! The topics that stages need.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::Connection;

/// A topic to be there.
pub struct Wanted<'a> {
    /// Name.
    pub name: &'a str,
    /// Partitions, if it must be made.
    pub partitions: i32,
    /// Topic configuration, if it must be made.
    pub config: &'a [(&'a str, &'a str)],
}

/// Topics could not be made or looked up.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The broker does not answer.
    #[error("kafka at {brokers} does not answer: {cause}")]
    Unreachable {
        /// Bootstrap servers.
        brokers: String,
        /// What the client said.
        cause: String,
    },
    /// The broker refuses.
    #[error("kafka does not make topic {topic}: {cause}")]
    Refused {
        /// Topic.
        topic: String,
        /// Why.
        cause: String,
    },
}

/// Makes every topic that is not there yet. Existing ones stay as they are.
pub async fn ensure(connection: &Connection, wanted: &[Wanted<'_>]) -> Result<(), TopicError> {
    let unreachable = |cause: String| TopicError::Unreachable { brokers: connection.brokers.clone(), cause };
    let admin: AdminClient<DefaultClientContext> =
        connection.client("admin").create().map_err(|error| unreachable(error.to_string()))?;
    let new: Vec<NewTopic<'_>> = wanted
        .iter()
        .map(|topic| {
            let new = NewTopic::new(topic.name, topic.partitions, TopicReplication::Fixed(-1));
            topic.config.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let results =
        admin.create_topics(&new, &options).await.map_err(|error| unreachable(error.to_string()))?;
    for result in results {
        if let Err((topic, code)) = result
            && code != RDKafkaErrorCode::TopicAlreadyExists
        {
            return Err(TopicError::Refused { topic, cause: code.to_string() });
        }
    }
    Ok(())
}

/// How many partitions a topic has, if it is there.
pub fn partitions(connection: &Connection, topic: &str) -> Result<Option<i32>, TopicError> {
    let unreachable = |cause: String| TopicError::Unreachable { brokers: connection.brokers.clone(), cause };
    let client: BaseConsumer =
        connection.client("admin").create().map_err(|error| unreachable(error.to_string()))?;
    let metadata = client
        .fetch_metadata(Some(topic), Duration::from_secs(10))
        .map_err(|error| unreachable(error.to_string()))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    Ok(found.map(|found| found.partitions().len() as i32).filter(|&count| count > 0))
}
