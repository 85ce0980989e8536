use std::sync::mpsc::{Sender, channel};

use event::{EventTime, Observation, ObservationBatchBuilder, ObservationKind, ipc};
use object_store::local::LocalFileSystem;
use pipeline::StartAt;
use prometheus_client::registry::Registry;

use super::*;
use crate::starts::newest_state;

const OWNER: &str = Engine::NAME;

/// Snapshots in a folder of their own.
struct Disk {
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { runtime: tokio::runtime::Runtime::new().unwrap(), dir: tempfile::tempdir().unwrap() }
    }

    fn snapshots(&self) -> SnapshotStore {
        let objects = Arc::new(LocalFileSystem::new_with_prefix(self.dir.path()).unwrap());
        SnapshotStore::new(objects, self.runtime.handle().clone(), 3)
    }
}

#[test]
fn a_snapshot_that_this_version_cannot_read_is_passed_over_for_an_older_one() {
    let disk = Disk::new();
    let snapshots = disk.snapshots();
    let rules = Rules::from(&detect::DetectConfig::default());
    let state = Engine::new(&rules).snapshot();
    let mut newer = state.clone();
    newer[7] += 1; // the version
    snapshots.save(OWNER, 0, &Snapshot { offset: 10, state }).unwrap();
    snapshots.save(OWNER, 0, &Snapshot { offset: 20, state: newer.clone() }).unwrap();
    assert_eq!(newest_state::<Engine>(&snapshots, &rules, 0, 30).unwrap().1, Some(10));
    snapshots.save(OWNER, 1, &Snapshot { offset: 20, state: newer }).unwrap();
    assert_eq!(newest_state::<Engine>(&snapshots, &rules, 1, 30).unwrap().1, None, "from the log");
}

fn rules(paths: u32) -> Rules {
    let mut config = detect::DetectConfig::default();
    config.probing.paths = paths;
    Rules::from(&config)
}

/// A stage on partition 0, its next record, and what tells it of other rules.
struct Running {
    stage: DetectStage,
    offset: i64,
    news: Sender<Rules>,
    registry: Registry,
}

impl Running {
    fn start(disk: &Disk, rules: &Rules, committed: i64) -> Self {
        let (news, told) = channel();
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (starts, snapshots) = (Starts::default(), disk.snapshots());
        let partition = TopicPartition { topic: "watchfire.observations".into(), partition: 0 };
        let StartAt::Owner(start_at) = starts.start_at(snapshots.clone(), rules) else { unreachable!() };
        let offset = start_at(&partition, Some(committed)).unwrap().unwrap_or(0);
        let every = Duration::from_secs(3_600);
        let topics = Topics::new("watchfire");
        let stage = DetectStage::new(rules, starts, snapshots, every, &topics, Clock::system(), metrics);
        let mut stage = stage.with_news(move || told.try_iter().last());
        stage.assigned(&[partition]).unwrap();
        Self { stage, offset, news, registry }
    }

    /// A batch in which one network asks for something else; returns the thresholds of what is told.
    fn batch(&mut self) -> Vec<f64> {
        let time = EventTime(1_773_651_600_000 + self.offset * 10_000);
        let mut builder = ObservationBatchBuilder::default();
        builder.append(&Observation {
            kind: Some(ObservationKind::Probe.code()),
            time: Some(time),
            tenant: Some("prt_acme".into()),
            src_net: Some("203.0.113.0/24".into()),
            sought: Some(format!("/x{}", self.offset).into()),
            delivery: Some(event::ids::digest(&[&self.offset.to_be_bytes()])),
            status: Some(404),
            ..Observation::default()
        });
        let payload = ipc::encode_observations(&builder.finish(), &[]);
        self.stage.record(RecordView {
            topic: &"watchfire.observations".into(),
            partition: 0,
            offset: self.offset,
            broker_time: time,
            payload: &payload,
            headers: Vec::new(),
        });
        self.offset += 1;
        let records = self.stage.finish(&Polled::default()).unwrap();
        self.stage.delivered(&Positions::default()).unwrap();
        let change = |record: OutRecord| serde_json::from_slice::<AlertChange>(&record.payload).unwrap();
        records.into_iter().map(|record| change(record).alert.threshold).collect()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

#[test]
fn other_rules_hold_from_the_next_batch_on_and_what_was_seen_counts() {
    let disk = Disk::new();
    let mut running = Running::start(&disk, &rules(30), 0);
    for _ in 0..19 {
        assert!(running.batch().is_empty());
    }
    running.news.send(rules(20)).unwrap();
    assert!(running.batch().is_empty(), "the twentieth was read before they were learnt");
    assert_eq!(running.batch(), [20.0]);
}

#[test]
fn whoever_goes_on_after_the_rules_have_changed_reads_nothing_that_the_old_ones_judged() {
    let disk = Disk::new();
    let mut running = Running::start(&disk, &rules(30), 0);
    for _ in 0..22 {
        assert!(running.batch().is_empty());
    }
    running.news.send(rules(24)).unwrap();
    assert!(running.batch().is_empty());
    // It dies, and all it has written since it began is what it saved when the rules changed.
    let mut other = Running::start(&disk, &rules(24), 23);
    assert_eq!(other.offset, 23, "from the snapshot, not from the beginning");
    assert_eq!(other.batch(), [24.0]);
}

#[test]
fn the_rules_that_are_in_force_are_a_metric() {
    let disk = Disk::new();
    let mut running = Running::start(&disk, &rules(30), 0);
    let is = |rules: &Rules| format!("watchfire_rules{{hash=\"{}\"}} 1", rules.hash());
    assert!(running.metrics().contains(&is(&rules(30))));
    running.news.send(rules(20)).unwrap();
    running.batch();
    let metrics = running.metrics();
    assert!(metrics.contains(&is(&rules(20))) && !metrics.contains(&is(&rules(30))), "{metrics}");
}
