//! What was read since the last batch, in numbers.

use std::collections::BTreeMap;

use event::RejectReason;

/// Counts for metrics; every line is counted once, as an event or as a reject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kafka records.
    pub records: u64,
    /// Lines and array elements in them.
    pub lines: u64,
    /// Lines that became events.
    pub events: u64,
    /// Lines that became rejects, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
    /// Events that carry a flag, by the flag's name.
    pub flags: BTreeMap<String, u64>,
}

impl Counts {
    /// All rejects together.
    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    pub(crate) fn flag(&mut self, name: &str) {
        match self.flags.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.flags.insert(name.to_owned(), 1);
            }
        }
    }
}
