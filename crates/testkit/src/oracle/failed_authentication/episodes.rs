//! Stretches of trouble: where a rule is met one begins, and all that follows closely belongs to it.

use std::collections::BTreeSet;

use event::{EventTime, Severity};

use super::{Attempt, weight};

/// One alert's attempts, in order.
#[derive(Clone)]
pub(super) struct Episode<'a, 'o> {
    /// When the rule was first met.
    pub(super) start: EventTime,
    pub(super) severity: Severity,
    pub(super) members: Vec<&'a Attempt<'o>>,
}

/// A rule is met: how bad that is, and how much before belongs to it.
pub(super) struct Met {
    pub(super) severity: Severity,
    pub(super) shown_ms: i64,
}

impl<'a, 'o> Episode<'a, 'o> {
    pub(super) fn first(&self) -> EventTime {
        self.members[0].time
    }

    pub(super) fn last(&self) -> EventTime {
        self.members[self.members.len() - 1].time
    }

    /// What was known of it at a moment after its start.
    pub(super) fn until(&self, time: EventTime) -> Self {
        let members = self.members.iter().copied().filter(|member| member.time <= time).collect();
        Self { members, ..self.clone() }
    }

    /// The accounts that failed in it; one of them may be unnamed.
    pub(super) fn tried(&self) -> BTreeSet<Option<&'a str>> {
        self.members.iter().filter(|a| !a.succeeded).map(|a| a.account.as_deref()).collect()
    }

    /// Spraying over a great many accounts, hardly more than one try each, is stuffing.
    pub(super) fn class<'f>(&self, family: &'f str) -> &'f str {
        let accounts = self.tried().len() as u64;
        let is_list = accounts >= 25 && weight(&self.members) <= 2 * accounts;
        if family == "auth.spray" && is_list { "auth.stuffing" } else { family }
    }
}

/// The episodes of a rule over these failures. `met` is asked of the failures up to one of them
/// that no earlier episode has used. Failures that do not `belong` open nothing and join nothing.
pub(super) fn episodes<'a, 'o>(
    failures: &[&'a Attempt<'o>],
    gap_ms: i64,
    belongs: impl Fn(&Attempt<'o>) -> bool,
    met: impl Fn(&[&'a Attempt<'o>]) -> Option<Met>,
) -> Vec<Episode<'a, 'o>> {
    let mut episodes = Vec::new();
    let mut unused = failures;
    while let Some((episode, used)) = first_episode(unused, gap_ms, &belongs, &met) {
        episodes.push(episode);
        unused = &unused[used..];
    }
    episodes
}

/// The first episode, and how many of the failures lie before its end.
fn first_episode<'a, 'o>(
    failures: &[&'a Attempt<'o>],
    gap_ms: i64,
    belongs: impl Fn(&Attempt<'o>) -> bool,
    met: impl Fn(&[&'a Attempt<'o>]) -> Option<Met>,
) -> Option<(Episode<'a, 'o>, usize)> {
    let met_by = |n: usize| met(&failures[..=n]).filter(|_| belongs(failures[n]));
    let (at, Met { severity, shown_ms }) = (0..failures.len()).find_map(|n| Some((n, met_by(n)?)))?;
    let start = failures[at].time;
    let members = failures[..=at].iter().copied().filter(|f| start - f.time < shown_ms).collect();
    let mut episode = Episode { start, severity, members };
    let mut used = at + 1;
    for (n, &failure) in failures.iter().enumerate().skip(used) {
        if failure.time - episode.last() >= gap_ms {
            break;
        }
        if belongs(failure) {
            episode.members.push(failure);
            episode.severity = met_by(n).map_or(episode.severity, |met| met.severity.max(episode.severity));
            used = n + 1;
        }
    }
    Some((episode, used))
}
