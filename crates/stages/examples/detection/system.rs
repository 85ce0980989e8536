//! NORMALIZE, DETECT and RISK as they run: a record every few seconds of time, and what is quiet is vouched for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use detect::{DetectConfig, Engine, Risk};
use event::{AlertChange, EventTime, ObservationBatchBuilder, RawLog, SourceProgress, ipc};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};
use testkit::quality::Told;
use testkit::traffic::Line;

/// The stages, with nothing in between but the bytes of a record.
pub(crate) struct Stages {
    normalizer: Normalizer,
    engine: Engine,
    risk: Risk,
    newest: EventTime,
    offset: i64,
}

/// What NORMALIZE hands over.
pub(crate) struct Record {
    bytes: Vec<u8>,
    sources: Vec<String>,
}

impl Stages {
    pub(crate) fn new(config: &DetectConfig) -> Self {
        let fingerprinter = Fingerprinter::new("k1", b"a pepper for the harness").expect("long enough");
        let options = Options { observation_partitions: 1, ..Options::default() };
        Self {
            normalizer: Normalizer::new(Arc::new(Schemas::built_in()), fingerprinter, options),
            engine: Engine::new(config),
            risk: Risk::new(config),
            newest: EventTime::MIN,
            offset: 0,
        }
    }

    pub(crate) fn normalize(&mut self, line: &Line) {
        self.newest = self.newest.max(line.time);
        self.normalizer.normalize(&RawLog {
            source: &line.topic,
            topic: &line.topic.name().into(),
            partition: 0,
            offset: self.offset,
            broker_time: self.newest,
            payload: &line.bytes,
            format: None,
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        });
        self.offset += 1;
    }

    /// Everything since the last record. Of these sources all that they hold was read.
    pub(crate) fn record(&mut self, quiet: &BTreeSet<String>) -> Record {
        let normalized = self.normalizer.finish();
        if let Some(reject) = normalized.rejects.rows().next() {
            panic!("every line can be read, but {reject:?}");
        }
        let mut progress = normalized.progress;
        let sources: Vec<_> = progress.iter().map(|known| known.source.clone()).collect();
        progress.extend(
            quiet.iter().filter(|source| !sources.contains(source)).cloned().map(SourceProgress::at_end),
        );
        Record { bytes: ipc::encode_observations(&normalized.observations[0], &progress), sources }
    }

    /// DETECT's part.
    pub(crate) fn detect(&mut self, record: &Record, now: EventTime) -> Vec<AlertChange> {
        let (observations, progress) = ipc::decode_observations(&record.bytes).expect("it was just encoded");
        let told = self.engine.on_record(&observations, &progress, now);
        self.with_risk(told, now)
    }

    /// RISK's part: alerts, and what they amount to.
    fn with_risk(&mut self, mut told: Vec<AlertChange>, now: EventTime) -> Vec<AlertChange> {
        let amounts: Vec<_> = told.iter().flat_map(|change| self.risk.on_change(change, now)).collect();
        told.extend(amounts);
        told.extend(self.risk.on_time(now));
        told
    }
}

/// The stages, with time going on.
pub(crate) struct System {
    stages: Stages,
    sources: BTreeSet<String>,
    now: EventTime,
    told: BTreeMap<String, Told>,
}

impl System {
    pub(crate) fn new(config: &DetectConfig, start: EventTime) -> Self {
        Self { stages: Stages::new(config), sources: BTreeSet::new(), now: start, told: BTreeMap::new() }
    }

    /// A line arrives, after as many records of `step_ms` as time has gone on since the last.
    pub(crate) fn read(&mut self, line: &Line, step_ms: i64) {
        while line.time >= self.now + step_ms {
            self.step(step_ms);
        }
        self.stages.normalize(line);
    }

    fn step(&mut self, step_ms: i64) {
        self.now = self.now + step_ms;
        let record = self.stages.record(&self.sources);
        let changes = self.stages.detect(&record, self.now);
        self.sources.extend(record.sources);
        self.note(changes);
    }

    fn note(&mut self, changes: Vec<AlertChange>) {
        for change in changes {
            let told_at = self.now;
            let known = self.told.get(&change.alert.alert_id).map_or(told_at, |told| told.told_at);
            let told = Told { alert: change.alert, told_at: known };
            self.told.insert(told.alert.alert_id.clone(), told);
        }
    }

    /// All alerts, after so long that every window has closed. That nothing comes then is no silence.
    pub(crate) fn finish(mut self, end: EventTime) -> Vec<Told> {
        while self.now < end {
            self.step(10_000);
        }
        let nothing = ObservationBatchBuilder::default().finish();
        for _ in 0..200 {
            self.now = self.now + 600_000;
            let read = |source: &String| SourceProgress::read(source.clone(), self.now, self.now);
            let progress: Vec<_> = self.sources.iter().map(read).collect();
            let mut changes = self.stages.engine.on_record(&nothing, &progress, self.now);
            changes.retain(|change| change.alert.detector != "source_health");
            let changes = self.stages.with_risk(changes, self.now);
            self.note(changes);
        }
        self.told.into_values().collect()
    }
}
