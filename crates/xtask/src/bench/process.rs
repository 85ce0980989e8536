//! Processes under measurement, by what Linux counts for them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// What one process used from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) cpu_seconds: f64,
    pub(crate) wall_seconds: f64,
    pub(crate) resident_bytes_max: u64,
}

const SAMPLE_EVERY: Duration = Duration::from_millis(20);

/// Runs a program to its end. CPU is what the kernel adds to our children's account when the
/// program is waited for, so nothing of it is missed; memory is the high-water mark, looked at
/// until the program is gone.
pub(crate) fn measure(mut command: Command) -> anyhow::Result<Measured> {
    let before = cpu_seconds_of_children()?;
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    let mut resident_bytes_max = 0;
    let status = loop {
        resident_bytes_max = resident_bytes_max.max(high_water_mark(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        pause();
    };
    ensure!(status.success(), "{command:?}: {status}");
    Ok(Measured {
        cpu_seconds: cpu_seconds_of_children()? - before,
        wall_seconds: began.elapsed().as_secs_f64(),
        resident_bytes_max,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "samples are taken at intervals; there is nothing else to wait for"
)]
fn pause() {
    std::thread::sleep(SAMPLE_EVERY);
}

/// User and system time of the children that were waited for: fields 16 and 17 of `stat`.
fn cpu_seconds_of_children() -> anyhow::Result<f64> {
    cpu_seconds("self", 13)
}

/// User and system time of a process that runs: fields 14 and 15 of its `stat`.
pub(crate) fn cpu_seconds_of(pid: u32) -> anyhow::Result<f64> {
    cpu_seconds(&pid.to_string(), 11)
}

/// Two fields of a process's `stat` that follow so many others behind its name, in hundredths of a
/// second.
fn cpu_seconds(process: &str, skip: usize) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}; this needs Linux"))?;
    let ticks: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(skip)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    ensure!(ticks.len() == 2, "{path} is not as expected: {stat}");
    Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
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

    #[test]
    fn a_busy_program_is_seen_to_be_busy() {
        let mut busy = Command::new("sh");
        busy.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let measured = measure(busy).unwrap();
        assert!(measured.cpu_seconds > 0.0 && measured.cpu_seconds <= measured.wall_seconds + 0.02);
        assert!(measured.resident_bytes_max > 100_000);
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        assert!(measure(Command::new("false")).is_err());
    }
}
