//! A stretch of raw logs through the normalizer and the detectors, in one thread and without a
//! broker: what it was, or would have been, as alerts.
//!
//! The alerts are those of a running system by id, because nothing in them rests on when or by
//! whom a line was read. Two things differ from a running system, and both make a replay see more
//! rather than less: no source is ever taken for idle before its end, so nothing is late on account
//! of it; and at the end time goes on until every window has closed, and every episode that ever does.

use std::collections::BTreeSet;

use detect::{Engine, Risk, Rules};
use event::{
    AlertChange, EventBatch, EventRow, EventTime, ObservationBatchBuilder, RawLog, RejectBatch,
    SourceProgress,
};
use normalize::{Counts, Normalizer};

/// After the end time goes on in such steps, until every window and episode has closed that ever does.
const STEP_MS: i64 = 10 * 60 * 1000;
const STEPS: i64 = 14 * 6;

/// The stages of a replay. Read lines with [`Replay::read`], and ask for what became of them with
/// [`Replay::batch`] every few thousand rows.
pub struct Replay {
    normalizer: Normalizer,
    engine: Engine,
    risk: Risk,
    /// All there are.
    sources: BTreeSet<String>,
    progress: Vec<SourceProgress>,
    read_at: EventTime,
}

/// What became of some lines.
pub struct Replayed {
    /// Their events.
    pub events: EventBatch,
    /// Those that could not be read.
    pub rejects: RejectBatch,
    /// Both in numbers.
    pub counts: Counts,
    /// Alerts that opened, changed or closed.
    pub changes: Vec<AlertChange>,
    /// How far each source has come that was read.
    pub progress: Vec<SourceProgress>,
}

impl Replay {
    /// Nothing read yet. The normalizer must route observations into one partition. `sources` are
    /// all that will be read, each `topic/partition`: event time waits for every one of them.
    /// `read_at` is when the replay takes place; nothing in it can have happened later.
    pub fn new(
        normalizer: Normalizer,
        rules: impl Into<Rules>,
        sources: impl IntoIterator<Item = String>,
        read_at: EventTime,
    ) -> Self {
        let (rules, sources) = (rules.into(), sources.into_iter().collect::<BTreeSet<_>>());
        let progress = sources.iter().cloned().map(SourceProgress::announced).collect();
        let (engine, risk) = (Engine::new(&rules), Risk::new(&rules));
        Self { normalizer, engine, risk, sources, progress, read_at }
    }

    /// Reads one record.
    pub fn read(&mut self, raw: &RawLog<'_>) {
        self.normalizer.normalize(raw);
    }

    /// Takes an event that was read and stored before; `false` if it does not say what detectors were
    /// given of it.
    pub fn read_again(&mut self, event: &EventRow<'_>) -> bool {
        self.normalizer.again(event)
    }

    /// How many rows wait for [`Replay::batch`].
    pub fn rows(&self) -> usize {
        self.normalizer.rows()
    }

    /// There is no more of a source; the others need not wait for it.
    pub fn ended(&mut self, source: String) {
        self.progress.push(SourceProgress::read(source, self.read_at, self.read_at));
    }

    /// What became of the lines since the last batch.
    pub fn batch(&mut self) -> Replayed {
        let normalized = self.normalizer.finish();
        // What ended has been read before.
        let mut progress = normalized.progress.clone();
        progress.append(&mut self.progress);
        let mut changes = Vec::new();
        for observations in &normalized.observations {
            changes.extend(self.engine.on_record(observations, &progress, self.read_at));
        }
        let changes = self.with_risk(changes, self.read_at);
        Replayed {
            events: normalized.events,
            rejects: normalized.rejects,
            counts: normalized.counts,
            changes,
            progress: normalized.progress,
        }
    }

    /// Lets time go on until every window has closed, and every episode that ever does.
    pub fn finish(mut self) -> Vec<AlertChange> {
        let mut changes = self.batch().changes;
        let nothing = ObservationBatchBuilder::default().finish();
        let progress: Vec<_> = self.sources.iter().cloned().map(SourceProgress::at_end).collect();
        for step in 1..=STEPS {
            let at = EventTime(self.read_at.millis() + step * STEP_MS);
            let closed = self.engine.on_record(&nothing, &progress, at);
            changes.extend(self.with_risk(closed, at));
        }
        changes
    }

    /// Alerts, and what they amount to.
    fn with_risk(&mut self, mut changes: Vec<AlertChange>, at: EventTime) -> Vec<AlertChange> {
        let amounts: Vec<_> = changes.iter().flat_map(|change| self.risk.on_change(change, at)).collect();
        changes.extend(amounts);
        changes.extend(self.risk.on_time(at));
        changes
    }
}
