//! A token bucket below the receiver's own limit.

use chrono::{DateTime, Utc};

/// Lets so many requests through a minute; a quiet minute saves up for the next.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    per_minute: u32,
    saved: f64,
    counted_at: Option<DateTime<Utc>>,
}

impl Budget {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, saved: f64::from(per_minute), counted_at: None }
    }

    /// How many requests may be made now.
    pub(crate) fn available(&mut self, now: DateTime<Utc>) -> usize {
        let since = self.counted_at.map_or(0, |then| (now - then).num_milliseconds().max(0));
        let earned = since as f64 / 60_000.0 * f64::from(self.per_minute);
        self.saved = (self.saved + earned).min(f64::from(self.per_minute));
        self.counted_at = Some(now);
        self.saved as usize
    }

    /// Notes that a request was made.
    pub(crate) fn spend(&mut self) {
        self.saved -= 1.0;
    }

    /// When the next request may be made.
    pub(crate) fn next_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let missing = (1.0 - self.saved).max(0.0);
        now + chrono::TimeDelta::milliseconds((missing / f64::from(self.per_minute) * 60_000.0).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_at_once_then_one_a_second() {
        let mut budget = Budget::new(60);
        let start = DateTime::<Utc>::from_timestamp(1_773_480_414, 0).unwrap();
        assert_eq!(budget.available(start), 60);
        (0..60).for_each(|_| budget.spend());
        assert_eq!(budget.available(start), 0);
        let next = budget.next_at(start);
        assert_eq!((next - start).num_milliseconds(), 1_000);
        assert_eq!(budget.available(next), 1);
        assert_eq!(
            budget.available(start + chrono::TimeDelta::hours(5)),
            60,
            "an hour saves no more than a minute"
        );
    }
}
