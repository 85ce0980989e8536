//! Whose turn it is. Everything that a stage does to the world goes through here.

use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use event::EventTime;
use pipeline::Clock;
use rand::rngs::StdRng;

use crate::log::Log;

/// What the driver has in mind for a worker at its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    GoOn,
    /// Its process ends here, without a word.
    Die,
}

/// There are never more processes.
pub(crate) const WORKERS_MAX: usize = 14;

/// How a killed worker's thread unwinds; no panic of anybody's.
pub(crate) struct Killed;

/// What goes wrong by itself, besides deaths and sleeps, in a thousand times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mishaps {
    /// The answer to a commit is lost after it was done.
    pub commit_answer_lost: u32,
    /// A transaction is aborted by the broker.
    pub aborted: u32,
    /// A poll fails.
    pub poll_fails: u32,
    /// An object is written in part only.
    pub torn_object: u32,
    /// There is no room for an object, or for a database.
    pub disk_full: u32,
    /// A write that was given up is done after all, later.
    pub late: u32,
    /// A store answers nobody for a while.
    pub unreachable: u32,
}

pub(crate) struct World {
    shared: Mutex<Shared>,
    drivers_turn: Condvar,
    /// One for each worker, or each turn would wake them all.
    workers_turns: [Condvar; WORKERS_MAX],
    /// The clock that stages are given.
    pub(crate) clock: Clock,
}

pub(crate) struct Shared {
    /// Whose turn it is; the driver's if nobody's.
    running: Option<usize>,
    fate: Fate,
    /// Whether the one whose turn it was has ended.
    has_left: bool,
    /// Who stands where a death or a long sleep does most harm.
    exposed: [bool; WORKERS_MAX],
    pub(crate) log: Log,
    pub(crate) dice: StdRng,
    pub(crate) mishaps: Mishaps,
    pub(crate) next_member: u64,
    /// What happened, for whoever looks for the reason of a difference.
    pub(crate) story: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(log: Log, dice: StdRng, start: EventTime, tells: bool) -> Self {
        let shared = Shared {
            running: None,
            fate: Fate::GoOn,
            has_left: false,
            exposed: [false; WORKERS_MAX],
            log,
            dice,
            mishaps: Mishaps::default(),
            next_member: 0,
            story: tells.then(Vec::new),
        };
        Self {
            shared: Mutex::new(shared),
            drivers_turn: Condvar::new(),
            workers_turns: std::array::from_fn(|_| Condvar::new()),
            clock: Clock::held(start),
        }
    }

    /// The world, for a moment.
    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no holder of the world panics")
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.uptime()
    }

    /// Adds to the story.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.shared().story {
            story.push(format!("{:>9.3} s  {}", self.now().as_secs_f64() % 100_000.0, line()));
        }
    }

    /// The last that was told.
    pub(crate) fn last_of_story(&self) -> String {
        let shared = self.shared();
        let story = shared.story.as_deref().unwrap_or_default();
        story[story.len().saturating_sub(40)..].join("\n")
    }

    /// A worker's step: the driver may let others go first, or end it here.
    pub(crate) fn step(&self, worker: usize) {
        if std::thread::panicking() {
            return;
        }
        let mut shared = self.shared();
        shared.running = None;
        self.drivers_turn.notify_one();
        let fate = self.wait_for_turn(shared, worker).fate;
        if fate == Fate::Die {
            resume_unwind(Box::new(Killed));
        }
    }

    /// The same at a moment at which death and sleep are far likelier than at others.
    pub(crate) fn exposed_step(&self, worker: usize) {
        self.shared().exposed[worker] = true;
        self.step(worker);
    }

    /// Whether a worker stands at such a moment; it does so for one turn.
    pub(crate) fn is_exposed(&self, worker: usize) -> bool {
        std::mem::take(&mut self.shared().exposed[worker])
    }

    /// A worker's first moment.
    pub(crate) fn enter(&self, worker: usize) {
        drop(self.wait_for_turn(self.shared(), worker));
    }

    /// A worker's last moment.
    pub(crate) fn leave(&self) {
        let mut shared = self.shared();
        shared.has_left = true;
        shared.running = None;
        self.drivers_turn.notify_one();
    }

    fn wait_for_turn<'a>(&'a self, shared: MutexGuard<'a, Shared>, worker: usize) -> MutexGuard<'a, Shared> {
        let not_yet = |shared: &mut Shared| shared.running != Some(worker);
        self.workers_turns[worker].wait_while(shared, not_yet).expect("no holder of the world panics")
    }

    /// The driver lets a worker take one step, and waits until it has. Says whether it has ended.
    pub(crate) fn let_step(&self, worker: usize, fate: Fate) -> bool {
        let mut shared = self.shared();
        shared.running = Some(worker);
        shared.fate = fate;
        shared.has_left = false;
        self.workers_turns[worker].notify_one();
        let not_done = |shared: &mut Shared| shared.running.is_some();
        self.drivers_turn.wait_while(shared, not_done).expect("no holder of the world panics").has_left
    }
}

impl Shared {
    /// Whether something happens that happens in so many of a thousand times.
    pub(crate) fn happens(&mut self, in_thousand: u32) -> bool {
        use rand::Rng;
        in_thousand > 0 && self.dice.random_ratio(in_thousand.min(1000), 1000)
    }
}
