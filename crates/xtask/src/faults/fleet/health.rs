//! How the processes of a run are.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::Fleet;
use crate::bench::Background;
use crate::faults::harm::pause;

/// So long processes may take to start, on a machine that is busy.
const START_WITHIN: Duration = Duration::from_secs(60);
/// Whoever is asked how it is says so at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Longer than a stage waits before it starts again.
const LASTING: Duration = Duration::from_secs(13);
const WELL_WITHIN: Duration = Duration::from_secs(60);

impl Fleet {
    /// Waits until every worker has something to read: a fault that comes earlier meets nobody at work.
    pub(super) fn await_workers(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        for worker in 0..self.len() {
            let log = self.dir.join(format!("{}.log", Self::worker(worker)));
            while !fs::read_to_string(&log).context("read a worker's log")?.contains("partitions assigned") {
                self.check_alive()?;
                ensure!(began.elapsed() < START_WITHIN, "worker {worker} has nothing to read; see its log");
                pause(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Names and ids of the processes that run.
    pub(in crate::faults) fn processes(&self) -> Vec<(String, u32)> {
        let keeper = self.keeper.iter().map(|keeper| (Self::KEEPER.to_owned(), keeper.id()));
        let workers = self.workers.iter().enumerate();
        let workers =
            workers.filter_map(|(number, worker)| Some((Self::worker(number), worker.as_ref()?.id())));
        keeper.chain(workers).collect()
    }

    /// Fails if one has ended by itself: whatever happens, nobody has to start them again.
    pub(in crate::faults) fn check_alive(&mut self) -> anyhow::Result<()> {
        self.brokers.check_alive()?;
        for (number, worker) in self.workers.iter_mut().enumerate() {
            worker.as_mut().map_or(Ok(()), Background::check_alive).context(Self::worker(number))?;
        }
        self.keeper.as_mut().map_or(Ok(()), Background::check_alive).context(Self::KEEPER)
    }

    /// Waits until the keeper says without a break that all is well: a stage that fails again and
    /// again looks well in between.
    pub(in crate::faults) fn await_lasting_health(&mut self) -> anyhow::Result<()> {
        let (began, mut since) = (Instant::now(), Instant::now());
        while since.elapsed() < LASTING {
            pause(Duration::from_millis(200));
            if !self.is_ready()? {
                since = Instant::now();
            }
            ensure!(began.elapsed() < WELL_WITHIN, "the keeper is not well; see its log and /readyz");
        }
        self.check_alive()
    }

    /// Whether the keeper says that all of its parts do their work.
    pub(in crate::faults) fn is_ready(&self) -> anyhow::Result<bool> {
        let address = self.url.trim_start_matches("http://").trim_end_matches('/');
        let mut keeper = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        keeper.set_read_timeout(Some(ANSWER_WITHIN))?;
        write!(keeper, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut status = String::new();
        BufReader::new(keeper).read_line(&mut status).context("read what /readyz answers")?;
        Ok(status.contains(" 200 "))
    }
}
