//! What DETECT costs by itself: the same lines again, in records as large as they are under load.

use rustix::time::{ClockId, clock_gettime};

use super::run::{Lines, Options};
use super::system::Stages;

/// Lines in a record.
const LINES_A_RECORD: usize = 2_000;

/// CPU seconds for a million lines.
pub(crate) fn cost(options: &Options) -> f64 {
    let (mut lines, mut count, mut cpu_seconds) = (Lines::new(options), 0, 0.0);
    let mut stages = Stages::new(&lines.detect_config());
    loop {
        let read = lines.by_ref().take(LINES_A_RECORD).map(|line| stages.normalize(&line)).count();
        let record = stages.record();
        let began = cpu_now();
        stages.detect(&record);
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
