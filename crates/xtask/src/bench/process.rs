//! Processes under measurement, by what Linux counts for them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// What one process used from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) cpu_seconds: f64,
    /// Of which by the threads of each name, as it was seen last before they ended.
    pub(crate) cpu_seconds_by_thread: BTreeMap<String, f64>,
    pub(crate) wall_seconds: f64,
    pub(crate) resident_bytes_max: u64,
}

const SAMPLE_EVERY: Duration = Duration::from_millis(20);
/// Threads are many and are looked at every so many samples.
const THREADS_EVERY: u32 = 10;

/// Runs a program to its end. CPU is what the kernel has in its account when it has ended and was
/// not yet waited for, with the children that it waited for, so nothing of it is missed and nothing
/// of others is in it; memory is the high-water mark, looked at until the program is gone.
pub(crate) fn measure(mut command: Command) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    let (mut resident_bytes_max, mut threads) = (0, Threads::default());
    let (status, cpu_seconds) = loop {
        threads.look(child.id());
        resident_bytes_max = resident_bytes_max.max(high_water_mark(child.id()));
        if has_ended(child.id())? {
            let cpu_seconds = cpu_seconds_with_children(child.id())?;
            if let Some(status) = child.try_wait()? {
                break (status, cpu_seconds);
            }
        }
        pause();
    };
    ensure!(status.success(), "{command:?}: {status}");
    let wall_seconds = began.elapsed().as_secs_f64();
    Ok(Measured { cpu_seconds, cpu_seconds_by_thread: threads.by_name(), wall_seconds, resident_bytes_max })
}

/// The threads of a process, also those that have ended: name and hundredths of a second by number.
#[derive(Default)]
struct Threads {
    looks: u32,
    seen: BTreeMap<String, (String, u64)>,
}

impl Threads {
    /// Looks at them, if it is time to. One that ends meanwhile keeps what it had.
    fn look(&mut self, pid: u32) {
        self.looks += 1;
        if self.looks % THREADS_EVERY != 1 {
            return;
        }
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let named = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
            let Some((name, rest)) = named else { continue };
            let fields = rest.split_whitespace().skip(11).take(2);
            let ticks = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
            self.seen.insert(task.file_name().to_string_lossy().into_owned(), (name.to_owned(), ticks));
        }
    }

    fn by_name(self) -> BTreeMap<String, f64> {
        let mut by_name = BTreeMap::new();
        for (name, ticks) in self.seen.into_values() {
            *by_name.entry(name).or_default() += ticks as f64 / 100.0;
        }
        by_name
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "samples are taken at intervals; there is nothing else to wait for"
)]
fn pause() {
    std::thread::sleep(SAMPLE_EVERY);
}

/// User and system time of a process that runs: fields 14 and 15 of its `stat`.
pub(crate) fn cpu_seconds_of(pid: u32) -> anyhow::Result<f64> {
    cpu_seconds(pid, 2)
}

/// The same and that of the children that it has waited for: fields 14 to 17.
fn cpu_seconds_with_children(pid: u32) -> anyhow::Result<f64> {
    cpu_seconds(pid, 4)
}

/// So many fields of a process's `stat` from the 14th on, in hundredths of a second.
fn cpu_seconds(pid: u32, fields: usize) -> anyhow::Result<f64> {
    let stat = stat_behind_name(pid)?;
    let ticks: Vec<u64> =
        stat.split_whitespace().skip(11).take(fields).filter_map(|field| field.parse().ok()).collect();
    ensure!(ticks.len() == fields, "/proc/{pid}/stat is not as expected: {stat}");
    Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
}

/// Whether a child has ended and waits to be waited for: state Z.
fn has_ended(pid: u32) -> anyhow::Result<bool> {
    Ok(stat_behind_name(pid)?.trim_start().starts_with('Z'))
}

/// What follows a process's name in its `stat`: its third field and those after it.
fn stat_behind_name(pid: u32) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/stat");
    let mut stat = fs::read_to_string(&path).with_context(|| format!("read {path}; this needs Linux"))?;
    let name_ends = stat.rfind(')').with_context(|| format!("{path} is not as expected: {stat}"))?;
    stat.drain(..=name_ends);
    Ok(stat)
}

/// The most memory that a process has had resident, in bytes; 0 once it is gone.
pub(crate) fn high_water_mark(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// A program that runs until it is dropped.
pub(crate) struct Background(Child);

impl Background {
    /// Starts it and waits for the line that says it is ready.
    pub(crate) fn start(mut command: Command, ready: &str) -> anyhow::Result<(Self, String)> {
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("start {command:?}"))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let background = Self(child);
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next().transpose()? {
            if line.contains(ready) {
                // What it says later must not fill the pipe.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok((background, line));
            }
        }
        bail!("{command:?} ended before it said \"{ready}\"");
    }

    /// Takes over a program that was started already.
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }

    /// Waits until it ends by itself, and well.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let status = self.0.wait().context("wait for it to end")?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    /// Fails if it has ended.
    pub(crate) fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.0.try_wait().context("look whether it runs")? {
            None => Ok(()),
            Some(status) => bail!("it ended by itself with {status}"),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to stop, as an init system does, and waits until it has.
    pub(crate) fn terminate(self) -> anyhow::Result<()> {
        let status = self.terminated()?;
        ensure!(status.success(), "it stopped with {status}");
        Ok(())
    }

    /// The same, however it stops.
    pub(crate) fn terminated(mut self) -> anyhow::Result<ExitStatus> {
        crate::command::run("kill", &["-TERM", &self.id().to_string()])?;
        self.0.wait().context("wait for it to stop")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("process {} is left behind: {error}", self.0.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: &str = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_busy_program_is_seen_to_be_busy() {
        let measured = measure(sh(BUSY)).unwrap();
        assert!(measured.cpu_seconds > 0.0 && measured.cpu_seconds <= measured.wall_seconds + 0.02);
        assert!(measured.resident_bytes_max > 100_000);
        assert!(measured.cpu_seconds_by_thread.contains_key("sh"), "{measured:?}");
    }

    #[test]
    fn what_a_programs_own_children_used_counts() {
        let measured = measure(sh(&format!("sh -c '{BUSY}'; true"))).unwrap();
        assert!(measured.cpu_seconds > 0.0);
    }

    #[test]
    fn what_others_used_meanwhile_does_not_count() {
        let mut other = sh(&format!("for round in 0 1 2 3 4; do {BUSY}; done")).spawn().unwrap();
        let until_it_is_gone = ["-s", "0.05", "-f", "/dev/null", "--pid", &other.id().to_string()];
        let mut idle = Command::new("tail");
        idle.args(until_it_is_gone);
        let waiting = std::thread::spawn(move || other.wait());
        let measured = measure(idle).unwrap();
        assert!(waiting.join().unwrap().unwrap().success());
        assert!(measured.cpu_seconds < measured.wall_seconds / 4.0, "{measured:?}");
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        assert!(measure(Command::new("false")).is_err());
    }
}
