//! The four questions asked of every new value, each at several time scales and in both directions:
//! is the level unusual, did it change, has the series grown rougher or smoother, and is this
//! unusual for the time of day or week.
//!
//! Lengths are in values, each a few times the one before: a spike, half an hour, some hours, a day
//! where values come every five minutes. An answer is a number of spreads, never negative.

use crate::history::History;
use crate::season::Season;
use crate::spread::Spread;

/// Over how many values the level is taken.
const LEVEL: [usize; 4] = [1, 6, 36, 216];
/// Over how many values a change is taken, and how many times longer is the stretch before.
const CHANGE: [usize; 4] = [1, 4, 16, 64];
const BEFORE: usize = 4;
/// Over how many values the mean step is taken.
const ROUGHNESS: [usize; 3] = [16, 64, 256];
/// Over how many values the distance from the usual is taken.
const SEASONAL: [usize; 2] = [1, 6];
const DAY: f64 = 86_400.0;
/// A series cannot be smoother than this share of its spread.
const SMOOTHEST: f64 = 1e-6;

/// How many answers there are to each value.
pub(crate) const ANSWERS: usize = 2 * (LEVEL.len() + CHANGE.len() + ROUGHNESS.len() + 2 * SEASONAL.len());

pub(crate) struct Measures {
    history: History,
    spread: Spread,
    seasons: [Season; 2],
}

impl Measures {
    pub(crate) fn new() -> Self {
        let seasons = [Season::new(DAY), Season::new(7.0 * DAY)];
        Self { history: History::new(), spread: Spread::new(), seasons }
    }

    pub(crate) fn count(&self) -> usize {
        self.history.count()
    }

    /// Takes the next value and answers, in a fixed order; `None` where too little is known yet.
    pub(crate) fn add(&mut self, at: f64, value: f64) -> [Option<f64>; ANSWERS] {
        self.history.add(at, value);
        self.spread.add(value);
        self.seasons.iter_mut().for_each(|season| season.advance(&self.history));
        let mut answers = [None; ANSWERS];
        let pairs = self.levels().chain(self.changes()).chain(self.roughness()).chain(self.seasonal());
        for (pair, place) in pairs.zip(answers.chunks_exact_mut(2)) {
            place.copy_from_slice(&[pair.map(|(up, _)| up), pair.map(|(_, down)| down)]);
        }
        answers
    }

    /// How far the latest values lie from the middle of all.
    fn levels(&self) -> impl Iterator<Item = Option<(f64, f64)>> {
        let known = |length: &usize| self.count() >= 2 * length;
        let distance = |mean| self.both_ways(mean, self.spread.middle());
        LEVEL.iter().map(move |length| self.latest(*length).filter(|_| known(length)).map(distance))
    }

    /// How far the latest values lie from those just before.
    fn changes(&self) -> impl Iterator<Item = Option<(f64, f64)>> {
        CHANGE.iter().map(|length| {
            let before = self.history.mean(BEFORE * length, self.count().checked_sub(*length)?)?;
            Some(self.both_ways(self.latest(*length)?, before))
        })
    }

    /// How large the steps between neighbours are, and how small.
    fn roughness(&self) -> impl Iterator<Item = Option<(f64, f64)>> {
        let width = self.spread.width();
        ROUGHNESS.iter().map(move |length| {
            let known = self.count() > *length;
            let steps = self.history.mean_step(*length, self.count()).filter(|_| known)? / width;
            Some((steps, 1.0 / steps.max(SMOOTHEST)))
        })
    }

    /// How far the latest values lie from what the time of day, and of the week, brought before.
    fn seasonal(&self) -> impl Iterator<Item = Option<(f64, f64)>> {
        self.seasons.iter().flat_map(move |season| {
            SEASONAL.iter().map(move |length| {
                let usual = season.usual(&self.history, *length)?;
                Some(self.both_ways(self.latest(*length)?, usual))
            })
        })
    }

    fn latest(&self, length: usize) -> Option<f64> {
        self.history.mean(length, self.count())
    }

    /// How far above, and how far below, in spreads.
    fn both_ways(&self, value: f64, usual: f64) -> (f64, f64) {
        let distance = (value - usual) / self.spread.width();
        (distance.max(0.0), (-distance).max(0.0))
    }
}
