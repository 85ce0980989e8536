//! DETECT and RISK: records in, alert changes out; state per partition, snapshot beside the log.
//!
//! DETECT reads observations. RISK reads the alerts' topic, and writes to it what they amount to of one
//! partner, key, user or network. What each decides is its [`Judge`]'s; how it reads on is the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use detect::{Engine, Risk, Rules};
use event::{AlertChange, Positions};
use pipeline::metrics::{AlertLabel, DetectorLabel, OutputLabel, PartitionLabel};
use pipeline::{
    Clock, Metrics, OutRecord, Polled, Reader, RecordView, Snapshot, SnapshotStore, SourceError, Stage,
    StageError, TopicPartition,
};
use tracing::{info, warn};

use crate::Topics;
use crate::judge::Judge;
use crate::starts::Start;
use crate::unreadable::Unreadable;

pub use crate::starts::Starts;

/// Observations in, alerts out.
pub type DetectStage = JudgeStage<Engine>;
/// Alerts in, alerts out.
pub type RiskStage = JudgeStage<Risk>;

/// One partition's state.
struct Owned<J> {
    judge: J,
    /// Alerts of records before this offset are out already.
    silent_before: i64,
    /// The next offset to read, as of the state.
    next: i64,
    snapshot_at: i64,
    reported: HashMap<&'static str, (u64, u64)>,
}

/// Says what the rules are now, if they have changed.
type News = Box<dyn FnMut() -> Option<Rules> + Send>;

/// DETECT or RISK.
pub struct JudgeStage<J> {
    rules: Rules,
    news: News,
    starts: Starts<J>,
    snapshots: SnapshotStore,
    snapshot_interval: Duration,
    snapshot_due: Duration,
    report_due: Duration,
    clock: Clock,
    owned: BTreeMap<i32, Owned<J>>,
    changes: Vec<AlertChange>,
    unreadable: Unreadable,
    alerts: Arc<str>,
    ocsf_alerts: Option<Arc<str>>,
    metrics: Metrics,
}

impl<J: Judge> JudgeStage<J> {
    pub fn new(
        rules: impl Into<Rules>,
        starts: Starts<J>,
        snapshots: SnapshotStore,
        snapshot_interval: Duration,
        topics: &Topics,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let rules = rules.into();
        metrics.rules_are(&rules.hash());
        Self {
            rules,
            news: Box::new(|| None),
            starts,
            snapshots,
            snapshot_interval,
            snapshot_due: clock.uptime() + snapshot_interval,
            report_due: clock.uptime(),
            clock,
            owned: BTreeMap::new(),
            changes: Vec::new(),
            unreadable: Unreadable::new(J::NAME, &[J::reads(topics)], metrics.clone()),
            alerts: Arc::clone(&topics.alerts),
            ocsf_alerts: topics.ocsf.as_ref().map(|ocsf| Arc::clone(&ocsf.alerts)),
            metrics,
        }
    }

    /// Asks between two batches whether the rules have changed.
    pub fn with_news(self, news: impl FnMut() -> Option<Rules> + Send + 'static) -> Self {
        Self { news: Box::new(news), ..self }
    }

    /// Takes over rules that have changed. What the old ones have judged is not judged by the new ones, or
    /// alerts would be taken for told that never were: not when it is read again here, so that is waited for,
    /// and not by whoever goes on later, so state is saved before.
    fn learn(&mut self) {
        if self.owned.values().any(|owned| owned.next < owned.silent_before) {
            return;
        }
        let Some(rules) = (self.news)().filter(|rules| rules.hash() != self.rules.hash()) else { return };
        if let Err(why) = self.save() {
            warn!(%why, "state is not saved before the rules change; a restart would judge anew what was told");
        }
        self.owned.values_mut().for_each(|owned| owned.judge.learn(&rules));
        info!(rules = rules.hash(), before = self.rules.hash(), "detectors go by other rules from now on");
        self.metrics.rules_are(&rules.hash());
        self.rules = rules;
    }

    /// Saves the state of every partition that has moved.
    pub fn save(&mut self) -> Result<(), StageError> {
        for (partition, owned) in &mut self.owned {
            if owned.next <= owned.snapshot_at || owned.next < owned.silent_before {
                continue;
            }
            let snapshot = Snapshot { offset: owned.next, state: owned.judge.snapshot() };
            self.snapshots
                .save(J::NAME, *partition, &snapshot)
                .map_err(|error| StageError::Interrupted(format!("save snapshot: {error}")))?;
            owned.snapshot_at = owned.next;
        }
        Ok(())
    }

