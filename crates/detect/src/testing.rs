//! A small language for tests: one line is one observation, or many alike.
//!
//! ```text
//! 03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x5 every 10s
//! +1d 09:26:58.004 redeemed token=t1 src_ip=203.0.113.90 ua=mac
//! 09:00:00 requests route=/v1/sessions count=100 x30 every 60s
//! ```
//!
//! `{n}` in a value is the number of the repetition, and `+` in a route a space. [`check`] runs a
//! script straight through, cut into single observations, shuffled within the allowed lateness,
//! delivered twice, and restored from snapshots; all must end in the same alerts, which are then
//! compared with what is expected.

use std::collections::{BTreeMap, BTreeSet};

use event::ids::digest;
use event::{
    Alert, AlertChange, Change, EventTime, Observation, ObservationBatch, ObservationBatchBuilder,
    ObservationKind, SourceProgress,
};
use expect_test::Expect;

use crate::{DetectConfig, Engine, stable};

/// Monday, 2026-03-16T00:00:00Z.
pub(crate) const MONDAY: EventTime = EventTime(1_773_619_200_000);

const DAY_MS: i64 = 86_400_000;

/// An observation that owns its text.
pub(crate) type Owned = Observation<'static>;

/// Reads a script.
pub(crate) fn script(text: &str) -> Vec<Owned> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.enumerate().flat_map(|(n, line)| read_line(n, line)).collect()
}

fn read_line(line_number: usize, line: &str) -> Vec<Owned> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let day =
        words[0].strip_prefix('+').and_then(|day| day.strip_suffix('d')).map(|day| day.parse().unwrap());
    if day.is_some() {
        words.remove(0);
    }
    let start = MONDAY + day.unwrap_or(0_i64) * DAY_MS + time_of_day(words[0]);
    let (mut times, mut every_ms) = (1, 1_000);
    if let Some(at) = words.iter().position(|word| *word == "every") {
        every_ms =
            words[at + 1].strip_suffix('s').unwrap().parse::<f64>().map(|s| (s * 1_000.0) as i64).unwrap();
        words.truncate(at);
    }
    if let Some(repeat) = words.last().and_then(|word| word.strip_prefix('x')).and_then(|n| n.parse().ok()) {
        times = repeat;
        words.pop();
    }
    (0..times)
        .flat_map(|n| observe(start + n * every_ms, words[1], &words[2..], &format!("{line_number}-{n}"), n))
        .collect()
}

fn time_of_day(text: &str) -> i64 {
    let parts: Vec<f64> = text.split(':').map(|part| part.parse().unwrap()).collect();
    ((parts[0] * 3_600.0 + parts[1] * 60.0 + parts[2]) * 1_000.0).round() as i64
}

fn observe(time: EventTime, verb: &str, fields: &[&str], id: &str, n: i64) -> Vec<Owned> {
    let mut o = Owned {
        time: Some(time),
        ingest_time: Some(time),
        tenant: Some("prt_acme".into()),
        delivery: Some(digest(&[id.as_bytes()])),
        kafka_topic: Some("logs.prt_acme.auth".into()),
        kafka_partition: Some(0),
        kafka_offset: Some(n),
        kafka_line: Some(0),
        ..Owned::default()
    };
    let kinds: &[ObservationKind] = match verb {
        "login_failed" | "login" => {
            o.action = Some("login".into());
            o.outcome = Some(if verb == "login" { "success" } else { "failure" }.into());
            &[ObservationKind::AuthByAccount, ObservationKind::AuthByAddress]
        }
        "requests" => {
            o.status = Some(200);
            &[ObservationKind::Requests]
        }
        "lines" => {
            (o.count, o.delay_ms) = (Some(1), Some(0));
            &[ObservationKind::Source]
        }
        "secret" => &[ObservationKind::Secret],
        "signal" => &[ObservationKind::Signal],
        "called" => {
            o.action = Some("api.request".into());
            &[ObservationKind::Access]
        }
        "let_in" => {
            (o.action, o.outcome) = (Some("login".into()), Some("success".into()));
            &[ObservationKind::UserUse]
        }
        "used" => {
            (o.action, o.outcome) = (Some("api.request".into()), Some("success".into()));
            o.key_use = Some(1);
            &[ObservationKind::KeyUse]
        }
        "probe" => {
            (o.action, o.status) = (Some("http.request".into()), Some(404));
            &[ObservationKind::Probe]
        }
        _ => {
            o.action = Some(format!("session_token.{verb}").into());
            o.outcome = Some(if verb == "rejected" { "failure" } else { "success" }.into());
            &[ObservationKind::Token, ObservationKind::TokenOfTenant]
        }
    };
    for field in fields {
        let (name, value) = field.split_once('=').unwrap();
        set(&mut o, name, value.replace("{n}", &n.to_string()));
    }
    kinds.iter().map(|kind| Owned { kind: Some(kind.code()), ..o.clone() }).collect()
}

