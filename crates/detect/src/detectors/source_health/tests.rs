use std::collections::BTreeMap;

use event::{Alert, AlertChange, Change, Observation, SourceProgress};
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::testing::{MONDAY, batch, summary};
use crate::{DetectConfig, Engine};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

type Owned = Observation<'static>;

/// Lines of a feed that arrived at one moment.
fn lines(feed: &str, at: i64, delay_ms: i64, count: i64) -> Owned {
    let at = MONDAY + at;
    Owned {
        kind: Some(ObservationKind::Source.code()),
        time: Some(at),
        ingest_time: Some(at),
        tenant: Some("prt_acme".into()),
        kafka_topic: Some(format!("logs.prt_acme.{feed}").into()),
        kafka_partition: Some(0),
        kafka_offset: Some(at.millis()),
        kafka_line: Some(0),
        shipper_id: Some("shp_1".into()),
        delay_ms: Some(delay_ms),
        count: Some(count),
        ..Owned::default()
    }
}

/// One line every so often, from one moment to another.
fn every(feed: &str, period: i64, from: i64, to: i64) -> Vec<Owned> {
    (from..to).step_by(period as usize).map(|at| lines(feed, at, 100, 1)).collect()
}

fn issuing(lines: Vec<Owned>) -> Vec<Owned> {
    let issued = |o| Owned { action: Some("session_token.issued".into()), ..o };
    lines.into_iter().map(issued).collect()
}

/// An engine whose sources are read as they come, and vouched for every half minute.
struct Watch {
    engine: Engine,
    changes: Vec<AlertChange>,
    now: i64,
}

impl Watch {
    fn new() -> Self {
        Self { engine: Engine::new(&DetectConfig::default()), changes: Vec::new(), now: 0 }
    }

    fn record(&mut self, observations: &[Owned], at_end: &[&str]) {
        let read = observations.iter().map(|o| {
            let source = format!("{}/0", o.kafka_topic.as_deref().unwrap());
            SourceProgress::read(source, o.time.unwrap(), o.ingest_time.unwrap())
        });
        let ends = at_end.iter().map(|feed| SourceProgress::at_end(format!("logs.prt_acme.{feed}/0")));
        let progress: Vec<_> = read.chain(ends).collect();
        let now = MONDAY + self.now;
        self.changes.extend(self.engine.on_record(&batch(observations), &progress, now));
    }

    /// Reads what comes until then.
    fn until(self, to: i64, observations: &[Owned]) -> Self {
        let feeds: std::collections::BTreeSet<_> = observations
            .iter()
            .map(|o| o.kafka_topic.as_deref().unwrap().rsplit_once('.').unwrap().1)
            .collect();
        let feeds: Vec<_> = feeds.into_iter().collect();
        self.reads(to, observations, &feeds)
    }

    /// The same, of feeds from which nothing may come any more.
    fn reads(mut self, to: i64, observations: &[Owned], feeds: &[&str]) -> Self {
        let mut left = observations;
        while self.now < to {
            self.now += 30_000;
            let come = left.partition_point(|o| o.ingest_time.unwrap() <= MONDAY + self.now);
            let (read, rest) = left.split_at(come);
            self.record(read, feeds);
            left = rest;
        }
        self
    }

    fn restarted(mut self) -> Self {
        let state = self.engine.snapshot();
        self.engine = Engine::new(&DetectConfig::default());
        self.engine.restore(&state).unwrap();
        self
    }

    fn last(&self) -> BTreeMap<String, Alert> {
        let last = self.changes.iter().map(|change| (change.alert.alert_id.clone(), change.alert.clone()));
        last.collect()
    }

    fn check(&self, expected: Expect) {
        expected.assert_eq(&summary(&self.last()));
    }

    fn told(&self) -> Vec<(Change, Severity)> {
        self.changes.iter().map(|change| (change.change, change.alert.severity)).collect()
    }
}

fn in_order(parts: Vec<Vec<Owned>>) -> Vec<Owned> {
    let mut all = parts.concat();
    all.sort_by_key(|o| o.ingest_time);
    all
}

/// Two hours of lines, two of silence, one more of lines.
fn outage() -> Vec<Owned> {
    let minutely = |from, to| every("auth", MINUTE_MS, from * HOUR_MS, to * HOUR_MS);
    in_order(vec![minutely(8, 10), minutely(12, 13), every("web", MINUTE_MS, 8 * HOUR_MS, 13 * HOUR_MS)])
}

