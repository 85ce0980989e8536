//! What a connection is doing, and until when it may go on so.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long a connection may do what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From its beginning to the first call with a token.
    pub(crate) startup: Duration,
    /// Between two calls.
    pub(crate) idle: Duration,
    /// From a call's beginning until all of its answer was taken.
    pub(crate) call: Duration,
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// No token came.
    Startup,
    /// No call came.
    Idle,
    /// A call did not end.
    Call,
}

/// The calls of one connection.
#[derive(Debug)]
pub(crate) struct Pulse {
    state: watch::Sender<State>,
    patience: Patience,
}

#[derive(Debug)]
struct State {
    began: Instant,
    is_known: bool,
    /// When each call under way began, by its number, which grows.
    calls: BTreeMap<u64, Instant>,
    next: u64,
    quiet_since: Instant,
}

/// A call, while it goes on.
#[derive(Debug)]
pub(crate) struct Call {
    number: u64,
    state: watch::Sender<State>,
}

impl Pulse {
    pub(crate) fn new(patience: Patience) -> Self {
        let now = Instant::now();
        let state = State { began: now, is_known: false, calls: BTreeMap::new(), next: 0, quiet_since: now };
        Self { state: watch::Sender::new(state), patience }
    }

    /// A call begins.
    pub(crate) fn call(&self) -> Call {
        let mut number = 0;
        self.state.send_modify(|state| {
            number = state.next;
            state.next += 1;
            state.calls.insert(number, Instant::now());
        });
        Call { number, state: self.state.clone() }
    }

    /// A token came that is in force.
    pub(crate) fn is_known(&self) {
        self.state.send_if_modified(|state| !std::mem::replace(&mut state.is_known, true));
    }

    /// Waits until the connection has to end.
    pub(crate) async fn over(&self) -> Over {
        let mut changes = self.state.subscribe();
        loop {
            let (until, why) = changes.borrow_and_update().ends_at(self.patience);
            tokio::select! {
                () = tokio::time::sleep_until(until) => return why,
                // The sender is this pulse's own, so it is there.
                _ = changes.changed() => {}
            }
        }
    }
}

impl State {
    fn ends_at(&self, patience: Patience) -> (Instant, Over) {
        match self.calls.values().next() {
            _ if !self.is_known => (self.began + patience.startup, Over::Startup),
            Some(began) => (*began + patience.call, Over::Call),
            None => (self.quiet_since + patience.idle, Over::Idle),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.state.send_modify(|state| {
            state.calls.remove(&self.number);
            state.quiet_since = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        startup: Duration::from_secs(1),
        idle: Duration::from_secs(10),
        call: Duration::from_secs(100),
    };

    fn ends_in(pulse: &Pulse) -> (u64, Over) {
        let state = pulse.state.borrow();
        let (until, why) = state.ends_at(PATIENCE);
        ((until - state.began).as_secs(), why)
    }

    #[test]
    fn a_connection_has_so_long_to_bring_a_token_whatever_it_calls() {
        let pulse = Pulse::new(PATIENCE);
        let call = pulse.call();
        assert_eq!(ends_in(&pulse), (1, Over::Startup));
        pulse.is_known();
        assert_eq!(ends_in(&pulse), (100, Over::Call));
        drop(call);
        assert_eq!(ends_in(&pulse), (10, Over::Idle));
    }

    #[test]
    fn the_oldest_call_counts() {
        let pulse = Pulse::new(PATIENCE);
        pulse.is_known();
        let (first, _second) = (pulse.call(), pulse.call());
        let before = pulse.state.borrow().calls.values().next().copied();
        drop(first);
        assert!(pulse.state.borrow().calls.values().next().copied() >= before);
        assert_eq!(pulse.state.borrow().calls.len(), 1);
    }
}