fn set(o: &mut Owned, name: &str, value: String) {
    match name {
        "src_ip" => {
            let v4 = value.rsplit_once('.').map(|(net, _)| format!("{net}.0/24"));
            let v6 = || value.split_once("::").map(|(net, _)| format!("{net}::/48"));
            let net = v4.or_else(v6);
            o.src_net = net.map(Into::into);
            o.src_ip = Some(value.into());
        }
        "action" => o.action = Some(value.into()),
        "user_ref" => o.user_ref = Some(value.into()),
        "api_key" => o.api_key = Some(value.into()),
        "token" => o.token_fp = Some(format!("hmac256:k1:{value}").into()),
        "ua" => o.ua_fp = Some(value.into()),
        "reason" => o.reason = Some(value.into()),
        "outcome" => o.outcome = Some(value.into()),
        "rehearsal" => o.rehearsal = value.parse().ok(),
        "sought" => o.sought = Some(value.into()),
        "env" => o.env = Some(value.into()),
        "partner" => o.partner_id = Some(value.into()),
        "origin" => o.origin_host = Some(value.into()),
        "bound" => o.bound_origin = Some(value.into()),
        "topic" => o.kafka_topic = Some(value.into()),
        "tenant" => o.tenant = Some(value.into()),
        "route" => o.route = Some(value.replace('+', " ").into()),
        "status" => o.status = value.parse().ok(),
        "count" => o.count = value.parse().ok(),
        "delay" => o.delay_ms = value.parse().ok(),
        "entity" => o.entity = Some(value.into()),
        "object" => o.object = Some(value.into()),
        "owner" => o.object_owner = Some(value.into()),
        "use" => o.key_use = value.parse().ok(),
        "country" => o.src_country = Some(value.into()),
        "lat" => o.src_lat = value.parse().ok(),
        "lon" => o.src_lon = value.parse().ok(),
        "asn" => o.src_asn = value.parse().ok(),
        "agent" => o.ua_family = Some(value.into()),
        "shipper" => o.shipper_id = Some(value.into()),
        "id" => o.delivery = Some(digest(&[value.as_bytes()])),
        "expires" => o.token_expires_at = Some(MONDAY + time_of_day(&value)),
        other => panic!("the test language has no field {other}"),
    }
}

/// An engine under test, with what it has said.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) changes: Vec<AlertChange>,
    newest: EventTime,
    tenants: BTreeSet<String>,
    config: DetectConfig,
}

impl Bench {
    pub(crate) fn new(config: &DetectConfig) -> Self {
        Self {
            engine: Engine::new(config),
            changes: Vec::new(),
            newest: EventTime::MIN,
            tenants: BTreeSet::from(["prt_acme".to_owned()]),
            config: config.clone(),
        }
    }

