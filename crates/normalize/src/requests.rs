//! Requests, folded into counts: a detector of spikes needs how many, not which.

use std::borrow::Cow;

use event::{EventRow, EventTime, Observation, ObservationKind};

use crate::groups::Groups;

const MINUTE_MS: i64 = 60_000;

/// Counts of one batch by tenant, source, partner, route, minute and class of status, in the order
/// in which the groups turned up.
#[derive(Default)]
pub(crate) struct Requests(Groups<Group>);

/// One count, with the place of the first request in it.
struct Group {
    minute: EventTime,
    status: Option<i32>,
    tenant: String,
    source_format: String,
    partner_id: Option<String>,
    route: String,
    count: i64,
    ingest_time: Option<EventTime>,
    delivery: Option<[u8; 16]>,
    kafka_topic: String,
    kafka_partition: Option<i32>,
    kafka_offset: Option<i64>,
    kafka_line: Option<i32>,
}

/// The class of a status: 200, 300, 400, 500, and those by themselves that tell of an attack.
fn class(status: i32) -> i32 {
    match status {
        401 | 403 | 404 | 429 => status,
        _ => status / 100 * 100,
    }
}

impl Requests {
    /// Counts one request, by which delivery it came.
    pub(crate) fn add(&mut self, row: &EventRow<'_>, delivery: Option<[u8; 16]>) {
        let (Some(time), Some(route)) = (row.time, row.route.as_deref()) else { return };
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let minute = time.floor(MINUTE_MS);
        let status = row.status.map(class);
        let tenant = row.tenant.as_deref().unwrap_or_default();
        let source = row.source_format.as_deref().unwrap_or_default();
        let partner = row.partner_id.as_deref();
        let group = self.0.of(
            (minute, status, route, partner, source, tenant),
            |group| {
                group.minute == minute
                    && group.status == status
                    && group.route == route
                    && group.partner_id.as_deref() == partner
                    && group.source_format == source
                    && group.tenant == tenant
            },
            || Group {
                minute,
                status,
                tenant: tenant.to_owned(),
                source_format: source.to_owned(),
                partner_id: partner.map(str::to_owned),
                route: route.to_owned(),
                count: 0,
                ingest_time: None,
                delivery,
                kafka_topic: text(&row.kafka_topic),
                kafka_partition: row.kafka_partition,
                kafka_offset: row.kafka_offset,
                kafka_line: row.kafka_line,
            },
        );
        group.count += 1;
        group.ingest_time = group.ingest_time.max(row.ingest_time);
    }

    /// Hands out every count and forgets them.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&Observation<'_>)) {
        self.0.drain(|group| {
            each(&Observation {
                kind: Some(ObservationKind::Requests.code()),
                time: Some(group.minute),
                ingest_time: group.ingest_time,
                tenant: Some(Cow::Borrowed(&group.tenant)),
                delivery: group.delivery,
                kafka_topic: Some(Cow::Borrowed(&group.kafka_topic)),
                kafka_partition: group.kafka_partition,
                kafka_offset: group.kafka_offset,
                kafka_line: group.kafka_line,
                source_format: Some(Cow::Borrowed(&group.source_format)),
                partner_id: group.partner_id.as_deref().map(Cow::Borrowed),
                route: Some(Cow::Borrowed(&group.route)),
                status: group.status,
                count: Some(group.count),
                ..Observation::default()
            });
        });
    }
}
