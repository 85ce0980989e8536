//! Topics: what there is, and what can be changed about them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::Offset;

use super::{Admin, AdminError, TIMEOUT, options};

/// How long settings may take to be in force.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name.
    pub name: String,
    /// By number.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Number.
    pub partition: i32,
    /// The broker that leads it; negative while there is none.
    pub leader: i32,
    /// Brokers that should have it.
    pub replicas: usize,
    /// Brokers that have all of it.
    pub in_sync: usize,
    /// The offset of the first record.
    pub first: i64,
    /// The offset behind the last record.
    pub end: i64,
}

/// A setting of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Kafka's name for it.
    pub name: String,
    /// Its value, unless it is a secret.
    pub value: Option<String>,
    /// It was set for this topic, and is not what the broker does anyway.
    pub is_own: bool,
}

/// A topic to be made.
pub struct New<'a> {
    /// Name.
    pub name: &'a str,
    /// Partitions; as many as the broker thinks right if left out.
    pub partitions: Option<i32>,
    /// Copies of each; as many as the broker thinks right if left out.
    pub replicas: Option<i32>,
    /// Settings by Kafka's names.
    pub settings: &'a [(String, String)],
}

impl Admin {
    /// Every topic by name, without offsets.
    pub(super) fn metadata(&self) -> Result<Vec<Topic>, AdminError> {
        // All of them, whatever is asked: asking for one by its name makes it on some brokers.
        let metadata = self.consumer.fetch_metadata(None, TIMEOUT);
        let metadata = metadata.map_err(|error| self.failed("list topics", &error))?;
        let mut topics: Vec<Topic> = metadata.topics().iter().map(Topic::of_metadata).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }

    /// The topics that are wanted, by name.
    pub fn topics(&self, is_wanted: impl Fn(&Topic) -> bool) -> Result<Vec<Topic>, AdminError> {
        let mut topics = self.metadata()?;
        topics.retain(is_wanted);
        let partitions: Vec<_> = topics.iter().flat_map(Topic::names).collect();
        let first = self.offsets(&partitions, Offset::Beginning)?;
        let end = self.offsets(&partitions, Offset::End)?;
        for topic in &mut topics {
            for partition in &mut topic.partitions {
                let of = (topic.name.clone(), partition.partition);
                partition.first = first.get(&of).copied().unwrap_or(0);
                partition.end = end.get(&of).copied().unwrap_or(0);
            }
        }
        Ok(topics)
    }

    /// One topic.
    pub fn topic(&self, name: &str) -> Result<Topic, AdminError> {
        let found = self.topics(|topic| topic.name == name)?.pop();
        found.ok_or_else(|| AdminError::Missing(format!("topic {name}")))
    }

    /// The settings of a topic, by name.
    pub async fn settings(&self, topic: &str) -> Result<Vec<Setting>, AdminError> {
        let attempt = format!("describe topic {topic}");
        let of = [ResourceSpecifier::Topic(topic)];
        let described = self.client.describe_configs(&of, &options()).await;
        let mut settings = Vec::new();
        for resource in described.map_err(|error| self.failed(&attempt, &error))? {
            let resource = resource.map_err(|code| self.answered(&attempt, topic, code))?;
            settings.extend(resource.entries.into_iter().map(|entry| Setting {
                is_own: entry.source == ConfigSource::DynamicTopic,
                name: entry.name,
                value: entry.value,
            }));
        }
        settings.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(settings)
    }

    /// Makes a topic.
    pub async fn create(&self, new: &New<'_>) -> Result<(), AdminError> {
        let replication = TopicReplication::Fixed(new.replicas.unwrap_or(-1));
        let topic = NewTopic::new(new.name, new.partitions.unwrap_or(-1), replication);
        let topic = new.settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        let done = self.client.create_topics(&[topic], &options()).await;
        self.check(&format!("make topic {}", new.name), done)
    }

