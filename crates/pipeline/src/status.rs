//! How a stage is, for `/readyz`, the terminal and tests.

use std::sync::{Arc, Mutex};

use crate::Polled;

/// What a stage is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageState {
    /// Connecting, or loading its state.
    #[default]
    Starting,
    /// Reading and delivering.
    Running,
    /// It failed and will be started again, or what it reads from cannot be reached.
    Waiting,
    /// It ended because it was asked to.
    Stopped,
    /// It ended and will not come back without an operator.
    Failed,
}

/// A stage's state, shared with whoever wants to know.
#[derive(Clone, Debug, Default)]
pub struct StageStatus(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    state: StageState,
    detail: String,
    records: u64,
    deliveries: u64,
    caught_up: bool,
    restarts: u64,
    cpu_seconds: f64,
}

/// A copy of a stage's numbers.
#[derive(Clone, Debug)]
pub struct StageReport {
    /// What it is doing.
    pub state: StageState,
    /// Why it waits or failed; empty otherwise.
    pub detail: String,
    /// Records read since the process began.
    pub records: u64,
    /// Batches delivered since the process began.
    pub deliveries: u64,
    /// Whether it had read everything there was when it last looked.
    pub caught_up: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// CPU seconds that its thread has used.
    pub cpu_seconds: f64,
}

impl StageStatus {
    /// How the stage is now.
    pub fn report(&self) -> StageReport {
        let inner = self.lock();
        StageReport {
            state: inner.state,
            detail: inner.detail.clone(),
            records: inner.records,
            deliveries: inner.deliveries,
            caught_up: inner.caught_up,
            restarts: inner.restarts,
            cpu_seconds: inner.cpu_seconds,
        }
    }

    pub(crate) fn set(&self, state: StageState, detail: impl Into<String>) {
        let mut inner = self.lock();
        if state == StageState::Waiting {
            inner.restarts += 1;
        }
        if state != StageState::Running {
            inner.caught_up = false;
        }
        (inner.state, inner.detail) = (state, detail.into());
    }

    pub(crate) fn polled(&self, polled: &Polled, delivered: bool) {
        let cpu_seconds = thread_cpu_seconds();
        let mut inner = self.lock();
        match &polled.unreachable {
            Some(why) => (inner.state, inner.detail) = (StageState::Waiting, why.clone()),
            None if inner.state == StageState::Running => {}
            None => (inner.state, inner.detail) = (StageState::Running, String::new()),
        }
        inner.records += polled.records as u64;
        inner.deliveries += u64::from(delivered);
        inner.caught_up = polled.caught_up && polled.unreachable.is_none();
        inner.cpu_seconds = cpu_seconds.unwrap_or(inner.cpu_seconds);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// CPU seconds of the calling thread, from the kernel's scheduler statistics.
fn thread_cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = stat.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 / 1e9)
}
