//! Draws who goes on, who is killed and who sleeps, until everything is read and time has passed.

use std::thread::JoinHandle;
use std::time::Duration;

use pipeline::TopicPartition;
use rand::Rng;

use crate::run::Counts;
use crate::traffic::Arrival;
use crate::workers::{self, Kind, Site, is_log, is_observation};
use crate::world::{Fate, Mishaps};

/// Once all is read, time runs on in such steps, until every window and episode has closed.
const QUIET_STEP_MS: i64 = 20 * 60 * 1000;
const QUIET_MS: i64 = 14 * 60 * 60 * 1000;
/// No seed takes so many turns; one that does is stuck.
const TURNS_MAX: u64 = 2_000_000;

/// How likely a process dies or sleeps at a turn, in ten thousand times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) dies: u32,
    pub(crate) sleeps: u32,
    pub(crate) mishaps: Mishaps,
}

struct Worker {
    kind: Kind,
    process: Process,
}

enum Process {
    Alive { thread: JoinHandle<()>, sleeps_until: Duration },
    Dead { until: Duration },
}

pub(crate) struct Driver {
    site: Site,
    workers: Vec<Worker>,
    arrivals: std::vec::IntoIter<Arrival>,
    counts: Counts,
    is_quiet: bool,
}

impl Driver {
    pub(crate) fn new(site: Site, kinds: &[Kind], arrivals: Vec<Arrival>) -> Self {
        let dead = |&kind| Worker { kind, process: Process::Dead { until: Duration::ZERO } };
        let workers = kinds.iter().map(dead).collect();
        Self { site, workers, arrivals: arrivals.into_iter(), counts: Counts::default(), is_quiet: false }
    }

    /// Lets it rain until everything has arrived and is read, then lets everyone live and time pass.
    pub(crate) fn drive(mut self, weather: Weather) -> Counts {
        self.site.world.shared().mishaps = weather.mishaps;
        while self.arrivals.len() > 0 || !self.is_all_read() {
            self.turn(weather);
        }
        let calm = Weather { dies: 0, sleeps: 0, mishaps: Mishaps::default() };
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
    fn wait_for_the_dead(&mut self, calm: Weather) {
        let until = self.site.world.now() + Duration::from_secs(30);
        while self.site.world.now() < until || !self.is_all_read() {
            self.turn(calm);
        }
    }

    fn turn(&mut self, weather: Weather) {
        self.counts.turns += 1;
        if self.counts.turns > TURNS_MAX {
            panic!("stuck: nothing comes to an end\n{}", self.site.world.last_of_story());
        }
        let world = &self.site.world;
        world.clock.advance(world.shared().dice.random_range(0..20));
        self.expire();
        self.ship();
        let chosen = self.site.world.shared().dice.random_range(0..self.workers.len());
        self.step(chosen, weather);
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

    fn step(&mut self, number: usize, weather: Weather) {
        let (now, site) = (self.site.world.now(), &self.site);
        let worker = &mut self.workers[number];
        match &mut worker.process {
            Process::Dead { until } if *until > now => {}
            Process::Dead { .. } => {
                let thread = workers::start(site, number, worker.kind);
                worker.process = Process::Alive { thread, sleeps_until: Duration::ZERO };
            }
            Process::Alive { sleeps_until, .. } if *sleeps_until > now => {}
            Process::Alive { sleeps_until, .. } => {
                let mut shared = site.world.shared();
                let dies = shared.dice.random_ratio(weather.dies, 10_000);
                if shared.dice.random_ratio(weather.sleeps, 10_000) {
                    let sleep = Duration::from_millis(shared.dice.random_range(500..20_000));
                    drop(shared);
                    *sleeps_until = now + sleep;
                    self.counts.sleeps += 1;
                    site.world.tell(|| format!("{:?} {number} sleeps for {sleep:?}", worker.kind));
                    return;
                }
                let pause = Duration::from_millis(shared.dice.random_range(0..12_000));
                drop(shared);
                if dies {
                    site.world.tell(|| format!("{:?} {number} dies", worker.kind));
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
        let process = std::mem::replace(&mut self.workers[number].process, Process::Dead { until });
        if let Process::Alive { thread, .. } = process {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }

    fn everyone_steps(&mut self, weather: Weather) {
        for number in 0..self.workers.len() {
            self.step(number, weather);
        }
    }

    /// Whether both stages have read what there is to read, or the rest is nothing for a reader.
    fn is_all_read(&self) -> bool {
        let shared = self.site.world.shared();
        let is_read = |group: &str, reads: fn(&str) -> bool| {
            shared.log.partitions(reads).iter().all(|of| shared.log.is_read(group, of))
        };
        is_read("normalize", is_log) && is_read("detect", is_observation)
    }

    /// Ends the processes as an operator does, and waits.
    fn stop(&mut self) {
        self.site.shutdown.request();
        for worker in 0..self.workers.len() {
            let is_alive = matches!(self.workers[worker].process, Process::Alive { .. });
            while is_alive && !self.site.world.let_step(worker, Fate::GoOn) {}
            self.bury(worker, Duration::MAX);
        }
    }
}
