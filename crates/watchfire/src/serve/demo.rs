//! `--demo`: some hours of generated partner traffic at full speed, then live, with attacks in it.

use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use event::EventTime;
use kafka::LogWriter;
use pipeline::{Clock, Shutdown};
use testkit::traffic::{Attacks, Traffic, TrafficConfig};
use tracing::warn;

use super::parts::Parts;
use crate::config::{Config, Partner};

const PARTNERS: usize = 6;
const EVENTS_PER_SECOND: f64 = 20.0;
const HISTORY_MS: i64 = 3 * 3_600_000;

/// The running generator.
pub(crate) struct Demo {
    shutdown: Shutdown,
    thread: Mutex<Option<JoinHandle<()>>>,
}

fn traffic(now: EventTime) -> Traffic {
    Traffic::new(TrafficConfig {
        seed: 7,
        partners: PARTNERS,
        events_per_second: EVENTS_PER_SECOND,
        start: now - HISTORY_MS,
        attacks: Attacks::default_some(),
        ..TrafficConfig::default()
    })
}

/// What the generated partners have agreed to, so that spikes can be told on the first day.
pub(crate) fn add_partners(config: &mut Config) {
    for (tenant, requests_per_minute) in traffic(Clock::system().now()).contracts() {
        config
            .partners
            .entry(tenant)
            .or_insert(Partner { requests_per_minute: Some(requests_per_minute), ..Partner::default() });
    }
}

/// Starts feeding.
pub(crate) fn start(parts: &Parts) -> anyhow::Result<Demo> {
    let writer = LogWriter::new(&parts.connection, "demo")?;
    let (shutdown, clock) = (Shutdown::default(), parts.clock.clone());
    let asked = shutdown.clone();
    let thread =
        std::thread::Builder::new().name("demo".into()).spawn(move || feed(&writer, &clock, &asked))?;
    Ok(Demo { shutdown, thread: Mutex::new(Some(thread)) })
}

fn feed(writer: &LogWriter, clock: &Clock, shutdown: &Shutdown) {
    for line in traffic(clock.now()) {
        let ahead = (line.time - clock.now()).max(0);
        if shutdown.wait(Duration::from_millis(ahead as u64)) {
            break;
        }
        // The feed as key keeps a log's own order, as a shipper that reads one file does.
        if let Err(why) = writer.push(&line.topic.name(), Some(&line.topic.feed), &line.bytes, &[]) {
            warn!(%why, "demo traffic stops");
            return;
        }
    }
    if let Err(why) = writer.flush(Duration::from_secs(10)) {
        warn!(%why, "the last demo lines were not taken");
    }
}

impl Demo {
    /// Stops feeding; everything sent so far is acknowledged when this returns.
    pub(crate) fn stop(&self) {
        self.shutdown.request();
        if let Some(thread) = self.thread.lock().expect("no holder of this lock panics").take()
            && thread.join().is_err()
        {
            warn!("the demo's thread panicked");
        }
    }
}
