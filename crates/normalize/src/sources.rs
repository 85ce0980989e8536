//! What came from whom: the records and lines of each shipper, folded by minute, so that silence
//! and wrong clocks show.

use std::borrow::Cow;

use event::{DELAYS_MS, EventRow, EventTime, Observation, ObservationKind};

use crate::groups::Groups;
use crate::observe::Seen;

const MINUTE_MS: i64 = 60_000;

/// How long a shipper's name may be; what is longer names none.
const NAME_BYTES_MAX: usize = 128;

/// The class of a delay: how many borders it has passed, on its side of zero.
fn class(delay_ms: i64) -> i64 {
    let passed = DELAYS_MS.iter().filter(|border| delay_ms.unsigned_abs() >= border.unsigned_abs()).count();
    delay_ms.signum() * passed as i64
}

/// What one batch holds of each source, shipper, minute of arrival and class of delay.
#[derive(Default)]
pub(crate) struct Sources(Groups<Group>);

struct Group {
    minute: EventTime,
    class: Option<i64>,
    /// The one that is nearest to zero.
    delay_ms: Option<i64>,
    tenant: String,
    topic: String,
    partition: i32,
    shipper: String,
    lines: i64,
    /// Whether tokens were issued there, for users and not for tests.
    issues: bool,
    first: EventTime,
    last: EventTime,
    offset: i64,
    line: i32,
}

/// One line that arrived, and where it stands.
pub(crate) struct Arrived<'r, 'a> {
    pub(crate) at: Option<EventTime>,
    pub(crate) tenant: &'r str,
    pub(crate) topic: &'r str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) line: i32,
    /// What could not be read tells at least that somebody is there.
    pub(crate) read: Option<(&'r EventRow<'a>, i64)>,
}

impl<'r, 'a> Arrived<'r, 'a> {
    pub(crate) fn of(row: &'r EventRow<'a>, seen: &Seen) -> Self {
        let stamped = seen.stamped.or(row.time);
        let delay_ms = row.ingest_time.zip(stamped).map_or(0, |(at, stamped)| at - stamped);
        Self {
            at: row.ingest_time,
            tenant: row.tenant.as_deref().unwrap_or_default(),
            topic: row.kafka_topic.as_deref().unwrap_or_default(),
            partition: row.kafka_partition.unwrap_or_default(),
            offset: row.kafka_offset.unwrap_or_default(),
            line: row.kafka_line.unwrap_or_default(),
            read: Some((row, delay_ms)),
        }
    }
}

impl Sources {
    /// Counts a line.
    pub(crate) fn add(&mut self, arrived: &Arrived<'_, '_>) {
        let Some(at) = arrived.at else { return };
        let minute = at.floor(MINUTE_MS);
        let row = arrived.read.map(|(row, _)| row);
        let delay_ms = arrived.read.map(|(_, delay_ms)| delay_ms);
        let class = delay_ms.map(class);
        let shipper = row.and_then(|row| row.shipper_id.as_deref());
        let shipper = shipper.filter(|name| name.len() <= NAME_BYTES_MAX).unwrap_or_default();
        let group = self.0.of(
            (minute, class, arrived.partition, arrived.topic, shipper),
            |group| {
                group.minute == minute
                    && group.class == class
                    && group.partition == arrived.partition
                    && group.topic == arrived.topic
                    && group.shipper == shipper
            },
            || Group {
                minute,
                class,
                delay_ms,
                tenant: arrived.tenant.to_owned(),
                topic: arrived.topic.to_owned(),
                partition: arrived.partition,
                shipper: shipper.to_owned(),
                lines: 0,
                issues: false,
                first: at,
                last: EventTime::MIN,
                offset: 0,
                line: 0,
            },
        );
        group.lines += 1;
        group.issues |= row.is_some_and(issues);
        if let (Some(nearest), Some(delay_ms)) = (&mut group.delay_ms, delay_ms)
            && delay_ms.unsigned_abs() < nearest.unsigned_abs()
        {
            *nearest = delay_ms;
        }
        group.first = group.first.min(at);
        // Of lines that arrived together one is the last, however the batches are cut.
        let place = (at, arrived.offset, arrived.line);
        if place >= (group.last, group.offset, group.line) {
            (group.last, group.offset, group.line) = place;
        }
    }

    /// Hands out what was counted and forgets it.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&Observation<'_>)) {
        self.0.drain(|group| {
            each(&Observation {
                kind: Some(ObservationKind::Source.code()),
                time: Some(group.first),
                ingest_time: Some(group.last),
                tenant: Some(Cow::Borrowed(&group.tenant)),
                kafka_topic: Some(Cow::Borrowed(&group.topic)),
                kafka_partition: Some(group.partition),
                kafka_offset: Some(group.offset),
                kafka_line: Some(group.line),
                action: group.issues.then_some(Cow::Borrowed(ISSUED)),
                shipper_id: Some(Cow::Borrowed(&*group.shipper)).filter(|id| !id.is_empty()),
                delay_ms: group.delay_ms,
                count: Some(group.lines),
                ..Observation::default()
            });
        });
    }
}

const ISSUED: &str = "session_token.issued";

fn issues(row: &EventRow<'_>) -> bool {
    row.action.as_deref() == Some(ISSUED) && row.env.as_deref() != Some("sandbox")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_of_the_class_whose_borders_it_has_passed() {
        let delays = [i64::MIN, -700_000, -5_000, -4_999, 0, 4_999, 5_000, 119_999, 120_000, i64::MAX];
        assert_eq!(delays.map(class), [-10, -7, -1, 0, 0, 0, 1, 4, 5, 10]);
    }
}
