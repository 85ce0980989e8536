//! A process: it runs one stage, and is started again when it has died.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use pipeline::{Clock, Failure, Metrics, Parts, Shutdown, Sink, Source, Stage, StageStatus, StartAt, run};
use prometheus_client::registry::Registry;
use rand::Rng;
use stages::topics::Topics;

use crate::role::Role;
use crate::source::SimSource;
use crate::world::{Killed, Mishaps, World};

/// The pauses of `pipeline::supervise`, the longest of them shorter, as simulated hours are.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// A process that could not open what it needs is started again after so long.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What every process is made from.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) world: Arc<World>,
    pub(crate) topics: Topics,
    pub(crate) shutdown: Shutdown,
}

/// What one process has of the simulated world.
#[derive(Clone)]
pub struct Process {
    pub(crate) site: Site,
    /// Also the name of its instance.
    pub(crate) number: usize,
    role: &'static str,
    thread: ThreadId,
}

impl Process {
    /// A moment at which the driver may let others go first, or end the process. It is one only in the
    /// process's own thread: what others do for it is part of the step that its own is at.
    pub fn step(&self) {
        if self.is_own_thread() {
            self.site.world.step(self.number);
        }
    }

    /// A step between two writes that belong together: there processes die and sleep far more often.
    pub fn exposed_step(&self) {
        if self.is_own_thread() {
            self.site.world.exposed_step(self.number);
        }
    }

    /// Whether the caller is the process's own thread. Only there may dice be drawn, because only
    /// there do things happen in the same order each time.
    pub fn is_own_thread(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    /// Draws whether something goes wrong that does so in so many of a thousand times.
    pub fn happens(&self, in_thousand: impl FnOnce(&Mishaps) -> u32) -> bool {
        let mut shared = self.site.world.shared();
        let in_thousand = in_thousand(&shared.mishaps);
        shared.happens(in_thousand)
    }

    /// Draws a number below another.
    pub fn draw(&self, below: u64) -> u64 {
        self.site.world.shared().dice.random_range(0..below.max(1))
    }

    /// Adds to the story.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        self.site.world.tell(|| format!("{} {} {}", self.role, self.number, line()));
    }

    /// The simulated clock.
    pub fn clock(&self) -> Clock {
        self.site.world.clock.clone()
    }

    /// The topics between the stages.
    pub fn topics(&self) -> &Topics {
        &self.site.topics
    }

    /// Whether all processes are asked to end.
    pub fn shutdown(&self) -> &Shutdown {
        &self.site.shutdown
    }

    /// A new member of the role's group, which reads what the role reads, so many records of a partition
    /// at a time.
    pub fn source(&self, role: &dyn Role, start_at: StartAt, records_max: i64) -> impl Source + use<> {
        SimSource::join(&self.site.world, self.number, role.name(), role.reads(), start_at, false)
            .at_a_time(records_max)
    }

    /// Runs a stage until it fails or all processes are asked to end.
    pub fn run<So, St, Si>(&self, source: So, stage: St, sink: Si) -> Result<(), Failure>
    where
        So: Source,
        St: Stage,
        Si: Sink<St::Output>,
    {
        let mut parts = Parts { source, stage, sink };
        run(&mut parts, &self.site.shutdown, &StageStatus::default(), &metrics().stage(self.role))
    }
}

/// Counts that nobody reads.
pub fn metrics() -> Metrics {
    Metrics::register(&mut Registry::default())
}

/// Starts a process.
pub(crate) fn start(site: &Site, number: usize, role: &Arc<dyn Role>) -> JoinHandle<()> {
    let (site, role) = (site.clone(), Arc::clone(role));
    std::thread::spawn(move || {
        site.world.enter(number);
        let thread = std::thread::current().id();
        let process = Process { site, number, role: role.name(), thread };
        let ended = catch_unwind(AssertUnwindSafe(|| live(&process, &*role)));
        process.site.world.leave();
        match ended {
            Err(panic) if !panic.is::<Killed>() => resume_unwind(panic),
            _ => {}
        }
    })
}

/// Opens what the process needs, then tries until it is asked to stop, as `pipeline::supervise`
/// does: with pauses, or those who fail one after the other leave no time to read in.
fn live(process: &Process, role: &dyn Role) {
    let mut attempt = loop {
        match role.open(process) {
            Ok(attempt) => break attempt,
            Err(why) => {
                process.tell(|| format!("cannot start: {why}"));
                if !wait(process, OPEN_AGAIN_AFTER) {
                    return;
                }
            }
        }
    };
    let mut pause = FIRST_WAIT;
    loop {
        let began = process.site.world.now();
        match attempt() {
            Ok(()) => return,
            Err(Failure::TryAgain(why)) => {
                process.tell(|| format!("starts again in {pause:?}: {why}"));
                if process.site.world.now() - began > HEALTHY_AFTER {
                    pause = FIRST_WAIT;
                }
                wait(process, pause);
                pause = (pause * 2).min(LONGEST_WAIT);
            }
            Err(Failure::GiveUp(why)) => panic!("{} gave up: {why}", role.name()),
        }
    }
}

/// Lets others go on for so long. Says whether the process is still wanted.
fn wait(process: &Process, pause: Duration) -> bool {
    let until = process.site.world.now() + pause;
    while process.site.world.now() < until && !process.shutdown().is_requested() {
        process.step();
    }
    !process.shutdown().is_requested()
}
