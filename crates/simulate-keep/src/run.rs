//! One seed: the same traffic through calm weather and through bad, and what was kept of it.

use std::sync::{Arc, LazyLock};

use normalize::Schemas;
use simulate::{Ended, Guest, Plan, Verdict, Weather, once};
use tokio::runtime::{Builder, Runtime};

use crate::control::Alerting;
use crate::differences::{against_calm, against_topics};
use crate::kept::Kept;
use crate::objects::Disk;
use crate::tables::{Store, Upkeep};

/// Several processes of one role share what is kept; with NORMALIZE's and DETECT's they are as many
/// as the simulation has room for.
const STORES_MAX: usize = 3;
const ALERTINGS_MAX: usize = 2;

/// The engine under the tables reads in threads of its own, which need somebody to drive them. Dice
/// are drawn in the stages' threads alone.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be had")
});

/// Runs a seed twice, and compares.
pub fn run(plan: &Plan, schemas: &Arc<Schemas>) -> Verdict<String> {
    let (calm, kept_in_calm) = through(plan, schemas, Weather::Calm);
    let (found, kept) = through(plan, schemas, Weather::Bad);
    let mut differences = against_topics("calm: ", &kept_in_calm, &calm);
    differences.extend(against_topics("", &kept, &found));
    differences.extend(against_calm(&kept_in_calm, &kept));
    let verdict = Verdict::reach(&calm, found);
    differences.extend(verdict.differences.iter().map(ToString::to_string));
    Verdict { differences, counts: verdict.counts, story: verdict.story }
}

/// One run, on tables and a database of its own.
fn through(plan: &Plan, schemas: &Arc<Schemas>, weather: Weather) -> (Ended, Kept) {
    let runtime = RUNTIME.handle();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let disk = Arc::new(Disk::default());
    let alerting = Arc::new(Alerting::new(&folder.path().join("control.sqlite"), runtime));
    let guests = [
        Guest { role: Arc::new(Store::new(&disk, runtime)), processes_max: STORES_MAX },
        Guest { role: Arc::new(Upkeep::new(&disk, runtime)), processes_max: 1 },
        Guest { role: Arc::clone(&alerting) as _, processes_max: ALERTINGS_MAX },
    ];
    let ended = once(plan, schemas, weather, &guests);
    let kept = runtime.block_on(Kept::read(&disk, alerting.control(), &ended));
    runtime.block_on(alerting.close());
    (ended, kept)
}
