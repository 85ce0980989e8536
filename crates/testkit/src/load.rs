//! Weeks of requests by the minute: keys with a day, a week, jobs and surges, as load on an API has them.
//!
//! Counts are negative-binomial about a mean that follows the hour and the weekday in local time. A
//! quarter of the keys run a legitimate job once a week, more or less punctually; some start another
//! one late; on one Sunday the clocks change. Each key has one surge in the last week, which is to be found.

use event::EventTime;

use crate::traffic::dice::{Dice, mix};

const MINUTE_MS: i64 = 60_000;
const MINUTES_A_DAY: i64 = 1_440;
const MINUTES_A_WEEK: i64 = 7 * MINUTES_A_DAY;

/// What load to make.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// The same seed (and the same rest) gives the same counts.
    pub seed: u64,
    /// How many keys.
    pub keys: usize,
    /// Days of event time; the last seven are the week of the surges.
    pub days: i64,
    /// A Monday's midnight, UTC.
    pub start: EventTime,
    /// So many minutes early or late a job may begin.
    pub jitter_minutes: i64,
    /// From this day on local clocks are an hour ahead, if ever.
    pub summer_from_day: Option<i64>,
    /// The share of keys that run a job once a week.
    pub with_job: f64,
    /// The share of keys that begin to run one in the last week.
    pub with_new_job: f64,
    /// How many times its usual requests a key has in its surge; 1 for none.
    pub surge: f64,
}

impl Default for LoadConfig {
    /// 200 keys for 28 days from 2 March 2026, of which the last but one begins summer time; surges of five.
    fn default() -> Self {
        Self {
            seed: 1,
            keys: 200,
            days: 28,
            start: EventTime(1_772_409_600_000),
            jitter_minutes: 15,
            summer_from_day: Some(27),
            with_job: 0.25,
            with_new_job: 0.1,
            surge: 5.0,
        }
    }
}

/// How long a job and a surge last.
const JOB_MINUTES: i64 = 20;
const SURGE_MINUTES: i64 = 10;

/// A job that runs once a week.
#[derive(Clone, Copy, Debug)]
struct Job {
    minute_of_week: i64,
    times: f64,
    from_week: i64,
}

/// One key's load.
#[derive(Debug)]
pub struct KeyLoad {
    dice: Dice,
    chance: u64,
    /// Requests a minute in the mean of the busiest hour.
    busiest: f64,
    /// How much of it is left at night.
    night: f64,
    weekend: f64,
    /// The smaller, the more it varies beyond Poisson.
    dispersion: f64,
    jobs: Vec<Job>,
    surge_from: i64,
    config: LoadConfig,
}

impl KeyLoad {
    /// The `number`-th key.
    pub fn new(config: &LoadConfig, number: usize) -> Self {
        let chance = mix(config.seed, number as u64);
        let mut dice = Dice::new(chance);
        let (weeks, last_week) = (config.days / 7, (config.days - 7).max(0) * MINUTES_A_DAY);
        let mut jobs = Vec::new();
        for (share, from_week) in [(config.with_job, 0), (config.with_new_job, weeks - 1)] {
            if dice.chance(share) {
                let (minute_of_week, times) = (dice.between(0, MINUTES_A_WEEK - 1), dice.even(4.0, 12.0));
                jobs.push(Job { minute_of_week, times, from_week });
            }
        }
        Self {
            chance,
            // From 20 to 200, as many between 20 and 63 as above.
            busiest: 20.0 * 10_f64.powf(dice.even(0.0, 1.0)),
            night: dice.even(0.2, 0.6),
            weekend: dice.even(0.3, 1.0),
            dispersion: dice.even(4.0, 20.0),
            jobs,
            surge_from: last_week + dice.between(0, MINUTES_A_WEEK - SURGE_MINUTES - 1),
            config: config.clone(),
            dice,
        }
    }

    /// Requests in one minute after the start; to be asked once for each, in order.
    pub fn count(&mut self, minute: i64) -> u64 {
        let mean = self.mean(minute);
        let spread = self.dice.gamma(self.dispersion) / self.dispersion;
        self.dice.poisson(mean * spread)
    }

    /// From when to when it has its surge, if it has one.
    pub fn surge(&self) -> Option<(EventTime, EventTime)> {
        let at = |minute: i64| self.config.start + minute * MINUTE_MS;
        (self.config.surge > 1.0).then(|| (at(self.surge_from), at(self.surge_from + SURGE_MINUTES)))
    }