/// The same a day later, after a day of lines.
fn outage_on_the_second_day() -> Vec<Owned> {
    let later = |o: Owned| Owned {
        time: o.time.map(|at| at + DAY_MS),
        ingest_time: o.ingest_time.map(|at| at + DAY_MS),
        ..o
    };
    let before = ["auth", "web"].map(|feed| every(feed, MINUTE_MS, 0, DAY_MS + 8 * HOUR_MS));
    in_order(before.into_iter().chain([outage().into_iter().map(later).collect()]).collect())
}

#[test]
fn a_feed_that_falls_silent_is_told_within_minutes_and_once() {
    let watch = Watch::new().until(13 * HOUR_MS, &outage());
    assert_eq!(watch.told(), [(Change::Create, Severity::Medium), (Change::Close, Severity::Medium)]);
    let [created, closed] = &watch.changes[..] else { panic!("two changes") };
    let time = |at: EventTime| at.to_rfc3339()[11..19].to_owned();
    assert_eq!(
        (time(created.alert.first_seen), time(created.alert.triggered_at)),
        ("09:59:00".into(), "10:09:00".into())
    );
    assert_eq!(time(closed.alert.last_seen), "12:00:00");
    expect!["prt_acme: nothing came from logs.prt_acme.auth for 2 h"].assert_eq(&closed.alert.title);
    watch.check(expect![[r#"
        source.silent medium logs.prt_acme.auth count=1 09:59:00 to 12:00:00
    "#]]);
}

#[test]
fn silence_where_tokens_are_issued_wakes_somebody_once_it_is_known_when_they_are() {
    let watch = Watch::new().until(DAY_MS + 13 * HOUR_MS, &issuing(outage_on_the_second_day()));
    assert_eq!(watch.told(), [(Change::Create, Severity::High), (Change::Close, Severity::High)]);
    assert!(watch.changes[0].alert.page);
    assert!(watch.changes[0].alert.description.contains("look as if they never were"));
    let first_day = Watch::new().until(13 * HOUR_MS, &issuing(outage()));
    assert_eq!(first_day.told(), [(Change::Create, Severity::Medium), (Change::Close, Severity::Medium)]);
}

#[test]
fn what_lies_unread_is_no_silence() {
    let mut watch = Watch::new().until(10 * HOUR_MS, &every("auth", MINUTE_MS, 8 * HOUR_MS, 10 * HOUR_MS));
    // Its reader is gone; another feed goes on.
    while watch.now < 12 * HOUR_MS {
        watch.now += 30_000;
        let at = watch.now;
        watch.record(&[lines("web", at, 50, 1)], &[]);
    }
    assert_eq!(watch.told(), []);
    // What had come meanwhile is read, and there was no silence.
    let watch = watch.until(13 * HOUR_MS, &every("auth", MINUTE_MS, 10 * HOUR_MS, 13 * HOUR_MS));
    assert_eq!(watch.told(), []);
}

#[test]
fn a_silence_that_is_found_in_a_backlog_is_the_same_alert_and_wakes_nobody() {
    let outage = issuing(outage_on_the_second_day());
    let live = Watch::new().until(DAY_MS + 13 * HOUR_MS, &outage);
    let mut late = Watch::new();
    late.now = DAY_MS + 13 * HOUR_MS;
    outage.chunks(7).for_each(|read| late.record(read, &[]));
    late.now += 30_000;
    late.record(&[], &["auth", "web"]);
    assert_eq!(late.told(), [(Change::Create, Severity::Medium), (Change::Close, Severity::Medium)]);
    assert_eq!(live.last().keys().collect::<Vec<_>>(), late.last().keys().collect::<Vec<_>>());
    assert!(!late.changes[0].alert.page);
}

#[test]
fn when_nobody_watched_nobody_knows_whether_a_feed_was_silent() {
    let before = every("auth", MINUTE_MS, 8 * HOUR_MS, 10 * HOUR_MS);
    let mut watch = Watch::new().until(10 * HOUR_MS, &before);
    // The brokers are away for two hours.
    watch.now = 12 * HOUR_MS;
    watch.record(&[], &["auth"]);
    let mut vouched_until = |to: i64| {
        while watch.now < to {
            watch.now += 30_000;
            watch.record(&[], &["auth"]);
        }
        watch.told()
    };
    assert_eq!(vouched_until(12 * HOUR_MS + 9 * MINUTE_MS), []);
    // It is still silent, and now somebody watches.
    assert_eq!(vouched_until(12 * HOUR_MS + 12 * MINUTE_MS), [(Change::Create, Severity::Medium)]);
}

/// Lines from nine to half past five, but for two hours of one day, and not at the weekend.
fn office(days: i64, outage_on: i64) -> Vec<Owned> {
    let hours = |day: i64| {
        let (opens, closes) = (day * DAY_MS + 9 * HOUR_MS, day * DAY_MS + 17 * HOUR_MS + 30 * MINUTE_MS);
        let all = every("auth", MINUTE_MS, opens, closes);
        let away = MONDAY + day * DAY_MS + 11 * HOUR_MS;
        all.into_iter()
            .filter(|o| day != outage_on || !(away..away + 2 * HOUR_MS).contains(&o.time.unwrap()))
            .collect::<Vec<_>>()
    };
    (0..days).filter(|day| day % 7 < 5).flat_map(hours).collect()
}

#[test]
fn nights_and_weekends_become_usual_and_an_outage_does_not() {
    let watch = Watch::new().until(16 * DAY_MS, &office(16, 15));
    let told = watch.last();
    let days: BTreeMap<_, _> =
        told.values().map(|alert| ((alert.first_seen - MONDAY) / DAY_MS, alert)).collect();
    // The first night, the first Saturday, and the outage on the third Tuesday.
    assert_eq!(days.keys().collect::<Vec<_>>(), [&0, &4, &15], "{}", summary(&told));
    assert_eq!(days[&15].first_seen, MONDAY + 15 * DAY_MS + 11 * HOUR_MS - MINUTE_MS);
}

#[test]
fn a_feed_that_speaks_once_an_hour_is_not_silent_in_between() {
    let hourly = every("batch", HOUR_MS, 0, 3 * DAY_MS);
    let watch = Watch::new().until(3 * DAY_MS, &hourly);
    assert_eq!(watch.told(), []);
    let watch = watch.until(3 * DAY_MS + 4 * HOUR_MS, &every("batch", HOUR_MS, 10 * DAY_MS, 10 * DAY_MS + 1));
    watch.check(expect![[r#"
        source.silent medium logs.prt_acme.batch count=1 23:00:00 to 02:43:43
    "#]]);
}

#[test]
fn a_clock_ten_minutes_ahead_is_told_until_it_is_right() {
    let stamped = |delay_ms, from, to| -> Vec<Owned> {
        (from..to).map(|minute| lines("auth", minute * MINUTE_MS, delay_ms, 10)).collect()
    };
    let all = [stamped(50, 0, 30), stamped(-600_400, 30, 60), stamped(50, 60, 90)].concat();
    let watch = Watch::new().until(95 * MINUTE_MS, &all);
    watch.check(expect![[r#"
        source.clock_skew medium logs.prt_acme.auth shp_1 count=300 00:39:00 to 00:59:00
    "#]]);
    let [created, .., closed] = &watch.changes[..] else { panic!("it opens and closes") };
    assert_eq!((created.change, closed.change), (Change::Create, Change::Close));
    expect!["prt_acme: the clock of logs.prt_acme.auth shp_1 is 10 min ahead"]
        .assert_eq(&created.alert.title);
    assert_eq!((created.alert.observed, created.alert.threshold), (600.0, 5.0));
}

#[test]
fn a_shipper_of_few_lines_is_judged_by_those_of_an_hour() {
    let minutely: Vec<_> = (0..180).map(|minute| lines("auth", minute * MINUTE_MS, -31_000, 1)).collect();
    Watch::new().until(182 * MINUTE_MS, &minutely).check(expect![[r#"
        source.clock_skew low logs.prt_acme.auth shp_1 count=150 00:49:00 to 02:29:00
    "#]]);
}

#[test]
fn a_clock_is_ahead_where_half_of_its_lines_are() {
    let mixed = |ahead: i64| -> Vec<Owned> {
        let minute = |minute| {
            [
                lines("auth", minute * MINUTE_MS, -7_000, ahead),
                lines("auth", minute * MINUTE_MS, 9, 10 - ahead),
            ]
        };
        (0..20).flat_map(minute).collect()
    };
    assert_eq!(Watch::new().until(HOUR_MS, &mixed(4)).told(), []);
    Watch::new().until(HOUR_MS, &mixed(5)).check(expect![[r#"
        source.clock_skew low logs.prt_acme.auth shp_1 count=200 00:09:00 to 00:19:00
    "#]]);
}

#[test]
fn a_backlog_that_is_sent_is_no_wrong_clock_and_a_clock_that_is_behind_is() {
    let delayed = |delay_of: fn(i64) -> i64| -> Vec<Owned> {
        (0..60).map(|minute| lines("auth", minute * MINUTE_MS, delay_of(minute), 10)).collect()
    };
    // Two hours of a backlog, an hour of which is gone after half an hour.
    let catching_up = delayed(|minute| (2 * HOUR_MS - 2 * minute * MINUTE_MS).max(50));
    assert_eq!(Watch::new().until(HOUR_MS, &catching_up).told(), []);
    let batches = delayed(|minute| (9 - minute % 10) * MINUTE_MS + 50);
    assert_eq!(Watch::new().until(HOUR_MS, &batches).told(), []);
    let behind = delayed(|minute| 3 * MINUTE_MS + minute);
    Watch::new().until(65 * MINUTE_MS, &behind).check(expect![[r#"
        source.clock_skew low logs.prt_acme.auth shp_1 count=400 00:29:00 to 00:59:00
    "#]]);
    let history = delayed(|_| 400 * DAY_MS);
    assert_eq!(Watch::new().until(HOUR_MS, &history).told(), []);
}

#[test]
fn feeds_and_shippers_beyond_the_bound_are_counted_and_not_watched() {
    let config = DetectConfig {
        source_health: SourceHealthConfig {
            feeds_per_tenant_max: 1,
            shippers_per_feed_max: 1,
            ..SourceHealthConfig::default()
        },
        ..DetectConfig::default()
    };
    let mut detector = SourceHealth::new(&Rules::from(&config));
    let other_shipper = Owned { shipper_id: Some("shp_2".into()), ..lines("auth", 0, 0, 1) };
    let observations = batch(&[lines("auth", 0, 0, 1), other_shipper, lines("web", 0, 0, 1)]);
    detector.on_batch(&observations, &Watermarks::default(), &mut AlertChanges::default());
    assert_eq!((detector.stats().keys, detector.stats().evicted_total), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn however_a_backlog_is_cut_and_wherever_it_is_restarted_the_alerts_are_the_same(
        cuts in proptest::collection::vec(1_usize..60, 1..40),
        restart in 0_usize..20,
    ) {
        let ahead = (0..60).map(|minute| lines("web", 8 * HOUR_MS + minute * MINUTE_MS, -20_000, 10)).collect();
        let all = in_order(vec![outage(), ahead]);
        let run = |cuts: &[usize], restart: usize| {
            let (mut watch, mut left, mut cut) = (Watch::new(), &all[..], 0);
            watch.now = 13 * HOUR_MS;
            while !left.is_empty() {
                let (read, rest) = left.split_at(cuts[cut % cuts.len()].min(left.len()));
                watch.record(read, &[]);
                cut += 1;
                if cut == restart {
                    watch = watch.restarted();
                }
                left = rest;
            }
            watch.now += 30_000;
            watch.record(&[], &["auth", "web"]);
            watch
        };
        let (straight, other) = (run(&[all.len()], 0), run(&cuts, restart));
        prop_assert_eq!(straight.last(), other.last());
        prop_assert_eq!(straight.last().len(), 2);
    }
}

/// What a feed says in one minute, or that it says nothing for some.
fn spell() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    let chatter = (5_usize..40, prop_oneof![Just(60), Just(90), Just(150)], Just(80_i64), 1_i64..9);
    let skewed = (5_usize..40, Just(60), prop_oneof![-900_000_i64..-3_000, 110_000_i64..400_000], 1_i64..9);
    let steady = prop_oneof![3 => chatter, 2 => skewed].prop_map(|(times, gap_s, delay_ms, count)| {
        (0..times as i64)
            .map(|n| (gap_s * SECOND_MS + n % 7, delay_ms + n % 5 * SECOND_MS, count))
            .collect::<Vec<_>>()
    });
    let pause = (3_i64..90).prop_map(|minutes| vec![(minutes * MINUTE_MS, 80, 1)]);
    prop_oneof![4 => steady, 1 => pause]
}

const SECOND_MS: i64 = 1_000;

proptest! {
    #![proptest_config(crate::tests::cases(100))]
    #[test]
    fn sources_are_judged_as_the_oracle_judges_them(
        spells in proptest::collection::vec(spell(), 1..8),
        restart in 0_i64..12,
        rest_minutes in 0_i64..150,
    ) {
        let (mut at, mut all) = (HOUR_MS, Vec::new());
        for (gap_ms, delay_ms, count) in spells.concat() {
            at += gap_ms;
            all.push(lines("auth", at, delay_ms, count));
        }
        let ends = at + rest_minutes * MINUTE_MS + 90_000;
        let watch = Watch::new().until(at * restart / 12, &all).restarted();
        let read = all.partition_point(|o| o.ingest_time.unwrap() <= MONDAY + watch.now);
        let watch = watch.reads(ends, &all[read..], &["auth"]);
        let found: BTreeSet<_> = watch.last().values().map(crate::tests::verdict).collect();
        prop_assert_eq!(found, testkit::oracle::source_health(&all, MONDAY + watch.now));
    }
}
