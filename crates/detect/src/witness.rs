//! One observed event as an alert may later show it: when, where in the log, who, what.

use std::borrow::Cow;
use std::sync::Arc;

use event::ids::event_id;
use event::{EventTime, Evidence, Observation, Position};
use serde::{Deserialize, Serialize};

use crate::{stable, text};

/// What is kept of an event that may become evidence. (An `Evidence` leaves out what is empty,
/// which the snapshots' format cannot read back, so state holds this.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Witness {
    pub(crate) time: EventTime,
    topic: Box<str>,
    partition: i32,
    offset: i64,
    line: i32,
    /// Whether there is an event, or only a line that could not be read.
    is_event: bool,
    pub(crate) what: Box<str>,
    pub(crate) src_ip: Option<Box<str>>,
    pub(crate) user_ref: Option<Box<str>>,
    api_key: Option<Box<str>>,
    pub(crate) route: Option<Box<str>>,
}

impl Witness {
    /// What an observation shows. `what` says it in words.
    pub(crate) fn new(o: &Observation<'_>, what: String) -> Self {
        let short =
            |text: &Option<Cow<'_, str>>| text.as_deref().map(|t| text::clean(t, 160).into_boxed_str());
        Self {
            time: o.time.unwrap_or_default(),
            is_event: o.is_of_event(),
            topic: o.kafka_topic.as_deref().unwrap_or_default().into(),
            partition: o.kafka_partition.unwrap_or_default(),
            offset: o.kafka_offset.unwrap_or_default(),
            line: o.kafka_line.unwrap_or_default(),
            what: text::clean(&what, 160).into(),
            src_ip: short(&o.src_ip),
            user_ref: short(&o.user_ref),
            api_key: short(&o.api_key),
            route: short(&o.route),
        }
    }

    /// Of lines that arrived together the last, and when it did.
    pub(crate) fn last_of(o: &Observation<'_>, what: String) -> Self {
        Self { time: o.ingest_time.unwrap_or_default(), ..Self::new(o, what) }
    }

    /// What another alert shows.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let short = |text: &Option<String>| text.as_deref().map(Box::from);
        let Position { topic, partition, offset, line } = &evidence.position;
        Self {
            time: evidence.time,
            is_event: !evidence.event_id.is_empty(),
            topic: (**topic).into(),
            partition: *partition,
            offset: *offset,
            line: *line,
            what: evidence.what.as_str().into(),
            src_ip: short(&evidence.src_ip),
            user_ref: short(&evidence.user_ref),
            api_key: short(&evidence.api_key),
            route: short(&evidence.route),
        }
    }

    fn event_id(&self) -> Option<String> {
        self.is_event.then(|| event_id(&self.topic, self.partition, self.offset, self.line))
    }

    /// Where it stands in the log, to tell those of one moment apart.
    pub(crate) fn place(&self) -> Place {
        (self.topic.clone(), self.partition, self.offset, self.line)
    }

    /// As an alert shows it.
    pub(crate) fn evidence(&self) -> Evidence {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Evidence {
            time: self.time,
            event_id: self.event_id().unwrap_or_default(),
            position: Position {
                topic: Arc::from(&*self.topic),
                partition: self.partition,
                offset: self.offset,
                line: self.line,
            },
            what: self.what.to_string(),
            src_ip: owned(&self.src_ip),
            user_ref: owned(&self.user_ref),
            api_key: owned(&self.api_key),
            route: owned(&self.route),
        }
    }

    /// What makes this event unlike its neighbours.
    pub(crate) fn kind(&self) -> u64 {
        let or_empty = |text: &Option<Box<str>>| text.clone().unwrap_or_default();
        stable::hash(&[
            &or_empty(&self.src_ip),
            &or_empty(&self.user_ref),
            &or_empty(&self.route),
            &self.what,
        ])
    }
}

/// Where an event stands in the log: topic, partition, offset, line.
pub(crate) type Place = (Box<str>, i32, i64, i32);

/// The identity of a delivery: what two deliveries of one line share; a place, where nothing else tells it.
pub(crate) fn delivery(o: &Observation<'_>) -> u64 {
    match &o.delivery {
        Some(id) => stable::hash_bytes(&[id]),
        None => {
            let topic = o.kafka_topic.as_deref().unwrap_or_default();
            let partition = o.kafka_partition.unwrap_or_default().to_be_bytes();
            let offset = o.kafka_offset.unwrap_or_default().to_be_bytes();
            let line = o.kafka_line.unwrap_or_default().to_be_bytes();
            stable::hash_bytes(&[topic.as_bytes(), &partition, &offset, &line])
        }
    }
}
