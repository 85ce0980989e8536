//! One seed: the same traffic through calm weather and through bad.

use std::sync::Arc;

use normalize::Schemas;
use object_store::memory::InMemory;
use pipeline::Shutdown;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stages::topics::Topics;
use tokio::runtime::Builder;

use crate::driver::{Driver, Weather};
use crate::log::Log;
use crate::outcome::{Difference, Outcome, differences};
use crate::traffic::{self, arrivals};
use crate::workers::{EVENT_PARTITIONS, Kind, OBSERVATION_PARTITIONS, Site};
use crate::world::{Mishaps, World};

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything is drawn from it.
    pub seed: u64,
    /// How many lines the partners send.
    pub lines: usize,
    /// Whether to keep the story of what happened.
    pub tells: bool,
}

/// What happened in one run, or in all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Turns that the driver gave.
    pub turns: u64,
    /// Processes killed.
    pub deaths: u64,
    /// Processes put to sleep; those that slept long woke as zombies.
    pub sleeps: u64,
    /// Members that their group took for dead.
    pub members_lost: u64,
    /// Transactions that took too long.
    pub transactions_expired: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// Rows written.
    pub rows: u64,
}

impl Counts {
    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.turns += other.turns;
        self.deaths += other.deaths;
        self.sleeps += other.sleeps;
        self.members_lost += other.members_lost;
        self.transactions_expired += other.transactions_expired;
        self.alerts += other.alerts;
        self.rows += other.rows;
    }
}

/// What one seed came to.
#[derive(Debug)]
pub struct Verdict {
    /// How the two runs differ; nothing if they are as they should be.
    pub differences: Vec<Difference>,
    /// What happened in the bad weather.
    pub counts: Counts,
    /// The story of it, if it was kept.
    pub story: Vec<String>,
}

/// Runs a seed twice, and compares.
pub fn run(plan: &Plan, schemas: &Arc<Schemas>) -> Verdict {
    let (expected, ..) = once(plan, schemas, None);
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let (found, mut counts, story) = once(plan, schemas, Some(&mut dice));
    counts.alerts = found.alerts() as u64;
    counts.rows = found.rows() as u64;
    Verdict { differences: differences(&expected, &found), counts, story }
}

/// One run: calm without dice, and as bad as they say with them.
fn once(plan: &Plan, schemas: &Arc<Schemas>, dice: Option<&mut StdRng>) -> (Outcome, Counts, Vec<String>) {
    let lines = arrivals(plan.seed, plan.lines);
    let topics = Topics::new("watchfire");
    let mut log = Log::default();
    log.create(&topics.events, EVENT_PARTITIONS);
    log.create(&topics.rejects, 1);
    log.create(&topics.observations, OBSERVATION_PARTITIONS);
    log.create(&topics.alerts, 1);
    for line in &lines {
        log.create(&line.topic.name().into(), traffic::PARTITIONS);
    }
    let start = lines.first().map_or(event::EventTime(0), |line| line.broker_time);
    let (kinds, weather) = match dice {
        Some(dice) => (processes(dice), bad(dice)),
        None => (vec![Kind::Normalize, Kind::Detect], CALM),
    };
    let world = Arc::new(World::new(log, StdRng::seed_from_u64(plan.seed ^ 1), start, plan.tells));
    let runtime = Builder::new_current_thread().build().expect("a runtime can be had");
    let site = Site {
        world: Arc::clone(&world),
        topics: topics.clone(),
        objects: Arc::new(InMemory::new()),
        schemas: Arc::clone(schemas),
        shutdown: Shutdown::default(),
        runtime: runtime.handle().clone(),
    };
    let counts = Driver::new(site, &kinds, lines).drive(weather);
    let mut shared = world.shared();
    let story = shared.story.take().unwrap_or_default();
    (Outcome::read(&shared.log, &topics), counts, story)
}

const CALM: Weather = Weather {
    dies: 0,
    sleeps: 0,
    mishaps: Mishaps { commit_answer_lost: 0, aborted: 0, poll_fails: 0, torn_object: 0, disk_full: 0 },
};

/// One to three processes of each kind, so [`WORKERS_MAX`](crate::world::WORKERS_MAX) at most.
fn processes(dice: &mut StdRng) -> Vec<Kind> {
    let normalize = dice.random_range(1..=3);
    let detect = dice.random_range(1..=3);
    let kinds = |kind, count| std::iter::repeat_n(kind, count);
    kinds(Kind::Normalize, normalize).chain(kinds(Kind::Detect, detect)).collect()
}

/// Each thing that can go wrong never does, or sometimes, or often.
fn bad(dice: &mut StdRng) -> Weather {
    let mut often = |most: u32| [0, most / 10, most][dice.random_range(0..3)];
    Weather {
        dies: often(150).max(30),
        sleeps: often(120),
        mishaps: Mishaps {
            commit_answer_lost: often(100),
            aborted: often(50),
            poll_fails: often(20),
            torn_object: often(200),
            disk_full: often(200),
        },
    }
}
