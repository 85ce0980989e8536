//! What tells one delivery of a line from another, what is told of who sent it, and that a stored event is told
//! again as its line was.

use std::sync::Arc;

use event::{EventTime, LogTopic, Observation, ObservationBatch, ObservationKind, RawLog};

use super::{HTTP, TOKEN, events, partner, sources};
use crate::feed::{NOW, feed, feed_at, normalizer, read};

/// The delivery id of a line that comes at an offset, with a record's shipper sequence or without.
fn delivery(
    line: &str,
    offset: i64,
    shipper: Option<(&str, i64)>,
) -> Result<[u8; 16], (Option<i64>, Option<i32>)> {
    let mut normalizer = normalizer(1, &[]);
    let source = LogTopic::new("prt_acme", "edge").unwrap();
    let topic: Arc<str> = source.name().into();
    normalizer.normalize(&RawLog {
        source: &source,
        topic: &topic,
        partition: 0,
        offset,
        broker_time: NOW,
        payload: line.as_bytes(),
        format: None,
        shipper_id: shipper.map(|(id, _)| id),
        shipper_seq: shipper.map(|(_, seq)| seq),
        redriven_from: None,
    });
    told_by(&normalizer.finish().observations[0].row(0))
}

/// What tells a delivery from others: its id, or where it stands.
fn told_by(row: &Observation<'_>) -> Result<[u8; 16], (Option<i64>, Option<i32>)> {
    row.delivery.ok_or((row.kafka_offset, row.kafka_line))
}

