//! One seed: the same traffic through calm weather and through bad.

use std::fmt;
use std::sync::Arc;

use detect::{Engine, Risk};
use normalize::Schemas;
use object_store::memory::InMemory;
use pipeline::Shutdown;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stages::topics::Topics;
use tokio::runtime::Builder;

use crate::driver::{Driver, Odds};
use crate::log::Log;
use crate::outcome::{Difference, Outcome, differences};
use crate::process::Site;
use crate::role::{EVENT_PARTITIONS, Judging, Normalize, OBSERVATION_PARTITIONS, Role};
use crate::traffic::{self, arrivals};
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

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turns, deaths, sleeps, members_lost, transactions_expired, alerts, rows } = self;
        write!(
            f,
            "{turns} turns, {deaths} deaths, {sleeps} sleeps, {members_lost} members lost, \
             {transactions_expired} transactions expired, {rows} rows, {alerts} alerts"
        )
    }
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

/// Whether anything goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing does, and there is one process of each role.
    Calm,
    /// Whatever the seed draws.
    Bad,
}

/// A stage that takes part besides NORMALIZE, DETECT and RISK.
pub struct Guest {
    /// What it does.
    pub role: Arc<dyn Role>,
    /// How many processes of it there are at most.
    pub processes_max: usize,
}

/// One run at its end.
pub struct Ended {
    /// What the stages wrote.
    pub outcome: Outcome,
    /// What happened meanwhile.
    pub counts: Counts,
    /// The story of it, if it was kept.
    pub story: Vec<String>,
    log: Log,
}

/// A record as readers see it.
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its value.
    pub payload: Arc<[u8]>,
}

impl Ended {
    /// The committed records of a topic, each partition's in their order.
    pub fn records(&self, topic: &str) -> Vec<Record> {
        let mut records = Vec::new();
        for of in self.log.partitions(|name| name == topic) {
            for offset in 0..self.log.stable_end(&of) {
                if let Some(entry) = self.log.read(&of, offset) {
                    records.push(Record { partition: of.partition, offset, payload: entry.payload });
                }
            }
        }
        records
    }
}

/// What one seed came to.
#[derive(Debug)]
pub struct Verdict<D = Difference> {
    /// How the two runs differ; nothing if they are as they should be.
    pub differences: Vec<D>,
    /// What happened in the bad weather.
    pub counts: Counts,
    /// The story of it, if it was kept.
    pub story: Vec<String>,
}

/// Runs a seed twice, and compares.
pub fn run(plan: &Plan, schemas: &Arc<Schemas>) -> Verdict {
    let expected = once(plan, schemas, Weather::Calm, &[]);
    let found = once(plan, schemas, Weather::Bad, &[]);
    Verdict::reach(&expected, found)
}

impl Verdict {
    /// How a run through bad weather differs from the calm one.
    pub fn reach(expected: &Ended, found: Ended) -> Self {
        let differences = differences(&expected.outcome, &found.outcome);
        Self { differences, counts: found.counts, story: found.story }
    }
}

/// One run, with whoever else takes part.
pub fn once(plan: &Plan, schemas: &Arc<Schemas>, weather: Weather, guests: &[Guest]) -> Ended {
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
    let runtime = Builder::new_current_thread().build().expect("a runtime can be had");
    let normalize: Arc<dyn Role> = Arc::new(Normalize { schemas: Arc::clone(schemas) });
    let objects = Arc::new(InMemory::new());
    let (objects, handle) = (&objects, runtime.handle());
    let detect: Arc<dyn Role> =
        Arc::new(Judging::<Engine>::new(objects, handle, |topic| topic.ends_with(".observations")));
    let risk: Arc<dyn Role> =
        Arc::new(Judging::<Risk>::new(objects, handle, |topic| topic.ends_with(".alerts")));
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let (roles, odds) = match weather {
        Weather::Calm => {
            let guests = guests.iter().map(|guest| Arc::clone(&guest.role));
            ([normalize, detect, risk].into_iter().chain(guests).collect(), CALM)
        }
        Weather::Bad => {
            let (mut roles, odds) = bad(&mut dice, &normalize, &detect, guests);
            roles.extend(std::iter::repeat_n(risk, dice.random_range(1..=RISKS_MAX)));
            (roles, odds)
        }
    };
    let world = Arc::new(World::new(log, StdRng::seed_from_u64(plan.seed ^ 1), start, plan.tells));
    let site = Site { world: Arc::clone(&world), topics: topics.clone(), shutdown: Shutdown::default() };
    let mut counts = Driver::new(site, roles, lines).drive(odds);
    let mut shared = world.shared();
    let story = shared.story.take().unwrap_or_default();
    let log = std::mem::take(&mut shared.log);
    let outcome = Outcome::read(&log, &topics);
    counts.alerts = outcome.alerts() as u64;
    counts.rows = outcome.rows() as u64;
    Ended { outcome, counts, story, log }
}

/// Its topic has one partition, so that a second process waits to take over.
const RISKS_MAX: usize = 2;

const CALM: Odds = Odds {
    dies: 0,
    sleeps: 0,
    mishaps: Mishaps {
        commit_answer_lost: 0,
        aborted: 0,
        poll_fails: 0,
        torn_object: 0,
        disk_full: 0,
        late: 0,
        unreachable: 0,
    },
};

/// One to three processes of NORMALIZE and of DETECT, so that with the guests' there are at most
/// [`WORKERS_MAX`](crate::world::WORKERS_MAX); and each thing that can go wrong never does, or
/// sometimes, or often. What guests draw comes last: the others' weather is the same without them.
fn bad(
    dice: &mut StdRng,
    normalize: &Arc<dyn Role>,
    detect: &Arc<dyn Role>,
    guests: &[Guest],
) -> (Vec<Arc<dyn Role>>, Odds) {
    let several = |role, count| std::iter::repeat_n(Arc::clone(role), count);
    let (normalizes, detects) = (dice.random_range(1..=3), dice.random_range(1..=3));
    let mut roles: Vec<_> = several(normalize, normalizes).chain(several(detect, detects)).collect();
    let mut often = |most: u32| [0, most / 10, most][dice.random_range(0..3)];
    let odds = Odds {
        dies: often(150).max(30),
        sleeps: often(120),
        mishaps: Mishaps {
            commit_answer_lost: often(100),
            aborted: often(50),
            poll_fails: often(20),
            torn_object: often(200),
            disk_full: often(200),
            late: often(100),
            unreachable: often(20),
        },
    };
    for guest in guests {
        roles.extend(several(&guest.role, dice.random_range(1..=guest.processes_max.max(1))));
    }
    (roles, odds)
}
