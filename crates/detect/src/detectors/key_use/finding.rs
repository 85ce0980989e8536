//! One thing that is told of a key: what it rests on, and what was told of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::key::Use;
use crate::tally::Tally;
use crate::telling::Telling;
use crate::witness::Witness;

/// Networks that one finding names.
const NETS_MAX: usize = 32;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) tally: Tally,
    /// The earliest use.
    pub(super) first: Option<Arc<Witness>>,
    /// How many of the uses were accepted.
    pub(super) accepted: u64,
    /// Whether it concerns more than a sandbox.
    pub(super) is_real: bool,
    /// Whether one came from outside of what the partner declared.
    pub(super) outside: bool,
    pub(super) nets: BTreeSet<Box<str>>,
    pub(super) agents: BTreeSet<Box<str>>,
    pub(super) ingested_at: EventTime,
    pub(super) late: bool,
    pub(super) told: Telling,
}

impl Finding {
    pub(super) fn add(&mut self, found: &Use) {
        if self.first.as_ref().is_none_or(|first| found.witness < *first) {
            self.first = Some(Arc::clone(&found.witness));
            self.ingested_at = found.ingested_at;
        }
        self.tally.add(&found.witness, 1);
        self.accepted += u64::from(found.accepted);
        self.is_real |= !found.is_sandbox();
        self.outside |= found.outside;
        keep(&mut self.nets, found.net.as_deref());
        keep(&mut self.agents, found.agent.as_deref());
        self.late |= found.late;
        self.told.has_news();
    }
}

/// Of many names the least are kept, which is a choice that order has no part in.
fn keep(names: &mut BTreeSet<Box<str>>, name: Option<&str>) {
    if let Some(name) = name {
        names.insert(name.into());
        if names.len() > NETS_MAX {
            names.pop_last();
        }
    }
}
