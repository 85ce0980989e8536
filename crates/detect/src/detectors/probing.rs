//! Networks that look for something: for whatever there is, by asking for one thing after another
//! that is not there; or for the files, consoles and holes that attackers look for everywhere.
//!
//! What is told is the network's day, not each request. A day is a day of event time that begins
//! at the network's own minute, so that every fact belongs to one episode in whatever order facts
//! come. Within it a rule is met once a window holds enough different things that were looked for
//! (`window.rs`); nothing that comes later can take that back, so it is told at once.
//!
//! Not told are a client that asks for one missing thing again and again, and a page that lacks
//! its parts: both look for little, however many of them there are.

mod describe;
mod rules;
mod window;

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Severity, Tenant};
use serde::{Deserialize, Serialize};

pub use rules::ProbingConfig;

use crate::book::Book;
use crate::class::ClassInfo;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::episode::{CELL_MS, cell_of};
use crate::keyed::{Kept, SlotId};
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::seen::Seen;
use crate::stable;
use crate::tally::{Breakdown, Tally};
use crate::telling::Telling;
use crate::watermark::Watermarks;
use crate::witness::{Witness, delivery};
use describe::describe;
use rules::{Met, weight};
use window::{Fact, Window};

pub(crate) const NAME: &str = "probing";
const STATE_VERSION: u32 = 1;

/// Deliveries of one network's day that are told apart.
const DELIVERIES_MAX: usize = 4_096;
/// Addresses that an alert counts.
const ADDRESSES_MAX: usize = 64;
/// What holds the parts of a key apart; no network has one.
const BETWEEN: char = '\u{1f}';

/// Every class.
pub const CLASSES: &[ClassInfo] = &[ENUMERATION, TELLTALE];

pub(super) const ENUMERATION: ClassInfo = ClassInfo {
    class: "scan.enumeration",
    severity: Severity::Medium,
    description: "One network asking for many different things that are not there or not allowed.",
    techniques: &["T1595.003"],
    owasp_api: Some("API9"),
    owasp_event: Some("malicious_excess_404"),
};
pub(super) const TELLTALE: ClassInfo = ClassInfo {
    class: "scan.probing",
    severity: Severity::Info,
    description: "One network asking for what only attackers and their tools ask for, such as /.env, a way out of \
                  the folder, or a known hole; low and medium the more of it there is, and low where a known hole \
                  answered.",
    techniques: &["T1595.002", "T1190"],
    owasp_api: Some("API8"),
    owasp_event: Some("malicious_attack_tool"),
};

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct Probing {
    rules: PerTenant<ProbingConfig>,
    book: Book<Scan>,
}

/// What one network looked for on one day.
#[derive(Default, Serialize, Deserialize)]
struct Scan {
    day: EventTime,
    tally: Tally,
    seen: Seen,
    window: Window,
    met: Met,
    /// What gave it away, and what was answered.
    telltales: Breakdown,
    answers: Breakdown,
    addresses: BTreeSet<Box<str>>,
    has_more_addresses: bool,
    first: Option<Arc<Witness>>,
    ingested_at: EventTime,
    late: bool,
    told: Telling,
}

impl Kept for Scan {
    fn rank(&self) -> u8 {
        u8::from(self.told.is_told())
    }
}