    /// Deletes a topic with all its records.
    pub async fn delete(&self, topic: &str) -> Result<(), AdminError> {
        let done = self.client.delete_topics(&[topic], &options()).await;
        self.check(&format!("delete topic {topic}"), done)
    }

    /// Gives a topic more partitions, `partitions` in all.
    pub async fn extend(&self, topic: &str, partitions: usize) -> Result<(), AdminError> {
        let more = NewPartitions::new(topic, partitions);
        let done = self.client.create_partitions(&[more], &options()).await;
        self.check(&format!("give topic {topic} {partitions} partitions"), done)
    }

    /// Changes settings of a topic; those without a value become the broker's again. Others stay.
    pub async fn configure(
        &self,
        topic: &str,
        changes: &[(String, Option<String>)],
    ) -> Result<(), AdminError> {
        // The oldest request for it, which every Kafka knows, has to say all that shall be set.
        let mut wanted = self.own_settings(topic).await?;
        for (name, value) in changes {
            match value {
                Some(value) => wanted.insert(name.clone(), value.clone()),
                None => wanted.remove(name),
            };
        }
        let attempt = format!("configure topic {topic}");
        let alter = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let alter = wanted.iter().fold(alter, |alter, (name, value)| alter.set(name, value));
        let done = self.client.alter_configs(&[alter], &options()).await;
        for result in done.map_err(|error| self.failed(&attempt, &error))? {
            result.map_err(|(_, code)| self.answered(&attempt, topic, code))?;
        }
        self.taken(topic, changes).await
    }

    /// Waits until a topic's settings are as wanted: the client does not tell what a broker said to
    /// them, and a cluster takes a moment to spread them.
    async fn taken(&self, topic: &str, changes: &[(String, Option<String>)]) -> Result<(), AdminError> {
        let deadline = Instant::now() + TAKEN_WITHIN;
        loop {
            let own = self.own_settings(topic).await?;
            let refused = changes.iter().find(|(name, value)| own.get(name) != value.as_ref());
            let Some((name, value)) = refused else { return Ok(()) };
            if Instant::now() > deadline {
                let value = value.as_deref().unwrap_or("nothing");
                let cause = format!("it does not take {name} = {value}");
                return Err(AdminError::Refused { attempt: format!("configure topic {topic}"), cause });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn own_settings(&self, topic: &str) -> Result<BTreeMap<String, String>, AdminError> {
        let own = self.settings(topic).await?.into_iter().filter(|setting| setting.is_own);
        Ok(own.filter_map(|setting| Some((setting.name, setting.value?))).collect())
    }

    fn check(&self, attempt: &str, done: Result<Vec<TopicResult>, KafkaError>) -> Result<(), AdminError> {
        for result in done.map_err(|error| self.failed(attempt, &error))? {
            result.map_err(|(topic, code)| self.answered(attempt, &topic, code))?;
        }
        Ok(())
    }

    fn answered(&self, attempt: &str, topic: &str, code: RDKafkaErrorCode) -> AdminError {
        match code {
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                AdminError::Missing(format!("topic {topic}"))
            }
            code => self.failed(attempt, &KafkaError::AdminOp(code)),
        }
    }
}

impl Topic {
    fn of_metadata(topic: &MetadataTopic) -> Self {
        let partition = |partition: &rdkafka::metadata::MetadataPartition| Partition {
            partition: partition.id(),
            leader: partition.leader(),
            replicas: partition.replicas().len(),
            in_sync: partition.isr().len(),
            first: 0,
            end: 0,
        };
        let mut partitions: Vec<Partition> = topic.partitions().iter().map(partition).collect();
        partitions.sort_by_key(|partition| partition.partition);
        Self { name: topic.name().to_owned(), partitions }
    }

    /// The partitions by topic and number.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, i32)> {
        self.partitions.iter().map(|one| (self.name.clone(), one.partition))
    }
}
