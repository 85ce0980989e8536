//! Clocks that are wrong: each process of ours has one of its own, which libfaketime sets while the
//! process runs.
//!
//! Only the wall clock is wrong. The monotonic clock goes on, as it does on a machine whose wall
//! clock somebody sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::fleet::Fleet;
use super::harm::{Dice, pause};
use super::logs::Logs;

/// Where distributions put it, and its own Makefile; the build for programs of several threads.
const LIBRARIES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
];
/// What libfaketime leaves out; see there.
const WAITS: &str = include_str!("clock/waits.c");
/// So often a process looks how wrong its clock is.
const LOOK_EVERY_SECONDS: &str = "1";
const RIGHT: &str = "+0";
const HOUR_AHEAD: &str = "+3600";
const HOUR_BEHIND: &str = "-3600";
const STEP_BACK: &str = "-30";
const FAST: &str = "+0 x1.1";
const SLOW: &str = "+0 x0.9";

/// The clocks of a run: for each process a file that says how wrong its clock is.
pub(super) struct Clocks {
    /// What every process loads first.
    preload: String,
    dir: PathBuf,
}

impl Clocks {
    pub(super) fn find(dir: &Path) -> anyhow::Result<Self> {
        let found = LIBRARIES.into_iter().find(|library| Path::new(library).exists());
        let library = found.with_context(|| {
            format!(
                "libfaketime is not installed: apt-get install faketime, or your system's like; looked for {}",
                LIBRARIES.join(", ")
            )
        })?;
        let waits = compile_waits(dir).context("libfaketime is completed with a C compiler, cc")?;
        Ok(Self { preload: format!("{library}:{}", waits.display()), dir: dir.to_owned() })
    }

    /// Has a process that is about to start go by its own clock.
    pub(super) fn give(&self, process: &mut Command, name: &str) -> anyhow::Result<()> {
        if !self.file(name).exists() {
            self.set(name, RIGHT)?;
        }
        process.env("LD_PRELOAD", &self.preload).env("FAKETIME_TIMESTAMP_FILE", self.file(name));
        process.env("FAKETIME_CACHE_DURATION", LOOK_EVERY_SECONDS);
        // The second is the name that older versions know.
        process.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        // The times of files are the file system's, and right.
        process.env("NO_FAKE_STAT", "1");
        Ok(())
    }

    /// By a new name first: nobody shall read half of it.
    fn set(&self, name: &str, wrong: &str) -> anyhow::Result<()> {
        let (file, new) = (self.file(name), self.dir.join("new.clock"));
        fs::write(&new, wrong).and_then(|()| fs::rename(&new, &file)).context("set a clock")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.clock"))
    }
}

fn compile_waits(dir: &Path) -> anyhow::Result<PathBuf> {
    let (source, library) = (dir.join("waits.c"), dir.join("waits.so"));
    fs::write(&source, WAITS).with_context(|| format!("write {}", source.display()))?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
    let status = cc.status().context("start cc")?;
    ensure!(status.success(), "cc: {status}");
    Ok(library)
}

/// Sets the clocks of two workers and of the keeper, again and again. One worker is started with a
/// clock that is wrong, twice; the others live through it all.
pub(super) fn set_wrong(fleet: &mut Fleet, dice: &mut Dice) -> anyhow::Result<()> {
    let said = Logs::from_now_on(fleet.dir(), "worker-")?;
    let started = dice.below(2) as usize;
    let living = 1 - started;
    set(fleet, [(started, HOUR_AHEAD), (living, HOUR_BEHIND)], HOUR_AHEAD)?;
    start_again(fleet, started, dice)?;
    set(fleet, [(started, HOUR_BEHIND), (living, HOUR_AHEAD)], HOUR_BEHIND)?;
    start_again(fleet, started, dice)?;
    set(fleet, [(started, STEP_BACK), (living, STEP_BACK)], STEP_BACK)?;
    pause(Duration::from_secs(5));
    set(fleet, [(started, FAST), (living, SLOW)], FAST)?;
    pause(Duration::from_secs(8));
    set(fleet, [(started, RIGHT), (living, RIGHT)], RIGHT)?;
    pause(Duration::from_secs(2));
    happened(fleet, &said)
}

fn set(fleet: &Fleet, workers: [(usize, &str); 2], keeper: &str) -> anyhow::Result<()> {
    let clocks = fleet.ground.clocks.as_ref().context("the processes have clocks of their own")?;
    for (worker, wrong) in workers {
        clocks.set(&Fleet::worker(worker), wrong)?;
    }
    clocks.set(Fleet::KEEPER, keeper)
}

fn start_again(fleet: &mut Fleet, worker: usize, dice: &mut Dice) -> anyhow::Result<()> {
    pause(Duration::from_secs(2) + dice.millis(2_000));
    fleet.kill(worker);
    fleet.restart(worker)?;
    pause(Duration::from_secs(4));
    Ok(())
}

/// What the workers wrote must bear times of an hour ahead and of an hour behind.
fn happened(fleet: &Fleet, said: &Logs) -> anyhow::Result<()> {
    let lines = said.lines()?;
    let times = lines.iter().filter_map(|line| line.split_whitespace().next());
    let times: Vec<_> = times.filter(|time| time.starts_with("20") && time.ends_with('Z')).collect();
    let (first, last) = (times.iter().min(), times.iter().max());
    let (first, last) = first.zip(last).context("the workers' logs bear no times")?;
    let sql = format!(
        "SELECT now() - '{first}'::timestamptz > INTERVAL '30 minutes' AS behind, \
         '{last}'::timestamptz - now() > INTERVAL '30 minutes' AS ahead"
    );
    let found = fleet.query(&sql)?;
    eprintln!("clock: the workers' logs bear times from {first} to {last}");
    let is = |name: &str| found.first().is_some_and(|row| row[name] == true);
    ensure!(is("behind") && is("ahead"), "no worker's clock was wrong: libfaketime has no effect");
    Ok(())
}
