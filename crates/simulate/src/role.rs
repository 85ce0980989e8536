//! What processes do: each has one role.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use detect::DetectConfig;
use normalize::{Fingerprinter, Normalizer, Options, Schemas};
use object_store::memory::InMemory;
use pipeline::{Failure, SnapshotStore, StartAt};
use stages::detect::{JudgeStage, Starts};
use stages::judge::Judge;
use stages::normalize::NormalizeStage;
use tokio::runtime::Handle;

use crate::objects::SimObjects;
use crate::process::{Process, metrics};
use crate::sink::SimSink;
use crate::source::SimSource;

pub(crate) const OBSERVATION_PARTITIONS: i32 = 3;
pub(crate) const EVENT_PARTITIONS: i32 = 2;
/// So far ahead of a backlog a partition may be.
const DRIFT_MAX_MS: i64 = 120_000;
/// Snapshots are taken this often, of simulated time.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(5);
const SNAPSHOTS_KEPT: usize = 3;

/// Runs a stage once, until it fails or all processes are asked to end.
pub type Attempt<'a> = Box<dyn FnMut() -> Result<(), Failure> + 'a>;

/// What a process does.
pub trait Role: Send + Sync {
    /// Its name, and that of its consumer group.
    fn name(&self) -> &'static str;

    /// Which topics its group reads. A run goes on until everything in them is read.
    fn reads(&self) -> fn(&str) -> bool;

    /// What a process does when it starts, before its stage first runs; or why it could not.
    fn open<'a>(&'a self, process: &'a Process) -> Result<Attempt<'a>, String>;
}

/// NORMALIZE.
pub(crate) struct Normalize {
    pub(crate) schemas: Arc<Schemas>,
}

impl Role for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn reads(&self) -> fn(&str) -> bool {
        |topic| topic.starts_with("logs.")
    }

    fn open<'a>(&'a self, process: &'a Process) -> Result<Attempt<'a>, String> {
        Ok(Box::new(move || {
            let (world, number) = (&process.site.world, process.number);
            let source = SimSource::join(world, number, self.name(), self.reads(), StartAt::Committed, true);
            let sink = SimSink::new(world, number, &format!("normalize-{number}"), source.member().clone());
            let fingerprinter =
                Fingerprinter::new("k1", b"a pepper for the simulation").expect("it is long enough");
            let options = Options { observation_partitions: OBSERVATION_PARTITIONS, ..Options::default() };
            let normalizer = Normalizer::new(Arc::clone(&self.schemas), fingerprinter, options);
            let topics = process.topics().clone();
            let stage = NormalizeStage::new(normalizer, topics, EVENT_PARTITIONS, DRIFT_MAX_MS, metrics());
            process.run(source, stage, sink)
        }))
    }
}

/// DETECT or RISK. Their snapshots lie in one place.
pub(crate) struct Judging<J> {
    objects: Arc<InMemory>,
    runtime: Handle,
    reads: fn(&str) -> bool,
    judge: PhantomData<fn() -> J>,
}

impl<J: Judge> Judging<J> {
    pub(crate) fn new(objects: &Arc<InMemory>, runtime: &Handle, reads: fn(&str) -> bool) -> Self {
        Self { objects: Arc::clone(objects), runtime: runtime.clone(), reads, judge: PhantomData }
    }
}

impl<J: Judge> Role for Judging<J> {
    fn name(&self) -> &'static str {
        J::NAME
    }

    fn reads(&self) -> fn(&str) -> bool {
        self.reads
    }

    fn open<'a>(&'a self, process: &'a Process) -> Result<Attempt<'a>, String> {
        Ok(Box::new(move || {
            let (world, number) = (&process.site.world, process.number);
            let objects = Arc::new(SimObjects::new(&self.objects, world, number));
            let snapshots = SnapshotStore::new(objects, self.runtime.clone(), SNAPSHOTS_KEPT);
            let (starts, config) = (Starts::<J>::default(), DetectConfig::default());
            let start_at = starts.start_at(snapshots.clone(), &config);
            let source = SimSource::join(world, number, J::NAME, self.reads, start_at, false);
            let id = format!("{}-{number}", J::NAME);
            let sink = SimSink::new(world, number, &id, source.member().clone());
            let stage = JudgeStage::new(
                &config,
                starts,
                snapshots,
                SNAPSHOT_INTERVAL,
                process.topics(),
                process.clock(),
                metrics(),
            );
            process.run(source, stage, sink)
        }))
    }
}
