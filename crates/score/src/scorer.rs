//! The scorer of one series: questions, their rarity, and what remains after quiet.

use chrono::{DateTime, Utc};

use crate::measures::{ANSWERS, Measures};
use crate::quiet::{ALARM, Quiet};
use crate::tail::Tail;

/// How many answers of the same question must be known before one counts.
const WARM_UP: f64 = 100.0;
/// How many of the rarest answers make the evidence.
const RAREST: usize = 4;
/// Rarer than one in a hundred is a run, of which a value weighs less the longer it lasts, down to this.
const IN_A_RUN: f64 = 2.0;
const LEAST_WEIGHT: f64 = 0.1;
/// With this much evidence a value is learnt with half its weight: trouble should not become normal
/// at once, but must in the end.
const TROUBLE: f64 = 2.5;
const WEIGHT_IN_TROUBLE: f64 = 0.5;
/// Values further from the first than this are taken as this, so that sums stay finite.
const FURTHEST: f64 = 1e100;

/// Scores one series, value by value, with what came before and nothing else.
///
/// Memory is bounded (under two megabytes), and a value costs about the same however many came before.
pub struct Scorer {
    measures: Measures,
    streams: Vec<Stream>,
    quiet: Quiet,
    /// The first value, from which the others are counted.
    origin: Option<f64>,
}

/// One question at one scale in one direction.
struct Stream {
    tail: Tail,
    /// How long it has been answering rare values.
    run: f64,
}

impl Default for Scorer {
    fn default() -> Self {
        Self::new()
    }
}

impl Scorer {
    #[must_use]
    pub fn new() -> Self {
        let streams = (0..ANSWERS).map(|_| Stream { tail: Tail::new(), run: 0.0 }).collect();
        Self { measures: Measures::new(), streams, quiet: Quiet::default(), origin: None }
    }

    /// How anomalous the next value is, from 0 (as ever) to 1 (never seen the like); an alarm is a
    /// score of [`crate::THRESHOLD`] or more.
    ///
    /// The score is `e / (e + 2.9)`, `e` the mean `-log10` of the four smallest tail probabilities,
    /// less what `quiet.rs` takes off. The value's unit and zero do not matter. Times should not go
    /// back: a value from before the last one is scored in its place, as if it came at that time. A
    /// value that is not finite scores 0 and is forgotten.
    pub fn score(&mut self, time: DateTime<Utc>, value: f64) -> f64 {
        if !value.is_finite() {
            return 0.0;
        }
        let origin = *self.origin.get_or_insert(value);
        let at = time.timestamp() as f64 + f64::from(time.timestamp_subsec_micros()) * 1e-6;
        let answers = self.measures.add(at, (value - origin).clamp(-FURTHEST, FURTHEST));
        let surprises = self.surprises(&answers);
        let evidence = evidence(&self.streams, &surprises);
        self.learn(&answers, &surprises, evidence);
        let left = self.quiet.hear(evidence, self.measures.count());
        left / (left + ALARM)
    }

    fn surprises(&self, answers: &[Option<f64>; ANSWERS]) -> [f64; ANSWERS] {
        let mut surprises = [0.0; ANSWERS];
        for ((surprise, stream), answer) in surprises.iter_mut().zip(&self.streams).zip(answers) {
            *surprise = answer.map_or(0.0, |answer| stream.tail.surprise(answer));
        }
        surprises
    }

    fn learn(&mut self, answers: &[Option<f64>; ANSWERS], surprises: &[f64; ANSWERS], evidence: f64) {
        let trust = if evidence > TROUBLE { WEIGHT_IN_TROUBLE } else { 1.0 };
        for ((stream, answer), surprise) in self.streams.iter_mut().zip(answers).zip(surprises) {
            let Some(answer) = answer else { continue };
            let mut weight = trust;
            if *surprise > IN_A_RUN {
                stream.run += 1.0;
                weight *= (1.0 / stream.run).max(LEAST_WEIGHT);
            } else {
                stream.run = (stream.run * 0.8).floor();
            }
            stream.tail.add(*answer, weight);
        }
    }
}

/// The mean of the rarest answers, of those streams that know enough.
fn evidence(streams: &[Stream], surprises: &[f64; ANSWERS]) -> f64 {
    let mut rarest = [0.0; RAREST];
    let known = streams.iter().zip(surprises).filter(|(stream, _)| stream.tail.seen() > WARM_UP);
    for (_, surprise) in known {
        let (least, _) =
            rarest.iter().enumerate().min_by(|a, b| f64::total_cmp(a.1, b.1)).expect("it is not empty");
        rarest[least] = f64::max(rarest[least], *surprise);
    }
    rarest.iter().sum::<f64>() / RAREST as f64
}