#[test]
fn a_line_that_is_delivered_twice_is_known_by_its_sequence() {
    let with = partner("session_token.revoked", &format!(r#"{TOKEN},"seq":5"#));
    let without = partner("session_token.revoked", TOKEN);
    assert_eq!(delivery(&with, 1, None), delivery(&with, 2, None));
    assert_ne!(delivery(&with, 1, None), delivery(&with.replace(":5}", ":6}"), 1, None));
    assert_ne!(delivery(&without, 1, None), delivery(&without, 2, None));
    assert_eq!(delivery(&without, 1, Some(("s", 9))), delivery(&without, 2, Some(("s", 9))));
    assert_ne!(delivery(&without, 1, Some(("s", 9))), delivery(&without, 2, Some(("t", 9))));
}

#[test]
fn a_line_without_a_sequence_is_known_by_its_event_id_or_its_content() {
    let with_id = partner("session_token.redeemed", &format!(r#"{TOKEN},"event_id":"e1""#));
    assert_eq!(delivery(&with_id, 1, None), delivery(&with_id, 2, None));
    assert_ne!(delivery(&with_id, 1, None), delivery(&with_id.replace("e1", "e2"), 1, None));
    let fine =
        partner("session_token.redeemed", &format!(r#"{TOKEN},"request_id":"r1""#)).replace("00Z", "00.589Z");
    assert_eq!(delivery(&fine, 1, None), delivery(&fine, 2, None));
    assert_ne!(delivery(&fine, 1, None), delivery(&fine.replace("r1", "r2"), 1, None));
    let nginx = r#"192.0.2.9 - - [14/Mar/2026:09:30:00 +0000] "GET /a HTTP/1.1" 401 5 "-" "curl""#;
    assert_ne!(delivery(nginx, 1, None), delivery(nginx, 2, None));
}

#[test]
fn equal_lines_of_one_record_are_two_and_of_two_records_one() {
    let line = partner("session_token.redeemed", &format!("{TOKEN}{HTTP}")).replace("00Z", "00.589Z");
    let told = |records: &[&str]| {
        let mut normalizer = normalizer(1, &[]);
        for (offset, record) in records.iter().enumerate() {
            feed(&mut normalizer, offset as i64, record.as_bytes(), None);
        }
        let read = normalizer.finish();
        let rows: Vec<Observation<'_>> = events(&read.observations[0]).collect();
        let tokens: std::collections::BTreeSet<_> =
            rows.iter().filter(|row| row.kind == Some(ObservationKind::Token.code())).map(told_by).collect();
        let requests: i64 = rows.iter().filter_map(|row| row.count).sum();
        (tokens.len(), requests)
    };
    assert_eq!(told(&[&format!("{line}\n{line}")]), (2, 2));
    assert_eq!(told(&[&line, &line]), (1, 1));
    let numbered = |seq: u8| line.replace("}}", &format!("}},\"seq\":{seq}}}"));
    assert_eq!(told(&[&numbered(1), &numbered(1), &numbered(2)]), (2, 2));
}

#[test]
fn lines_are_told_by_shipper_minute_and_delay() {
    let mut normalizer = normalizer(1, &[]);
    let line = |at: i64| partner("api.request", HTTP).replace("2026-03-14T09:30:00Z", &stamp(at));
    let minute = NOW.floor(60_000);
    for (offset, (at, delay_ms)) in
        [(1_000, 20), (3_000, 400), (5_000, -600_300), (61_000, 20), (2_000, 30)].into_iter().enumerate()
    {
        let at = minute + at;
        feed_at(&mut normalizer, offset as i64, line(at.millis() - delay_ms).as_bytes(), None, at);
    }
    feed_at(&mut normalizer, 5, b"no log line", None, minute + 7_000);
    let read = normalizer.finish();
    let told: Vec<_> = sources(&read.observations[0])
        .into_iter()
        .map(|o| (o.time.unwrap() - minute, o.ingest_time.unwrap() - minute, o.delay_ms, o.count.unwrap()))
        .collect();
    let expected = [
        (1_000, 3_000, Some(20), 3),
        (5_000, 5_000, Some(-600_300), 1),
        (61_000, 61_000, Some(20), 1),
        (7_000, 7_000, None, 1),
    ];
    assert_eq!(told, expected);
    assert_eq!(sources(&read.observations[0])[0].kafka_offset, Some(1), "the one that arrived last");
}

fn stamp(millis: i64) -> String {
    EventTime(millis).to_rfc3339()
}

#[test]
fn a_stored_event_is_told_again_as_its_line_was() {
    let mut first = normalizer(4, &[]);
    let schemas = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let mut offset = 0;
    for source in schemas.read_dir().unwrap() {
        let Ok(sample) = std::fs::read_to_string(source.unwrap().path().join("sample.log")) else { continue };
        for record in sample.lines().collect::<Vec<_>>().chunks(3) {
            feed(&mut first, offset, record.join("\n").as_bytes(), None);
            offset += 1;
        }
    }
    let ahead = partner("session_token.issued", TOKEN).replace("09:30:00Z", "19:30:00Z");
    feed(&mut first, offset, ahead.as_bytes(), None);
    let read = first.finish();
    let mut second = normalizer(4, &[]);
    assert!(read.events.rows().all(|event| second.again(&event)));
    let again = second.finish();
    assert_eq!((again.events.len(), again.counts.events), (0, read.events.len() as u64));
    for (told, told_again) in read.observations.iter().zip(&again.observations) {
        let readable = |batch: &ObservationBatch| -> Vec<String> {
            let is_readable =
                |o: &Observation<'_>| o.kind != Some(ObservationKind::Source.code()) || o.delay_ms.is_some();
            batch.rows().filter(is_readable).map(|o| format!("{o:?}")).collect()
        };
        assert_eq!(readable(told), readable(told_again));
    }
    assert!(read.observations.iter().flat_map(sources).any(|o| o.delay_ms < Some(-30_000_000)));
}

#[test]
fn an_event_that_does_not_say_what_was_told_of_it_cannot_be_told_again() {
    let read = read(partner("session_token.issued", TOKEN), None);
    let mut event = read.events.row(0);
    event.observed = None;
    assert!(!normalizer(1, &[]).again(&event));
    event.observed = Some("telepathy".into());
    assert!(!normalizer(1, &[]).again(&event));
}