    /// Whether one of its jobs runs within so many minutes of a moment.
    pub fn has_job_at(&self, time: EventTime, within_minutes: i64) -> bool {
        let minute = (time - self.config.start).div_euclid(MINUTE_MS);
        let near = minute - within_minutes..=minute + within_minutes;
        near.clone().any(|minute| self.job_at(minute) > 1.0)
    }

    /// Usual requests in this minute, with what jobs and the surge make of it.
    fn mean(&self, minute: i64) -> f64 {
        let local = self.local(minute);
        let hour = local.rem_euclid(MINUTES_A_DAY) as f64 / 60.0;
        // The least at three in the morning, the most at three in the afternoon.
        let day = (1.0 - ((hour - 3.0) / 24.0 * std::f64::consts::TAU).cos()) / 2.0;
        let is_weekend = local.rem_euclid(MINUTES_A_WEEK) >= 5 * MINUTES_A_DAY;
        let usual = self.busiest * (self.night + (1.0 - self.night) * day);
        let usual = if is_weekend { usual * self.weekend } else { usual };
        let surging = (self.surge_from..self.surge_from + SURGE_MINUTES).contains(&minute);
        let surge = if surging { self.config.surge } else { 1.0 };
        usual * self.job_at(minute).max(surge)
    }

    /// Minutes of local time since the start's midnight.
    fn local(&self, minute: i64) -> i64 {
        let summer = self.config.summer_from_day.is_some_and(|day| minute >= day * MINUTES_A_DAY);
        minute + if summer { 60 } else { 0 }
    }

    /// How many times the usual requests a job makes of this minute.
    fn job_at(&self, minute: i64) -> f64 {
        let local = self.local(minute);
        let week = local.div_euclid(MINUTES_A_WEEK);
        let runs = self.jobs.iter().filter(|job| {
            let late = (mix(self.chance, week.cast_unsigned()) % 1_000_000) as f64 / 1e6 * 2.0 - 1.0;
            let begin = job.minute_of_week + (late * self.config.jitter_minutes as f64) as i64;
            let since = local.rem_euclid(MINUTES_A_WEEK) - begin;
            week >= job.from_week && (0..JOB_MINUTES).contains(&since)
        });
        runs.map(|job| job.times).fold(1.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(config: &LoadConfig, number: usize) -> Vec<u64> {
        let mut key = KeyLoad::new(config, number);
        (0..config.days * MINUTES_A_DAY).map(|minute| key.count(minute)).collect()
    }

    #[test]
    fn a_surge_is_as_high_as_asked_for() {
        let config =
            LoadConfig { keys: 40, with_job: 0.0, with_new_job: 0.0, days: 14, ..LoadConfig::default() };
        let (mut surging, mut before) = (0, 0);
        for number in 0..config.keys {
            let (from, _) = KeyLoad::new(&config, number).surge().unwrap();
            let from = ((from - config.start) / MINUTE_MS) as usize;
            let counts = counts(&config, number);
            surging += counts[from..from + 10].iter().sum::<u64>();
            before += counts[from - 10..from].iter().sum::<u64>();
        }
        let times = surging as f64 / before as f64;
        assert!((4.5..5.5).contains(&times), "{times}");
    }

    #[test]
    fn a_quarter_of_the_keys_run_a_job_once_a_week() {
        let config = LoadConfig { surge: 1.0, jitter_minutes: 0, ..LoadConfig::default() };
        let keys: Vec<_> = (0..400).map(|number| KeyLoad::new(&config, number)).collect();
        let with_job = keys.iter().filter(|key| key.jobs.iter().any(|job| job.from_week == 0)).count();
        assert!((80..120).contains(&with_job), "{with_job}");
        let key = keys.iter().find(|key| key.jobs.iter().any(|job| job.from_week == 0)).unwrap();
        let runs = |from: i64| (0..MINUTES_A_WEEK).filter(|n| key.job_at(from + n) > 1.0).count() as i64;
        assert_eq!((runs(0), runs(MINUTES_A_WEEK)), (JOB_MINUTES, JOB_MINUTES));
    }

    #[test]
    fn counts_vary_more_than_chance_alone_would_have_it() {
        let config = LoadConfig { with_job: 0.0, with_new_job: 0.0, surge: 1.0, ..LoadConfig::default() };
        let mut key = KeyLoad::new(&config, 3);
        let counts: Vec<f64> = (0..2_000).map(|_| key.count(900) as f64).collect();
        let mean = counts.iter().sum::<f64>() / 2_000.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 2_000.0;
        let expected = mean + mean * mean / key.dispersion;
        assert!((0.8..1.25).contains(&(variance / expected)), "{variance} for {expected}");
    }
}
