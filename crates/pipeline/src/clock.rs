//! The one place that asks what time it is, so that tests can hold the hand of it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use event::EventTime;

/// A wall clock. Nothing that decides what an alert says may read it; it stamps, measures and logs.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Held(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands until it is moved.
    pub fn held(at: EventTime) -> Self {
        Self(Kind::Held(Arc::new(AtomicI64::new(at.millis()))))
    }

    /// Moves a held clock; the system's stays as it is.
    pub fn advance(&self, millis: i64) {
        if let Kind::Held(at) = &self.0 {
            at.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// How long it is since some moment that stays the same while the process runs. Unlike
    /// [`Clock::now`] it never goes back: what waits for a while asks this.
    pub fn uptime(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Kind::Held(at) => Duration::from_millis(at.load(Ordering::SeqCst).unsigned_abs()),
            Kind::System => BEGAN.elapsed(),
        }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is told to take")]
    pub fn now(&self) -> EventTime {
        match &self.0 {
            Kind::Held(at) => EventTime(at.load(Ordering::SeqCst)),
            Kind::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                EventTime(since.map_or(0, |since| since.as_millis() as i64))
            }
        }
    }
}
