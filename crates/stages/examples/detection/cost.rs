//! What DETECT costs by itself: the same lines again, in records as large as they are under load.

use std::collections::BTreeSet;

use event::EventTime;
use rustix::time::{ClockId, clock_gettime};

use super::run::{Lines, Options};
use super::system::Stages;

/// Lines in a record.
const LINES_A_RECORD: usize = 2_000;

/// CPU seconds for a million lines.
pub(crate) fn cost(options: &Options) -> f64 {
    let (mut lines, mut count, mut cpu_seconds) = (Lines::new(options), 0, 0.0);
    let (mut stages, mut now) = (Stages::new(&lines.detect_config()), EventTime::MIN);
    loop {
        let mut read = 0;
        for line in lines.by_ref().take(LINES_A_RECORD) {
            stages.normalize(&line);
            (read, now) = (read + 1, now.max(line.time));
        }
        let record = stages.record(&BTreeSet::new());
        let began = cpu_now();
        stages.detect(&record, now);
        cpu_seconds += cpu_now() - began;
        count += read;
        if read < LINES_A_RECORD {
            return cpu_seconds * 1e6 / count as f64;
        }
    }
}

/// CPU seconds of this thread.
fn cpu_now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
