//! What tests hold in their hands: alerts, a clock, destinations and receivers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use event::{Alert, AlertChange, Change, EventTime, Positions, Severity, Tenant};
use secrecy::SecretString;

use crate::budget::Budget;
use crate::courier::{Courier, Now};
use crate::{Control, Destination, DestinationConfig, OutboxCounters};

pub(crate) mod receiver;

pub(crate) const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const SIGNING_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// 2026-03-14T09:26:54Z.
pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_773_480_414, 0).unwrap()
}

pub(crate) fn tenant(id: &str) -> Tenant {
    Tenant::parse(id).unwrap()
}

/// A failed-login burst of one partner that pages.
pub(crate) fn alert(tenant_id: &str, entity: &str) -> Alert {
    let at = EventTime::from_millis(1_773_480_418_004);
    let dedup_key = format!("{tenant_id}/auth.bruteforce/{entity}/20260314T0926");
    Alert {
        alert_id: event::ids::alert_id("failed_login", &dedup_key),
        dedup_key,
        detector: "failed_login".into(),
        class: "auth.bruteforce".into(),
        rule_version: "1.0.0".into(),
        title: "many failed logins for one user".into(),
        description: "usr_1 failed 21 times in 60 s.".into(),
        tenant: tenant(tenant_id),
        entity_type: "user".into(),
        entity: entity.into(),
        severity: Severity::High,
        page: true,
        confidence: 80,
        triggered_at: at,
        ingested_at: at,
        first_seen: at,
        last_seen: at,
        count: 21,
        observed: 21.0,
        threshold: 20.0,
        baseline: None,
        parameters: BTreeMap::new(),
        details: BTreeMap::new(),
        techniques: Vec::new(),
        owasp_api: Some("API2".into()),
        owasp_event: None,
        evidence: Vec::new(),
        query_sql: "SELECT 1".into(),
        episode_open: true,
        late: false,
        approx: false,
    }
}

pub(crate) fn created(alert: &Alert) -> AlertChange {
    AlertChange { change: Change::Create, revision: 0, alert: alert.clone() }
}

/// The alert with so many events, as a later revision.
pub(crate) fn updated(alert: &Alert, revision: u32) -> AlertChange {
    let alert = Alert { count: alert.count + u64::from(revision), ..alert.clone() };
    AlertChange { change: Change::Update, revision, alert }
}

pub(crate) fn raised(alert: &Alert, revision: u32, severity: Severity) -> AlertChange {
    let mut change = updated(alert, revision);
    change.alert.severity = severity;
    change
}

pub(crate) fn closed(alert: &Alert, revision: u32) -> AlertChange {
    let alert = Alert { episode_open: false, ..alert.clone() };
    AlertChange { change: Change::Close, revision, alert }
}

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(start().timestamp_millis())))
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn set(&self, at: DateTime<Utc>) {
        self.0.store(at.timestamp_millis(), Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.set(self.now() + by);
    }
}

pub(crate) fn pagerduty(base_url: &str) -> Destination {
    let config = format!(
        r#"{{"name": "pd", "kind": "pagerduty", "base_url": "{base_url}", "allow_private": true, "routing_key_env": "PD_KEY", "timeout_seconds": 1}}"#
    );
    destination(&config, ROUTING_KEY)
}

pub(crate) fn webhook(url: &str) -> Destination {
    let config = format!(
        r#"{{"name": "hook", "kind": "webhook", "url": "{url}", "allow_private": true, "secret_env": "HOOK_SECRET", "timeout_seconds": 1}}"#
    );
    destination(&config, SIGNING_SECRET)
}

pub(crate) fn destination(config: &str, secret: &str) -> Destination {
    let config: DestinationConfig = serde_json::from_str(config).unwrap();
    Destination::new(&config, SecretString::from(secret)).unwrap()
}

/// A control plane with one destination, its courier, and the clock that drives it.
pub(crate) struct Bench {
    pub(crate) control: Control,
    pub(crate) courier: Courier,
    pub(crate) counters: OutboxCounters,
    pub(crate) clock: HandClock,
}

impl Bench {
    pub(crate) async fn new(destination: Destination) -> Self {
        Self::on(Control::in_memory().await.unwrap(), destination, HandClock::new()).await
    }

    pub(crate) async fn on(control: Control, destination: Destination, clock: HandClock) -> Self {
        let control = control.with_clock(start);
        control.set_destinations(std::slice::from_ref(&destination)).await.unwrap();
        let counters = OutboxCounters::new(std::slice::from_ref(&destination));
        let held = clock.clone();
        let now: Now = Arc::new(move || held.now());
        let courier = Courier {
            budget: Budget::new(destination.rate_per_minute),
            counters: counters.of(&destination),
            control: control.clone(),
            public_url: Some("https://sec.example/".parse().unwrap()),
            now,
            destination,
        };
        Self { control, courier, counters, clock }
    }

    pub(crate) async fn apply(&self, changes: &[AlertChange]) -> crate::Applied {
        self.control.apply(changes, &Positions::default(), self.clock.now()).await.unwrap()
    }

    /// Sends everything that is due, moving the clock to whatever is due next, for so long.
    pub(crate) async fn run_for(&mut self, duration: TimeDelta) {
        let end = self.clock.now() + duration;
        while let Some(next) = self.courier.turn().await.unwrap() {
            if next > end {
                break;
            }
            self.clock.set(next.max(self.clock.now()));
        }
        self.clock.set(end);
    }
}
