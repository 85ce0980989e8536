//! The processes: each runs one stage, and is started again when it has died.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use detect::DetectConfig;
use normalize::{Fingerprinter, Normalizer, Options, Schemas};
use object_store::memory::InMemory;
use pipeline::{Failure, Metrics, Parts, Shutdown, SnapshotStore, StageStatus, StartAt, run};
use prometheus_client::registry::Registry;
use stages::detect::{DetectStage, Starts};
use stages::normalize::NormalizeStage;
use stages::topics::Topics;
use tokio::runtime::Handle;

use crate::objects::SimObjects;
use crate::sink::SimSink;
use crate::source::SimSource;
use crate::world::{Killed, World};

pub(crate) const OBSERVATION_PARTITIONS: i32 = 3;
pub(crate) const EVENT_PARTITIONS: i32 = 2;
/// So far ahead of a backlog a partition may be.
const DRIFT_MAX_MS: i64 = 120_000;
/// Snapshots are taken this often, of simulated time.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(5);
const SNAPSHOTS_KEPT: usize = 3;
/// The pauses of `pipeline::supervise`, the longest of them shorter, as simulated hours are.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
const HEALTHY_AFTER: Duration = Duration::from_secs(5);

/// Which stage a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normalize,
    Detect,
}

/// What every process is made from.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) world: Arc<World>,
    pub(crate) topics: Topics,
    pub(crate) objects: Arc<InMemory>,
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) shutdown: Shutdown,
    pub(crate) runtime: Handle,
}

/// Starts a process. Its number is also the name of its instance.
pub(crate) fn start(site: &Site, worker: usize, kind: Kind) -> JoinHandle<()> {
    let site = site.clone();
    std::thread::spawn(move || {
        site.world.enter(worker);
        let ended = catch_unwind(AssertUnwindSafe(|| live(&site, worker, kind)));
        site.world.leave();
        match ended {
            Err(panic) if !panic.is::<Killed>() => resume_unwind(panic),
            _ => {}
        }
    })
}

/// Tries until it is asked to stop, as `pipeline::supervise` does: with pauses, or those who fail
/// one after the other leave no time to read in.
fn live(site: &Site, worker: usize, kind: Kind) {
    let mut wait = FIRST_WAIT;
    loop {
        let began = site.world.now();
        let attempt = match kind {
            Kind::Normalize => normalize(site, worker),
            Kind::Detect => detect(site, worker),
        };
        match attempt {
            Ok(()) => return,
            Err(Failure::TryAgain(why)) => {
                site.world.tell(|| format!("{kind:?} {worker} starts again in {wait:?}: {why}"));
                let failed = site.world.now();
                if failed - began > HEALTHY_AFTER {
                    wait = FIRST_WAIT;
                }
                while site.world.now() < failed + wait && !site.shutdown.is_requested() {
                    site.world.step(worker);
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(Failure::GiveUp(why)) => panic!("{kind:?} gave up: {why}"),
        }
    }
}

fn normalize(site: &Site, worker: usize) -> Result<(), Failure> {
    let source = SimSource::join(&site.world, worker, "normalize", is_log, StartAt::Committed, true);
    let sink = SimSink::new(&site.world, worker, &format!("normalize-{worker}"), source.member().clone());
    let fingerprinter = Fingerprinter::new("k1", b"a pepper for the simulation").expect("it is long enough");
    let options = Options { observation_partitions: OBSERVATION_PARTITIONS, ..Options::default() };
    let normalizer = Normalizer::new(Arc::clone(&site.schemas), fingerprinter, options);
    let metrics = Metrics::register(&mut Registry::default());
    let topics = site.topics.clone();
    let stage = NormalizeStage::new(normalizer, topics, EVENT_PARTITIONS, DRIFT_MAX_MS, metrics.clone());
    let mut parts = Parts { source, stage, sink };
    run(&mut parts, &site.shutdown, &StageStatus::default(), &metrics.stage("normalize"))
}

fn detect(site: &Site, worker: usize) -> Result<(), Failure> {
    let objects = Arc::new(SimObjects::new(&site.objects, &site.world, worker));
    let snapshots = SnapshotStore::new(objects, site.runtime.clone(), SNAPSHOTS_KEPT);
    let (starts, config) = (Starts::default(), DetectConfig::default());
    let start_at = starts.start_at(snapshots.clone(), config.clone());
    let source = SimSource::join(&site.world, worker, "detect", is_observation, start_at, false);
    let sink = SimSink::new(&site.world, worker, &format!("detect-{worker}"), source.member().clone());
    let metrics = Metrics::register(&mut Registry::default());
    let clock = site.world.clock.clone();
    let stage =
        DetectStage::new(config, starts, snapshots, SNAPSHOT_INTERVAL, &site.topics, clock, metrics.clone());
    let mut parts = Parts { source, stage, sink };
    run(&mut parts, &site.shutdown, &StageStatus::default(), &metrics.stage("detect"))
}

pub(crate) fn is_log(topic: &str) -> bool {
    topic.starts_with("logs.")
}

pub(crate) fn is_observation(topic: &str) -> bool {
    topic.ends_with(".observations")
}