impl Scan {
    /// Takes in an observation that happened, or came too late, at `time`; false if it is known.
    fn add(&mut self, o: &Observation<'_>, time: EventTime, config: &ProbingConfig) -> bool {
        if !self.seen.insert(delivery(o), DELIVERIES_MAX) {
            return false;
        }
        let telltale = o.reason.as_deref();
        let status = o.status.unwrap_or_default();
        let what = format!("{} answered {status}", telltale.unwrap_or("request"));
        let witness = Arc::new(Witness::new(o, what));
        if self.first.as_ref().is_none_or(|first| witness < *first) {
            self.ingested_at = o.ingest_time.unwrap_or_default();
            self.first = Some(Arc::clone(&witness));
        }
        self.tally.add(&witness, 1);
        telltale.iter().for_each(|word| self.telltales.add(word, 1));
        self.answers.add(&status.to_string(), 1);
        self.note_address(o.src_ip.as_deref());
        let fact = Fact {
            time: time.floor(1_000),
            sought: stable::hash(&[o.sought.as_deref().unwrap_or_default()]),
            weight: telltale.map_or(0, weight),
            refused: status >= 400,
        };
        if self.window.insert(fact) {
            self.met.look(&fact, &self.window, config);
        }
        self.met.note_answer(telltale, status);
        self.told.has_news();
        true
    }

    fn note_address(&mut self, address: Option<&str>) {
        let Some(address) = address else { return };
        self.addresses.insert(address.into());
        // Those that are kept are the least, which is a choice that order has no part in.
        if self.addresses.len() > ADDRESSES_MAX {
            self.addresses.pop_last();
            self.has_more_addresses = true;
        }
    }
}

// --- logic -------------------------------------------------------------------------------------

impl Probing {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.probing.clone(),
            book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max),
        }
    }

    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<SlotId> {
        let (tenant, net, time) = (o.tenant.as_deref()?, o.src_net.as_deref()?, o.time?);
        let watermark = watermarks.of(tenant);
        let late = watermark.is_some_and(|watermark| time < watermark);
        // What is late counts as of when it comes: the windows that it belongs to are over.
        let counted = time.max(watermark.filter(|_| late).unwrap_or(time));
        let day = cell_of(stable::hash(&[tenant, net]), counted);
        self.book.totals.late += u64::from(late);
        let name = format!("{net}{BETWEEN}{}", day.millis());
        let id = self.book.keys.find_or_insert(tenant, &name, || Scan { day, ..Scan::default() })?;
        let (_, scan) = self.book.keys.get_mut(id)?;
        let is_news = scan.add(o, counted, self.rules.of(tenant));
        scan.late |= late && is_news;
        self.book.totals.duplicates += u64::from(!is_news);
        self.book.keys.touch(id, time);
        is_news.then_some(id)
    }

    /// Tells of a scan, if there is something to tell.
    fn tell(&mut self, id: SlotId, now: EventTime, is_open: bool, alerts: &mut AlertChanges) {
        let Some((key, scan)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        let mut wake = scan.day + CELL_MS;
        if let Some(oldest) = scan.window.oldest() {
            wake = wake.min(oldest + config.window_ms());
        }
        if let Some(found) = scan.met.finding(config) {
            let mut told = scan.told;
            let alert = || describe(key, scan, config, is_open);
            wake =
                told.tell(found.severity, alert, now, is_open, alerts).into_iter().fold(wake, EventTime::min);
            scan.told = told;
        }
        self.book.keys.wake_at(id, wake.max(now + 1));
    }
}

impl Detector for Probing {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let mut news = Vec::new();
        for (_, o) in rows::of_kind(observations, &[ObservationKind::Probe]) {
            self.book.totals.observations += 1;
            news.extend(self.take_in(&o, watermarks).map(|id| (id, o.time.unwrap_or_default())));
        }
        for (id, time) in news {
            self.tell(id, time, true, alerts);
        }
        drop(self.book.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        let window_ms = self.rules.of(tenant.as_str()).window_ms();
        for id in self.book.keys.take_due(tenant, up_to) {
            let Some((_, scan)) = self.book.keys.get_mut(id) else { continue };
            let is_over = up_to >= scan.day + CELL_MS;
            scan.window.forget(up_to - window_ms);
            self.tell(id, up_to, !is_over, alerts);
            if is_over {
                self.book.keys.remove(id);
            }
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.probing.clone();
    }

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(|scan| u64::from(scan.told.is_told()))
    }
}

#[cfg(test)]
mod tests;