    /// One record with these observations, from one source of each tenant.
    pub(crate) fn record(&mut self, observations: &[Owned]) {
        let times = observations.iter().filter_map(|o| o.time);
        self.newest = times.fold(self.newest, EventTime::max);
        self.tenants.extend(observations.iter().filter_map(|o| o.tenant.as_deref().map(str::to_owned)));
        let progress: Vec<_> = self.tenants.iter().map(|tenant| self.progress(tenant, self.newest)).collect();
        let changes = self.engine.on_record(&batch(observations), &progress, self.newest);
        self.changes.extend(changes);
    }

    /// A tenant's only source has come so far.
    fn progress(&self, tenant: &str, event_time_max: EventTime) -> SourceProgress {
        let source = format!("logs.{tenant}.auth/0");
        SourceProgress::read(source, event_time_max, self.newest)
    }

    /// One record in which only this tenant's source goes on, and has come no further than so.
    pub(crate) fn record_lagging(&mut self, observations: &[Owned], tenant: &str, reached: EventTime) {
        let times = observations.iter().filter_map(|o| o.time);
        self.newest = times.fold(self.newest, EventTime::max);
        let progress = self.progress(tenant, reached);
        let changes = self.engine.on_record(&batch(observations), &[progress], self.newest);
        self.changes.extend(changes);
    }

    /// So long a silence after it that everything closes.
    pub(crate) fn finish(mut self) -> Self {
        let source = |tenant: &String| SourceProgress::at_end(format!("logs.{tenant}.auth/0"));
        let silent: Vec<_> = self.tenants.iter().map(source).collect();
        let changes = self.engine.on_record(&batch(&[]), &silent, self.newest + 3 * DAY_MS);
        self.changes.extend(changes);
        self
    }

    /// Stops, and goes on in another process.
    pub(crate) fn restart(&mut self) {
        let snapshot = self.engine.snapshot();
        self.engine = Engine::new(&self.config);
        self.engine.restore(&snapshot).unwrap();
        assert_eq!(self.engine.snapshot(), snapshot, "a snapshot of what was restored is the same");
    }

    /// The last state of each alert, without what may depend on the order of arrival.
    pub(crate) fn final_alerts(&self) -> BTreeMap<String, Alert> {
        let mut alerts = BTreeMap::new();
        let mut revisions: BTreeMap<&str, (u32, Alert)> = BTreeMap::new();
        for change in &self.changes {
            let known = revisions.get(&*change.alert.alert_id);
            match known {
                None => assert_eq!(
                    (change.change, change.revision),
                    (Change::Create, 0),
                    "{:?}",
                    change.alert.class
                ),
                Some((revision, before)) => {
                    assert_eq!(change.revision, revision + 1);
                    assert!(change.alert.severity >= before.severity, "severity only rises");
                    assert!(before.episode_open, "nothing is said after the close");
                }
            }
            assert!(change.alert.dedup_key.len() <= 255 && change.alert.evidence.len() <= 10);
            assert!(change.alert.evidence.is_sorted_by_key(|event| (event.time, event.position.clone())));
            revisions.insert(&change.alert.alert_id, (change.revision, change.alert.clone()));
        }
        for (id, (_, alert)) in revisions {
            alerts.insert(id.to_owned(), Alert { ingested_at: EventTime(0), ..alert });
        }
        alerts
    }
}

/// A batch of observations.
pub(crate) fn batch(observations: &[Owned]) -> ObservationBatch {
    let mut builder = ObservationBatchBuilder::default();
    observations.iter().for_each(|o| builder.append(o));
    builder.finish()
}

/// In order of event time, in batches of at most `size`, restarted every `restart_every` batches.
pub(crate) fn run(config: &DetectConfig, observations: &[Owned], size: usize, restart_every: usize) -> Bench {
    let mut bench = Bench::new(config);
    for (n, chunk) in observations.chunks(size).enumerate() {
        bench.record(chunk);
        if restart_every > 0 && (n + 1) % restart_every == 0 {
            bench.restart();
        }
    }
    bench.finish()
}

