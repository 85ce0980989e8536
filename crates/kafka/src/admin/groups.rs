//! Consumer groups: who is in them, where they stand, and how to put them elsewhere.

use std::collections::HashMap;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::groups::GroupInfo;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{Admin, AdminError, Place, TIMEOUT, Topic, options, refused};

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Kafka's word for how it is: `Stable`, `Empty`.
    pub state: String,
    /// How its members share partitions.
    pub protocol: String,
    /// Who reads.
    pub members: Vec<Member>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// What it calls itself.
    pub client: String,
    /// Where it is.
    pub host: String,
    /// Partitions that it reads.
    pub assigned: Vec<(String, i32)>,
}

/// Where a group stands in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The offset that it will read next.
    pub committed: i64,
    /// The offset after the last record.
    pub end: i64,
    /// Offsets that it has not committed and can still read.
    pub lag: i64,
}

/// A partition in which a group was put elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Partition.
    pub partition: i32,
    /// Where it stood, if it had committed anything.
    pub from: Option<i64>,
    /// Where it stands.
    pub to: i64,
}

impl Admin {
    /// Every group, by name.
    pub fn groups(&self) -> Result<Vec<Group>, AdminError> {
        let list = self
            .consumer
            .fetch_group_list(None, TIMEOUT)
            .map_err(|error| self.failed("list groups", &error))?;
        let mut groups: Vec<Group> = list.groups().iter().map(Group::of_info).collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(groups)
    }

    /// One group.
    pub fn group(&self, name: &str) -> Result<Group, AdminError> {
        let found = self.groups()?.into_iter().find(|group| group.name == name);
        found.ok_or_else(|| AdminError::Missing(format!("group {name}")))
    }

    /// Where a group stands, in every partition in which it has committed an offset.
    pub fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>, AdminError> {
        let committed = self.committed(group, self.metadata()?.iter())?;
        let topics = self.topics(|topic| committed.keys().any(|(name, _)| *name == topic.name))?;
        let mut offsets = Vec::new();
        for topic in &topics {
            for partition in &topic.partitions {
                let of = (topic.name.clone(), partition.partition);
                let Some(&committed) = committed.get(&of) else { continue };
                offsets.push(GroupOffset {
                    topic: of.0,
                    partition: of.1,
                    committed,
                    end: partition.end,
                    lag: (partition.end - committed.max(partition.first)).max(0),
                });
            }
        }
        Ok(offsets)
    }

    fn committed<'a>(
        &self,
        group: &str,
        topics: impl Iterator<Item = &'a Topic>,
    ) -> Result<HashMap<(String, i32), i64>, AdminError> {
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in topics.flat_map(Topic::names) {
            asked.add_partition(&topic, partition);
        }
        if asked.count() == 0 {
            return Ok(HashMap::new());
        }
        let found = self.speaking_for(group)?.committed_offsets(asked, TIMEOUT);
        let found =
            found.map_err(|error| self.failed(&format!("tell the offsets of group {group}"), &error))?;
        let committed = |(of, offset): ((String, i32), Offset)| match offset {
            Offset::Offset(offset) => Some((of, offset)),
            _ => None,
        };
        Ok(found.to_topic_map().into_iter().filter_map(committed).collect())
    }

    /// Puts a group elsewhere in a topic. It must have no members: they would not notice, and commit
    /// where they are.
    pub fn reset_group(&self, group: &str, topic: &str, to: Place) -> Result<Vec<Reset>, AdminError> {
        let attempt = format!("reset group {group}");
        let members = match self.group(group) {
            Ok(group) => group.members.len(),
            Err(AdminError::Missing(_)) => 0, // it begins to be with its first offset
            Err(error) => return Err(error),
        };
        if members > 0 {
            let cause =
                format!("it has {members} members, which would go on from where they are: stop them first");
            return Err(AdminError::Refused { attempt, cause });
        }
        let topic = self.topic(topic)?;
        let from = self.committed(group, std::iter::once(&topic))?;
        let mut list = TopicPartitionList::new();
        let mut resets = Vec::new();
        for (partition, to) in self.offsets_of(&topic, to)? {
            let added = list.add_partition_offset(&topic.name, partition, Offset::Offset(to));
            added.map_err(|error| refused(&attempt, &error))?;
            let from = from.get(&(topic.name.clone(), partition)).copied();
            resets.push(Reset { partition, from, to });
        }
        resets.sort_by_key(|reset| reset.partition);
        let done = self.speaking_for(group)?.commit(&list, CommitMode::Sync);
        done.map_err(|error| self.failed(&attempt, &error))?;
        Ok(resets)
    }

    /// Deletes a group with its offsets. It must have no members.
    pub async fn delete_group(&self, group: &str) -> Result<(), AdminError> {
        let attempt = format!("delete group {group}");
        let done = self.client.delete_groups(&[group], &options()).await;
        for result in done.map_err(|error| self.failed(&attempt, &error))? {
            result.map_err(|(name, code)| match code {
                RDKafkaErrorCode::GroupIdNotFound => AdminError::Missing(format!("group {name}")),
                code => self.failed(&attempt, &KafkaError::AdminOp(code)),
            })?;
        }
        Ok(())
    }

    /// A consumer that reads and writes a group's offsets, and joins nothing.
    fn speaking_for(&self, group: &str) -> Result<BaseConsumer, AdminError> {
        let mut config = self.connection.client("admin");
        config.set("group.id", group).set("enable.auto.commit", "false");
        config.create().map_err(|error| refused(&format!("speak for group {group}"), &error))
    }
}

impl Group {
    fn of_info(info: &GroupInfo) -> Self {
        let members = info.members().iter().map(|member| Member {
            id: member.id().to_owned(),
            client: member.client_id().to_owned(),
            host: member.client_host().to_owned(),
            assigned: member.assignment().and_then(assigned).unwrap_or_default(),
        });
        Self {
            name: info.name().to_owned(),
            state: info.state().to_owned(),
            protocol: info.protocol().to_owned(),
            members: members.collect(),
        }
    }
}

/// Partitions in an assignment of the consumer protocol; `None` if it is not one.
fn assigned(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut left = bytes.get(2..)?; // after the version
    let mut partitions = Vec::new();
    for _ in 0..take_number(&mut left)? {
        let topic = take_text(&mut left)?;
        for _ in 0..take_number(&mut left)? {
            partitions.push((topic.clone(), take_number(&mut left)?));
        }
    }
    Some(partitions)
}

fn take_number(left: &mut &[u8]) -> Option<i32> {
    let (number, rest) = left.split_first_chunk::<4>()?;
    *left = rest;
    Some(i32::from_be_bytes(*number))
}

fn take_text(left: &mut &[u8]) -> Option<String> {
    let (length, rest) = left.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *left = rest;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::assigned;

    #[test]
    fn an_assignment_is_read_or_it_is_none() {
        let whole =
            [&[0, 1][..], &[0, 0, 0, 1], &[0, 1], b"t", &[0, 0, 0, 2], &[0, 0, 0, 0], &[0, 0, 0, 3]].concat();
        assert_eq!(assigned(&whole), Some(vec![("t".to_owned(), 0), ("t".to_owned(), 3)]));
        for end in 0..whole.len() {
            assert_eq!(assigned(&whole[..end]), None, "cut after {end} bytes");
        }
        assert_eq!(assigned(&[0, 1, 0x7f, 0xff, 0xff, 0xff]), None, "two billion topics in no bytes");
    }
}
