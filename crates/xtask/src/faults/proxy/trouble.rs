//! What is done to exchanges: which answer is lost, how late one comes, which connection breaks.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use super::Dice;

/// A network that is not well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// An answer comes later than it would by less than this.
    pub(super) delay_ms_max: u64,
    /// Of a thousand exchanges, those in which the connection breaks before the broker has the request.
    pub(super) broken_before_per_mille: u64,
    /// And those in which it breaks when the broker has it.
    pub(super) broken_after_per_mille: u64,
    /// Of a thousand answers, those that come in pieces.
    pub(super) in_pieces_per_mille: u64,
}

impl Weather {
    pub(super) const ROUGH: Self = Self {
        delay_ms_max: 400,
        broken_before_per_mille: 25,
        broken_after_per_mille: 25,
        in_pieces_per_mille: 20,
    };
    pub(super) const LASTS: Duration = Duration::from_secs(30);
}

/// What is done to exchanges from now on, on all connections of a proxy, and what was done.
#[derive(Default)]
pub(super) struct Trouble(Mutex<State>);

#[derive(Default)]
struct State {
    lose: Vec<ApiKey>,
    weather: Option<(Weather, Dice)>,
    done: Done,
    failure: Option<anyhow::Error>,
}

/// How often something was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// The answers that were lost alone.
    pub(super) lost: Vec<ApiKey>,
    /// Connections that broke in bad weather.
    pub(super) broken: u64,
    pub(super) late: u64,
    pub(super) in_pieces: u64,
}

/// How a request fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Well,
    /// The connection breaks, and the broker never has it.
    BrokenBefore,
    /// The broker has it, and the connection breaks.
    BrokenAfter,
}

/// How an answer fares that arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Voyage {
    pub(super) delay: Duration,
    pub(super) in_pieces: bool,
}

impl Trouble {
    /// The next answer to such a request is lost, and its connection with it.
    pub(super) fn lose_next(&self, key: ApiKey) {
        self.state().lose.push(key);
    }

    pub(super) fn begin(&self, weather: Weather, dice: Dice) {
        self.state().weather = Some((weather, dice));
    }

    /// All is well from now on. Fails where the proxy itself did.
    pub(super) fn end(&self) -> anyhow::Result<Done> {
        let mut state = self.state();
        state.lose.clear();
        state.weather = None;
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(std::mem::take(&mut state.done)),
        }
    }

    /// The proxy could not do its part, so that the run says nothing.
    pub(super) fn fail(&self, failure: anyhow::Error) {
        self.state().failure.get_or_insert(failure);
    }

    pub(super) fn of_request(&self) -> Passage {
        let mut state = self.state();
        let Some((weather, dice)) = &mut state.weather else { return Passage::Well };
        let passage = match dice.below(1_000) {
            n if n < weather.broken_before_per_mille => Passage::BrokenBefore,
            n if n < weather.broken_before_per_mille + weather.broken_after_per_mille => Passage::BrokenAfter,
            _ => Passage::Well,
        };
        state.done.broken += u64::from(passage != Passage::Well);
        passage
    }

    /// None for an answer that is lost. An answer to we do not know what is not.
    pub(super) fn of_answer(&self, key: Option<ApiKey>) -> Option<Voyage> {
        let mut state = self.state();
        if let Some(at) = state.lose.iter().position(|&lost| Some(lost) == key) {
            let lost = state.lose.swap_remove(at);
            state.done.lost.push(lost);
            return None;
        }
        let Some((weather, dice)) = &mut state.weather else { return Some(Voyage::default()) };
        let voyage = Voyage {
            delay: dice.millis(weather.delay_ms_max),
            in_pieces: dice.below(1_000) < weather.in_pieces_per_mille,
        };
        state.done.late += 1;
        state.done.in_pieces += u64::from(voyage.in_pieces);
        Some(voyage)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, broken, late, in_pieces } = self;
        write!(
            f,
            "answers late: {late}, in pieces: {in_pieces}; connections broken: {broken}; answers lost:"
        )?;
        let mut names: Vec<_> = lost.iter().map(|key| format!("{key:?}")).collect();
        names.sort();
        names.chunk_by(|a, b| a == b).try_for_each(|same| write!(f, " {} {}", same.len(), same[0]))?;
        if names.is_empty() { f.write_str(" none") } else { Ok(()) }
    }
}