/// Delays each observation by up to `within_ms`.
pub(crate) fn shuffled(observations: &[Owned], within_ms: i64, seed: u64) -> Vec<Owned> {
    let mut delayed: Vec<_> = observations
        .iter()
        .enumerate()
        .map(|(n, o)| {
            let delay = stable::hash(&[&seed.to_string(), &n.to_string()]) % within_ms as u64;
            (o.time.unwrap() + delay as i64, n, o.clone())
        })
        .collect();
    delayed.sort_by_key(|(arrival, n, _)| (*arrival, *n));
    delayed.into_iter().map(|(.., o)| o).collect()
}

/// Delivers each observation again, some seconds later.
pub(crate) fn doubled(observations: &[Owned], seed: u64) -> Vec<Owned> {
    shuffled(&[observations, observations].concat(), 60_000, seed)
}

/// Checks the final alerts of a script, however it is delivered.
pub(crate) fn check(text: &str, expected: Expect) {
    check_with(&DetectConfig::default(), text, expected);
}

/// [`check`] with another config.
pub(crate) fn check_with(config: &DetectConfig, text: &str, expected: Expect) {
    let mut observations = script(text);
    observations.sort_by_key(|o| o.time);
    let straight = run(config, &observations, 64, 0);
    let alerts = straight.final_alerts();
    let size = observations.len().max(1);
    for (how, other) in [
        ("cut into single observations", run(config, &observations, 1, 0)),
        ("in one batch", run(config, &observations, size, 0)),
        ("restarted", run(config, &observations, 7, 3)),
        ("shuffled", run(config, &shuffled(&observations, 110_000, 1), 5, 0)),
        ("delivered twice", run(config, &doubled(&observations, 2), 11, 4)),
    ] {
        assert_same(how, &alerts, &other.final_alerts());
    }
    expected.assert_eq(&summary(&alerts));
}

/// Checks that a script ends in the same alerts re-cut, restarted, shuffled and delivered twice.
pub(crate) fn check_any_way(
    config: &DetectConfig,
    text: &str,
    (seed, size, restart_every): (u64, usize, usize),
) {
    let mut facts = script(text);
    facts.sort_by_key(|fact| fact.time);
    let straight = run(config, &facts, 16, 0).final_alerts();
    for (how, other) in [
        ("re-cut", run(config, &facts, size, 0)),
        ("restarted", run(config, &facts, size, restart_every)),
        ("shuffled", run(config, &shuffled(&facts, 110_000, seed), size, 0)),
        ("delivered twice", run(config, &doubled(&facts, seed), size, 0)),
    ] {
        assert_same(how, &straight, &other.final_alerts());
    }
}

/// How a script is cut: a seed, observations in a batch, batches between restarts.
pub(crate) fn cuts() -> impl proptest::strategy::Strategy<Value = (u64, usize, usize)> {
    use proptest::prelude::*;
    (any::<u64>(), 1..40_usize, prop_oneof![Just(0), 2..9_usize])
}

/// Fails with the first difference between two sets of alerts.
pub(crate) fn assert_same(how: &str, expected: &BTreeMap<String, Alert>, found: &BTreeMap<String, Alert>) {
    assert_eq!(summary(expected), summary(found), "{how}");
    for (id, alert) in expected {
        assert_eq!(Some(alert), found.get(id), "{how}");
    }
}

/// One line an alert: what on-call would see.
pub(crate) fn summary(alerts: &BTreeMap<String, Alert>) -> String {
    let mut alerts: Vec<_> = alerts.values().collect();
    alerts.sort_by_key(|alert| (alert.first_seen, &alert.class, &alert.alert_id));
    let line = |alert: &Alert| {
        let clock = |time: EventTime| time.to_rfc3339()[11..19].to_owned();
        let flags = [(alert.page, " page"), (alert.late, " late"), (alert.approx, " approx")];
        let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
        format!(
            "{} {}{flags} {} count={} {} to {}\n",
            alert.class,
            alert.severity.as_str(),
            alert.entity,
            alert.count,
            clock(alert.first_seen),
            clock(alert.last_seen),
        )
    };
    alerts.into_iter().map(line).collect()
}