    fn take_on(&self, partition: i32) -> Owned<J> {
        let fresh = || Start { judge: J::new(&self.rules), next: 0, committed: 0 };
        let Start { mut judge, next, committed } = self.starts.take(partition).unwrap_or_else(fresh);
        judge.learn(&self.rules);
        info!(stage = J::NAME, partition, from = next, silent_before = committed, "detector state loaded");
        Owned { judge, silent_before: committed, next, snapshot_at: next, reported: HashMap::new() }
    }

    fn report(&mut self) {
        for (&partition, owned) in &mut self.owned {
            let stats = owned.judge.stats();
            if let (Some(newest), Some(watermark)) = (stats.event_time_max, stats.watermark) {
                let delay = (newest - watermark).max(0) as f64 / 1_000.0;
                self.metrics
                    .watermark_delay
                    .get_or_create(&PartitionLabel { partition: partition.into() })
                    .set(delay);
            }
            for detector in stats.detectors {
                let label = DetectorLabel { detector: detector.name.to_owned(), partition: partition.into() };
                self.metrics.detector_keys.get_or_create(&label).set(detector.keys as i64);
                let (late, evicted) = owned.reported.entry(detector.name).or_default();
                let grown = |now: u64, before: &mut u64| now.saturating_sub(std::mem::replace(before, now));
                self.metrics.detector_late.get_or_create(&label).inc_by(grown(detector.late_total, late));
                self.metrics
                    .detector_evicted
                    .get_or_create(&label)
                    .inc_by(grown(detector.evicted_total, evicted));
            }
        }
    }
}

impl<J: Judge> Reader for JudgeStage<J> {
    fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<(), SourceError> {
        for partition in partitions {
            self.owned.insert(partition.partition, self.take_on(partition.partition));
        }
        Ok(())
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.owned.remove(&partition.partition);
        }
    }

    fn record(&mut self, record: RecordView<'_>) {
        let Some(owned) = self.owned.get_mut(&record.partition) else { return };
        owned.next = record.offset + 1;
        match owned.judge.on_record(&record) {
            Ok(changes) if record.offset >= owned.silent_before => self.changes.extend(changes),
            Ok(_) => {}
            Err(why) => self.unreadable.note(&record, &why),
        }
    }
}

impl<J: Judge> Stage for JudgeStage<J> {
    type Output = Vec<OutRecord>;

    fn finish(&mut self, _: &Polled) -> Result<Vec<OutRecord>, StageError> {
        self.unreadable.check()?;
        let changes = std::mem::take(&mut self.changes);
        let label = OutputLabel { stage: J::NAME.into(), output: "alerts".into() };
        self.metrics.rows_out.get_or_create(&label).inc_by(changes.len() as u64);
        let mut records = Vec::with_capacity(changes.len());
        for change in changes {
            let label = AlertLabel {
                detector: change.alert.detector.clone(),
                change: change.change.as_str().to_owned(),
            };
            self.metrics.alert_changes.get_or_create(&label).inc();
            if let Some(topic) = &self.ocsf_alerts {
                records.push(OutRecord {
                    topic: Arc::clone(topic),
                    partition: None,
                    key: Some(change.alert.tenant.to_string()),
                    payload: event::ocsf::of_change(&change).to_string().into_bytes(),
                });
            }
            records.push(OutRecord {
                topic: Arc::clone(&self.alerts),
                partition: Some(0),
                key: Some(change.alert.alert_id.clone()),
                payload: serde_json::to_vec(&change).expect("an alert is plain data"),
            });
        }
        Ok(records)
    }

    fn delivered(&mut self, _: &Positions) -> Result<(), StageError> {
        self.learn();
        let now = self.clock.uptime();
        if now >= self.report_due {
            self.report();
            self.report_due = now + Duration::from_secs(1);
        }
        if now >= self.snapshot_due {
            if let Err(why) = self.save() {
                // A full disk must not stop detection: the older snapshot and the log still stand.
                warn!(%why, "snapshot is left out; a restart would read further back");
            }
            self.snapshot_due = now + self.snapshot_interval;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
