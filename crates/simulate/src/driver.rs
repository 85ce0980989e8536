//! Draws who goes on, who is killed and who sleeps, until everything is read and time has passed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pipeline::TopicPartition;
use rand::Rng;

use crate::process::{self, Site};
use crate::role::Role;
use crate::run::Counts;
use crate::traffic::Arrival;
use crate::world::{Fate, Mishaps};

/// Once all is read, time runs on in such steps, until every window and episode has closed.
const QUIET_STEP_MS: i64 = 20 * 60 * 1000;
const QUIET_MS: i64 = 14 * 60 * 60 * 1000;
/// So much likelier are death and sleep where they do most harm.
const EXPOSED: u32 = 20;
/// No seed takes so many turns; one that does is stuck.
const TURNS_MAX: u64 = 2_000_000;

/// How likely a process dies or sleeps at a turn, in ten thousand times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    pub(crate) dies: u32,
    pub(crate) sleeps: u32,
    pub(crate) mishaps: Mishaps,
}

impl Odds {
    fn where_exposed(self) -> Self {
        Self { dies: self.dies * EXPOSED, sleeps: self.sleeps * EXPOSED, ..self }
    }
}

struct Worker {
    role: Arc<dyn Role>,
    life: Life,
}

enum Life {
    Alive { thread: JoinHandle<()>, sleeps_until: Duration },
    Dead { until: Duration },
}

pub(crate) struct Driver {
    site: Site,
    workers: Vec<Worker>,
    /// The group of each role, and which topics it reads.
    roles: BTreeMap<&'static str, fn(&str) -> bool>,
    arrivals: std::vec::IntoIter<Arrival>,
    counts: Counts,
    is_quiet: bool,
}

impl Driver {
    pub(crate) fn new(site: Site, roles: Vec<Arc<dyn Role>>, arrivals: Vec<Arrival>) -> Self {
        let groups = roles.iter().map(|role| (role.name(), role.reads())).collect();
        let dead = |role| Worker { role, life: Life::Dead { until: Duration::ZERO } };
        let workers = roles.into_iter().map(dead).collect();
        Self {
            site,
            workers,
            roles: groups,
            arrivals: arrivals.into_iter(),
            counts: Counts::default(),
            is_quiet: false,
        }
    }

    /// Lets it rain until everything has arrived and is read, then lets everyone live and time pass.
    pub(crate) fn drive(mut self, odds: Odds) -> Counts {
        self.site.world.shared().mishaps = odds.mishaps;
        while self.arrivals.len() > 0 || !self.is_all_read() {
            self.turn(odds);
        }
        let calm = Odds { dies: 0, sleeps: 0, mishaps: Mishaps::default() };
        self.site.world.shared().mishaps = calm.mishaps;
        self.wait_for_the_dead(calm);
        self.is_quiet = true;
        let mut quiet = 0;
        while quiet < QUIET_MS {
            self.site.world.clock.advance(QUIET_STEP_MS);
            quiet += QUIET_STEP_MS;
            // Everyone hears of it, and reads what the others make of it.
            for _ in 0..4 {
                self.everyone_steps(calm);
            }
            while !self.is_all_read() {
                self.turn(calm);
            }
        }
        self.stop();
        self.counts
    }

    /// Until all live and are awake, and what the dead have left open is closed.
    fn wait_for_the_dead(&mut self, calm: Odds) {
        let until = self.site.world.now() + Duration::from_secs(30);
        while self.site.world.now() < until || !self.is_all_read() {
            self.turn(calm);
        }
    }

    fn turn(&mut self, odds: Odds) {
        self.counts.turns += 1;
        if self.counts.turns > TURNS_MAX {
            panic!("stuck: nothing comes to an end\n{}", self.site.world.last_of_story());
        }
        let world = &self.site.world;
        world.clock.advance(world.shared().dice.random_range(0..20));
        self.expire();
        self.ship();
        let chosen = self.site.world.shared().dice.random_range(0..self.workers.len());
        self.step(chosen, odds);
    }

    /// The broker gives up whoever is not heard of. Not in the quiet, whose steps are longer than
    /// any member is patient.
    fn expire(&mut self) {
        if self.is_quiet {
            return;
        }
        let now = self.site.world.now();
        let mut shared = self.site.world.shared();
        self.counts.transactions_expired += shared.log.expire_transactions(now) as u64;
        self.counts.members_lost += shared.log.expire_members(now) as u64;
    }

    /// Shippers send a few lines, or what they had kept back.
    fn ship(&mut self) {
        let mut shared = self.site.world.shared();
        if !shared.happens(100) {
            return;
        }
        let lines = if shared.happens(100) { 400 } else { shared.dice.random_range(0..30) };
        for arrival in self.arrivals.by_ref().take(lines) {
            let of = TopicPartition { topic: arrival.topic.name().into(), partition: arrival.partition };
            shared.log.append(&of, &arrival.bytes, arrival.broker_time);
        }
    }

    fn step(&mut self, number: usize, odds: Odds) {
        let (now, site) = (self.site.world.now(), &self.site);
        let worker = &mut self.workers[number];
        match &mut worker.life {
            Life::Dead { until } if *until > now => {}
            Life::Dead { .. } => {
                let thread = process::start(site, number, &worker.role);
                worker.life = Life::Alive { thread, sleeps_until: Duration::ZERO };
            }
            Life::Alive { sleeps_until, .. } if *sleeps_until > now => {}
            Life::Alive { sleeps_until, .. } => {
                let odds = if site.world.is_exposed(number) { odds.where_exposed() } else { odds };
                let mut shared = site.world.shared();
                let dies = shared.dice.random_ratio(odds.dies, 10_000);
                if shared.dice.random_ratio(odds.sleeps, 10_000) {
                    let sleep = Duration::from_millis(shared.dice.random_range(500..20_000));
                    drop(shared);
                    *sleeps_until = now + sleep;
                    self.counts.sleeps += 1;
                    site.world.tell(|| format!("{} {number} sleeps for {sleep:?}", worker.role.name()));
                    return;
                }
                let pause = Duration::from_millis(shared.dice.random_range(0..12_000));
                drop(shared);
                if dies {
                    site.world.tell(|| format!("{} {number} dies", worker.role.name()));
                }
                let has_left = site.world.let_step(number, if dies { Fate::Die } else { Fate::GoOn });
                self.counts.deaths += u64::from(dies);
                if has_left {
                    self.bury(number, now + pause);
                }
            }
        }
    }

    fn bury(&mut self, number: usize, until: Duration) {
        let process = std::mem::replace(&mut self.workers[number].life, Life::Dead { until });
        if let Life::Alive { thread, .. } = process {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }

    fn everyone_steps(&mut self, odds: Odds) {
        for number in 0..self.workers.len() {
            self.step(number, odds);
        }
    }

    /// Whether every stage has read what there is to read, or the rest is nothing for a reader.
    fn is_all_read(&self) -> bool {
        let shared = self.site.world.shared();
        self.roles.iter().all(|(group, reads)| {
            let read = shared.log.partitions(reads);
            read.iter().all(|of| shared.log.is_read(group, of))
        })
    }

    /// Ends the processes as an operator does, and waits.
    fn stop(&mut self) {
        self.site.shutdown.request();
        for worker in 0..self.workers.len() {
            let is_alive = matches!(self.workers[worker].life, Life::Alive { .. });
            while is_alive && !self.site.world.let_step(worker, Fate::GoOn) {}
            self.bury(worker, Duration::MAX);
        }
    }
}
