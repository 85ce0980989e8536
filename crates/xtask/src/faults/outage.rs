//! No broker at all: everybody waits, and waiting costs nothing.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::fleet::Fleet;
use super::harm::pause;
use crate::bench::cpu_seconds_of;

/// Longer than a transaction may take. The time that brokers take to start is part of it.
const OUTAGE: Duration = Duration::from_secs(12);
/// A transaction may take so long.
const TRANSACTION_MAX: Duration = Duration::from_secs(10);
/// Shorter would say nothing about who is busy.
const LOOK_FOR: Duration = Duration::from_secs(5);
/// What was read before the brokers went is worked off first.
const SETTLE: Duration = Duration::from_secs(1);
/// Of one core, for each process.
const CPU_SHARE_MAX: f64 = 0.05;

/// Kills all brokers and starts them again. Whoever is busy meanwhile tries too hard.
pub(super) fn outage(fleet: &mut Fleet) -> anyhow::Result<()> {
    let away = Instant::now();
    fleet.brokers.kill_all()?;
    pause(SETTLE);
    let (began, before) = (Instant::now(), cpu_seconds(fleet)?);
    // The first start also made their folders; the next is about twice as fast.
    let start = fleet.brokers.start_took / 2;
    pause(OUTAGE.saturating_sub(start + away.elapsed()).max(LOOK_FOR));
    let (elapsed, after) = (began.elapsed(), cpu_seconds(fleet)?);
    fleet.brokers.revive()?;
    ensure!(away.elapsed() > TRANSACTION_MAX, "brokers were back after {:?} already", away.elapsed());
    let mut busy = Vec::new();
    for ((name, before), (_, after)) in before.into_iter().zip(after) {
        let share = (after - before) / elapsed.as_secs_f64();
        let said = format!("{name} used {:.1} % of a core while there was no broker", share * 100.0);
        eprintln!("outage: {said}");
        if share > CPU_SHARE_MAX {
            busy.push(said);
        }
    }
    ensure!(busy.is_empty(), "{}; at most {:.0} % is waiting", busy.join(", "), CPU_SHARE_MAX * 100.0);
    Ok(())
}

fn cpu_seconds(fleet: &Fleet) -> anyhow::Result<Vec<(String, f64)>> {
    let processes = fleet.processes();
    if processes.is_empty() {
        bail!("no process is left");
    }
    processes.into_iter().map(|(name, id)| Ok((name, cpu_seconds_of(id)?))).collect()
}
