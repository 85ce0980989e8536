//! Creates, extends, configures and deletes topics, one change at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;

use crate::config::BrokerConfig;
use crate::detached::detached;
use crate::journal::Journal;
use crate::journal::record::{Record, TopicRecord};
use crate::topic_config;
use crate::topics::{Topics, is_valid_name};

/// More partitions than this in one topic are taken for a slip.
const PARTITIONS_MAX: i32 = 10_000;

/// Why a topic was not changed: Kafka's error, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: ResponseError,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self::new(error, error.to_string())
    }
}

/// A topic to be created. Without a number of partitions the broker's default holds.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: Option<i32>,
    pub(crate) configs: BTreeMap<String, String>,
}

/// Changes topics.
#[derive(Debug)]
pub(crate) struct TopicAdmin {
    config: Arc<BrokerConfig>,
    journal: Arc<Journal>,
    topics: Arc<Topics>,
    turn: Arc<tokio::sync::Mutex<NextId>>,
}

#[derive(Debug)]
struct NextId(u64);

/// The right to change topics, kept until the change is done.
type Turn = tokio::sync::OwnedMutexGuard<NextId>;

impl TopicAdmin {
    pub(crate) fn new(config: Arc<BrokerConfig>, journal: Arc<Journal>, topics: Arc<Topics>) -> Self {
        let last = journal.read(|state| state.topics.values().map(|topic| topic.id).max());
        let turn = Arc::new(tokio::sync::Mutex::new(NextId(last.map_or(1, |last| last + 1))));
        Self { config, journal, topics, turn }
    }

    /// Creates a topic; durable when this returns. Returns how many partitions it has.
    pub(crate) async fn create(&self, new: NewTopic, validate_only: bool) -> Result<i32, Refusal> {
        let mut turn = self.turn().await;
        let partitions = self.check_new(&new)?;
        if validate_only {
            return Ok(partitions);
        }
        let record = TopicRecord { name: new.name, id: turn.0, partitions, configs: new.configs };
        turn.0 += 1;
        self.put(record, turn).await?;
        Ok(partitions)
    }

    fn check_new(&self, new: &NewTopic) -> Result<i32, Refusal> {
        if !is_valid_name(&new.name) {
            let message =
                "a topic's name is 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-', and not '.' or '..'";
            return Err(Refusal::new(ResponseError::InvalidTopicException, message));
        }
        if self.topics.get(&new.name).is_some() {
            let message = format!("topic {:?} exists", new.name);
            return Err(Refusal::new(ResponseError::TopicAlreadyExists, message));
        }
        for (name, value) in &new.configs {
            topic_config::check(name, value).map_err(invalid_config)?;
        }
        let partitions = new.partitions.unwrap_or(self.config.default_partitions);
        check_count(partitions)?;
        self.check_limits(1, partitions)?;
        Ok(partitions)
    }

    /// Gives a topic more partitions.
    pub(crate) async fn extend(
        &self,
        name: &str,
        partitions: i32,
        validate_only: bool,
    ) -> Result<(), Refusal> {
        let turn = self.turn().await;
        let topic = self.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        check_count(partitions)?;
        if partitions <= topic.record().partitions {
            let message =
                format!("topic has {} partitions, and can only get more", topic.record().partitions);
            return Err(Refusal::new(ResponseError::InvalidPartitions, message));
        }
        self.check_limits(0, partitions - topic.record().partitions)?;
        if validate_only {
            return Ok(());
        }
        self.put(TopicRecord { partitions, ..topic.record().clone() }, turn).await
    }

    /// Changes a topic's settings; `change` gets the present ones.
    pub(crate) async fn configure(
        &self,
        name: &str,
        validate_only: bool,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let turn = self.turn().await;
        let topic = self.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        let mut record = topic.record().clone();
        change(&mut record.configs)?;
        for (name, value) in &record.configs {
            topic_config::check(name, value).map_err(invalid_config)?;
        }
        if validate_only { Ok(()) } else { self.put(record, turn).await }
    }

    /// Refuses more topics or partitions than there may be.
    fn check_limits(&self, more_topics: usize, more_partitions: i32) -> Result<(), Refusal> {
        let (topics_max, partitions_max) = (self.config.topics_max, self.config.partitions_max);
        let all = self.topics.all();
        let partitions: usize = all.iter().map(|topic| topic.partitions().len()).sum();
        let is_within = all.len() + more_topics <= topics_max
            && partitions + usize::try_from(more_partitions).unwrap_or(0) <= partitions_max;
        if is_within {
            return Ok(());
        }
        let message =
            format!("there are {topics_max} topics and {partitions_max} partitions at most, of all topics");
        Err(Refusal::new(ResponseError::PolicyViolation, message))
    }

    async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Files first, so that the journal never names what is not there; then the journal, so that
    /// no one writes to what a restart would not know.
    async fn put(&self, record: TopicRecord, turn: Turn) -> Result<(), Refusal> {
        let (config, journal, topics) =
            (Arc::clone(&self.config), Arc::clone(&self.journal), Arc::clone(&self.topics));
        let putting = async move {
            let _turn = turn;
            let topic = topics.prepare(record.clone(), &config).map_err(|error| {
                tracing::error!(topic = %record.name, %error, "cannot create a topic's files");
                ResponseError::KafkaStorageError
            })?;
            journal.commit(&[Record::Topic(record)]).await?;
            topics.publish(topic);
            Ok(())
        };
        detached(putting).await
    }

    /// Deletes a topic, its records, and what groups have committed for it.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Refusal> {
        let turn = self.turn().await;
        if self.topics.get(name).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        let (name, journal, topics) = (name.to_owned(), Arc::clone(&self.journal), Arc::clone(&self.topics));
        let deleting = async move {
            let _turn = turn;
            journal.commit(&[Record::TopicDeleted { name: name.clone() }]).await?;
            if let Err(error) = topics.remove(&name) {
                // It is gone all the same; the next start moves the files aside.
                tracing::warn!(topic = %name, %error, "cannot remove a deleted topic's files");
            }
            Ok(())
        };
        detached(deleting).await
    }

    /// Creates a topic that a client asked about, if the broker does that.
    pub(crate) async fn create_on_demand(&self, name: &str) -> Result<(), ResponseError> {
        if !self.config.auto_create_topics {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        let new = NewTopic { name: name.to_owned(), partitions: None, configs: BTreeMap::new() };
        match self.create(new, false).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.error == ResponseError::TopicAlreadyExists => Ok(()),
            Err(refusal) => Err(refusal.error),
        }
    }
}

fn check_count(partitions: i32) -> Result<(), Refusal> {
    if (1..=PARTITIONS_MAX).contains(&partitions) {
        return Ok(());
    }
    let message = format!("a topic has 1 to {PARTITIONS_MAX} partitions, not {partitions}");
    Err(Refusal::new(ResponseError::InvalidPartitions, message))
}

fn invalid_config(message: String) -> Refusal {
    Refusal::new(ResponseError::InvalidConfig, message)
}

#[cfg(test)]
mod tests;
