//! The power is cut at any moment, and what was promised is kept.
//!
//! Each seed is a life of a data directory: a broker in this process serves a client over its
//! socket until the power goes, at some operation on the disk; [`crate::disk::power`] leaves what
//! such a cut may leave; and a broker that is started on that is asked for everything that was
//! acknowledged. The seed settles the work, the moment and the damage; only how threads take turns
//! is not in its hands.
//!
//! `POWER_CUT_SEED` runs one seed alone, `POWER_CUT_SEEDS` more or fewer than usual.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::promises::Promises;
use self::work::Work;
use super::test_client::Client;
use super::{Broker, BrokerConfig};
use crate::disk::power::{Dice, Power};

mod promises;
mod work;

const SEEDS: u64 = 300;
const CUTS_OF_A_LIFE: usize = 3;

fn config(data_dir: &Path) -> BrokerConfig {
    let mut config = BrokerConfig::new(data_dir);
    config.listen.set_port(0);
    // Retention is a step of the work, at its own moment.
    config.retention_check_ms = 3_600_000;
    config
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// One data directory through several cuts.
fn live(seed: u64) {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("data");
    std::fs::create_dir(&root).unwrap();
    let mut dice = Dice::new(seed);
    let mut promises = Promises::default();
    for cut in 0..CUTS_OF_A_LIFE {
        work_until_the_cut(&root, &mut dice, &mut promises);
        // Now and then the next cut comes before anyone has looked.
        if cut + 1 == CUTS_OF_A_LIFE || !dice.once_in(3) {
            check(&root, &mut promises);
        }
    }
}

fn work_until_the_cut(root: &Path, dice: &mut Dice, promises: &mut Promises) {
    let operations = if dice.once_in(5) { 1 + dice.below(30) } else { 20 + dice.below(250) };
    let power = Power::watch(root, operations);
    let runtime = runtime();
    match runtime.block_on(Broker::start(config(root))) {
        Ok(broker) => {
            if let Ok(client) = Client::connect(broker.local_addr()) {
                let mut work = Work::new(&broker, client, dice, promises);
                while work.step().is_some() {}
            }
            assert!(power.is_off(), "the broker refused to work though the power was on");
            promises.note_starts(&broker);
            drop(broker);
        }
        Err(error) => assert!(power.is_off(), "the broker did not start though the power was on: {error:?}"),
    }
    drop(runtime);
    power.settle(dice);
}

fn check(root: &Path, promises: &mut Promises) {
    let runtime = runtime();
    let broker = runtime.block_on(Broker::start(config(root))).unwrap();
    promises.check(&mut Client::connect(broker.local_addr()).unwrap());
    drop(broker);
}

/// Says which seed it was if the test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with POWER_CUT_SEED={}", self.0);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "no one hands a test its environment")]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let told = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match told("POWER_CUT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..told("POWER_CUT_SEEDS").unwrap_or(SEEDS),
    };
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let _told = Told(seed);
                    live(seed);
                }
            });
        }
    });
}
