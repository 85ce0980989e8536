//! How long our broker takes to be there again with a large log.

use std::path::Path;
use std::time::Instant;

use super::servers::Server;
use super::{Bench, Load};
use crate::bench::end_to_end::size_of;

/// About what a record of the load takes in the log, compressed.
const STORED_BYTES: u64 = 90;

/// Fills a log, and starts on it again: after a kill, and after a clean stop.
pub(super) fn measure(bench: &Bench<'_>, server: &Server, gib: u64) -> anyhow::Result<String> {
    let data = bench.dir.join("restart");
    let running = server.start(&data)?;
    let records = (gib << 30) / STORED_BYTES;
    eprintln!("restart: filling the log with {records} records");
    bench.load::<Load>(&running, "produce", "restart", &[records])?;
    running.kill();
    let stored_gib = size_of(&data)? as f64 / f64::from(1 << 30);
    let killed = start_and_stop(server, &data)?;
    let stopped = start_and_stop(server, &data)?;
    Ok(format!(
        "restart with {stored_gib:.1} GiB of log: {killed:.2} s after a kill, {stopped:.2} s after a clean stop"
    ))
}

/// Seconds until it listens; then it is asked to stop.
fn start_and_stop(server: &Server, data: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    let running = server.start(data)?;
    let seconds = began.elapsed().as_secs_f64();
    running.terminate()?;
    Ok(seconds)
}
