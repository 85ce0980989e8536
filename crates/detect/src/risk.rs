//! Risk: what the alerts of several detectors amount to, of one partner, API key, user or network.
//!
//! Each alert adds points to all that it is about (`subject.rs`); half of them are gone a day later. Where
//! they come to enough, from several detectors or tactics, the entity itself is an alert, once a day (`day.rs`).
//!
//! What is kept of alerts is a set of facts that only ever grow: earliest trigger, latest event, worst
//! severity. In whatever order the changes of alerts come, and however often, it is the same days that are
//! told; and since more facts are never fewer points, what was told was right. So nothing waits for a
//! watermark, of which this topic has none.

mod classes;
mod config;
mod day;
mod describe;
mod entity;
mod score;
mod signal;
mod subject;

use event::{AlertChange, EventTime};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::detector::{AlertChanges, BadState, DetectorState, DetectorStats};
use crate::keyed::SlotId;
use crate::rules::Rules;
use crate::snapshot;
use entity::Entity;
use signal::Signal;
use subject::Subject;

pub use classes::CLASSES;
pub use config::RiskConfig;

pub(crate) const NAME: &str = "risk";
const STATE_VERSION: u32 = 1;

/// Of more entities than these a tenant loses the coldest: each holds alerts and evidence.
const ENTITIES_PER_TENANT_MAX: usize = 8_192;

/// The entities of every tenant, with what was told of them.
pub struct Risk {
    rules: Rules,
    book: Book<Entity>,
    /// How far the topic's own clock has come.
    now: EventTime,
    /// Nothing wants to be woken before.
    next_due: EventTime,
}

#[derive(Serialize, Deserialize)]
struct State {
    now: EventTime,
    entities: DetectorState,
}

const NEVER: EventTime = EventTime(i64::MAX);

impl Risk {
    /// One that knows of no alert yet.
    pub fn new(rules: impl Into<Rules>) -> Self {
        let rules = rules.into();
        let most = rules.config.keys_per_tenant_max.min(ENTITIES_PER_TENANT_MAX);
        let book = Book::new(NAME, STATE_VERSION, most);
        Self { rules, book, now: EventTime::MIN, next_due: NEVER }
    }

    /// Goes by these rules from the next change on. What was told stays.
    pub fn learn(&mut self, rules: &Rules) {
        self.rules = rules.clone();
    }

    /// Takes in a change of an alert, in the order of its offset. `broker_time` is when the broker appended
    /// it: by that clock updates are held back for a minute, and days are closed.
    pub fn on_change(&mut self, change: &AlertChange, broker_time: EventTime) -> Vec<AlertChange> {
        let mut alerts = AlertChanges::default();
        self.wake(broker_time, &mut alerts);
        if let Some(signal) = Signal::of(change) {
            self.book.totals.observations += 1;
            for subject in Subject::all_of(&change.alert) {
                self.add(&subject, change, &signal, &mut alerts);
            }
            drop(self.book.keys.evict());
        }
        self.signed(alerts)
    }

    /// The topic's clock has come so far.
    pub fn on_time(&mut self, broker_time: EventTime) -> Vec<AlertChange> {
        let mut alerts = AlertChanges::default();
        self.wake(broker_time, &mut alerts);
        self.signed(alerts)
    }

    fn add(&mut self, subject: &Subject, change: &AlertChange, signal: &Signal, alerts: &mut AlertChanges) {
        let (tenant, time) = (change.alert.tenant.as_str(), change.alert.triggered_at);
        let new = || Entity::new(subject);
        let Some(id) = self.book.keys.find_or_insert(tenant, &subject.key(), new) else { return };
        self.book.keys.touch(id, time);
        let Some((_, entity)) = self.book.keys.get_mut(id) else { return };
        match entity.add(&change.alert.alert_id, signal, self.now) {
            true => self.tell(id, alerts),
            false => self.book.totals.duplicates += 1,
        }
    }

    /// Tells what there is to tell of an entity.
    fn tell(&mut self, id: SlotId, alerts: &mut AlertChanges) {
        let Some((key, entity)) = self.book.keys.get_mut(id) else { return };
        match entity.tell(&key.tenant, self.now, self.rules.risk.of(key.tenant.as_str()), alerts) {
            Some(wake) => {
                self.book.keys.wake_at(id, wake);
                self.next_due = self.next_due.min(wake);
            }
            None => drop(self.book.keys.remove(id)),
        }
    }

    fn wake(&mut self, broker_time: EventTime, alerts: &mut AlertChanges) {
        self.now = self.now.max(broker_time);
        if self.now < self.next_due {
            return;
        }
        for tenant in self.book.keys.tenants_due(self.now) {
            for id in self.book.keys.take_due(&tenant, self.now) {
                self.tell(id, alerts);
            }
        }
        self.next_due = self.book.keys.next_due().unwrap_or(NEVER);
    }

    fn signed(&self, alerts: AlertChanges) -> Vec<AlertChange> {
        let mut changes = alerts.into_sorted();
        changes.iter_mut().for_each(|change| self.rules.sign(&mut change.alert));
        changes
    }

    /// The whole state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let state = State { now: self.now, entities: self.book.snapshot() };
        snapshot::seal(&snapshot::encode(&state))
    }

    /// Goes on from a snapshot. On an error the state is what it was before.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), BadState> {
        let state: State = snapshot::decode(snapshot::open(bytes)?)?;
        self.book.restore(&state.entities)?;
        self.now = state.now;
        self.next_due = self.book.keys.next_due().unwrap_or(NEVER);
        Ok(())
    }

    /// Figures for metrics.
    pub fn stats(&self) -> DetectorStats {
        self.book.stats(Entity::open)
    }
}

#[cfg(test)]
mod tests;
