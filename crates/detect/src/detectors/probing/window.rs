//! What a network looked for lately: which things, second by second.

use std::collections::BTreeSet;

use event::EventTime;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// One thing that was looked for in one second. However often it was is no matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Fact {
    /// The second.
    pub(super) time: EventTime,
    /// A hash of what was looked for.
    pub(super) sought: u64,
    /// How much it tells; 0 where anybody may look for it.
    pub(super) weight: u32,
    pub(super) refused: bool,
}

/// More facts than this are not kept. A rule that it takes more to meet has been met by then, unless
/// the same few things are looked for all the time.
const FACTS_MAX: usize = 4_096;

/// The facts of the longest window that a rule looks at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Window(BTreeSet<Fact>);

impl Window {
    /// Adds a fact; false if it was there. Over the bound the oldest is forgotten.
    pub(super) fn insert(&mut self, fact: Fact) -> bool {
        let is_news = self.0.insert(fact);
        if self.0.len() > FACTS_MAX {
            self.0.pop_first();
        }
        is_news
    }

    /// The second of the oldest.
    pub(super) fn oldest(&self) -> Option<EventTime> {
        self.0.first().map(|fact| fact.time)
    }

    /// Forgets what lies before a moment.
    pub(super) fn forget(&mut self, before: EventTime) {
        while self.0.first().is_some_and(|fact| fact.time < before) {
            self.0.pop_first();
        }
    }

    /// Whether a stretch of `length_ms` with the second `around` in it comes to `least`, where each thing
    /// counts once as `counts` says.
    pub(super) fn comes_to(
        &self,
        least: u32,
        around: EventTime,
        length_ms: i64,
        counts: impl Fn(&Fact) -> u32,
    ) -> bool {
        let reach = length_ms - 1_000;
        let beginning = Fact { time: around - reach, sought: 0, weight: 0, refused: false };
        let near: Vec<&Fact> =
            self.0.range(beginning..).take_while(|fact| fact.time - around <= reach).collect();
        let mut things: HashMap<u64, u32> = HashMap::new();
        let (mut sum, mut start) = (0, 0);
        for fact in near.iter().filter(|fact| counts(fact) > 0) {
            while fact.time - near[start].time > reach {
                let past = near[start];
                if counts(past) > 0
                    && let Some(times) = things.get_mut(&past.sought)
                {
                    *times -= 1;
                    sum -= if *times == 0 { counts(past) } else { 0 };
                }
                start += 1;
            }
            let times = things.entry(fact.sought).or_default();
            sum += if *times == 0 { counts(fact) } else { 0 };
            *times += 1;
            if sum >= least {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(seconds: &[(i64, u64)]) -> Window {
        let mut window = Window::default();
        for (second, sought) in seconds {
            window.insert(Fact {
                time: EventTime(second * 1_000),
                sought: *sought,
                weight: 1,
                refused: true,
            });
        }
        window
    }

    #[test]
    fn each_thing_counts_once_in_a_stretch() {
        let window = window(&[(0, 1), (3, 1), (5, 2), (9, 3), (10, 4)]);
        let comes_to = |least, around: i64, length: i64| {
            window.comes_to(least, EventTime(around * 1_000), length * 1_000, |_| 1)
        };
        assert!(comes_to(4, 5, 10) && !comes_to(5, 5, 10), "from 3 to 10, of which 1 is one thing");
        assert!(comes_to(3, 0, 10) && !comes_to(4, 0, 10), "10 lies ten seconds after 0");
        assert!(comes_to(1, 0, 1) && !comes_to(2, 0, 1));
    }

    #[test]
    fn what_is_over_is_forgotten_and_there_is_a_bound() {
        let mut few = window(&[(0, 1), (3, 1), (5, 2)]);
        few.forget(EventTime(3_000));
        assert_eq!(few.oldest(), Some(EventTime(3_000)));
        let many: Vec<_> = (0..5_000).map(|n| (n, n as u64)).collect();
        assert_eq!(window(&many).0.len(), FACTS_MAX);
    }
}
