//! When a minute is bad: pure functions of its count and of what is usual.

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::Setting;
use super::baseline::{Baseline, DAY_MS, Usual};

/// A minute that has far more than is usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Excess {
    /// What is usual.
    pub(super) baseline: f64,
    /// What it had to reach.
    pub(super) threshold: f64,
    /// One such minute is enough.
    pub(super) is_flood: bool,
}

/// What a key is held against, and how strictly.
struct Measure {
    usual: Usual,
    floor: f64,
    ratio: f64,
    is_contract: bool,
}

/// Judges one minute of one key.
pub(super) fn judge(
    count: u64,
    minute: EventTime,
    history: &Baseline,
    setting: Setting<'_>,
) -> Option<Excess> {
    let config = setting.config;
    let x = count as f64;
    if x < config.floor_per_minute {
        return None;
    }
    let Measure { usual, floor, ratio, is_contract } = measure(minute, history, setting)?;
    let mut threshold = floor.max(ratio * usual.median);
    if !is_contract {
        threshold = threshold.max(config.above_past_max * usual.past_max);
        // The root of the median keeps flat baselines, whose spread is 0, from firing on noise.
        let z = (x - usual.median) / (usual.sigma * usual.sigma + usual.median + 1.0).sqrt();
        if z < config.z || x <= config.above_past_max * usual.past_max {
            return None;
        }
    }
    (x >= threshold).then_some(Excess { baseline: usual.median, threshold, is_flood: false })
}

/// Judges whether a minute is a flood, given what is usual. More requests can only make it one.
pub(super) fn judge_flood(count: u64, usual: Usual, setting: Setting<'_>) -> Option<Excess> {
    let config = setting.config;
    let threshold = (config.flood_ratio * usual.median.max(config.floor_per_minute))
        .max(setting.contract_per_minute.unwrap_or_default())
        .max(config.above_past_max * usual.past_max);
    (count as f64 >= threshold).then_some(Excess { baseline: usual.median, threshold, is_flood: true })
}

/// What is usual at a moment, if anything is.
pub(super) fn usual_at(minute: EventTime, history: &Baseline, setting: Setting<'_>) -> Option<Usual> {
    measure(minute, history, setting).map(|measure| measure.usual)
}

/// The ladder: contract or own first hours, then hour of the day, then hour of the week.
fn measure(minute: EventTime, history: &Baseline, setting: Setting<'_>) -> Option<Measure> {
    let config = setting.config;
    let floor =
        setting.contract_per_minute.map_or(0.0, |contract| contract / 5.0).max(config.floor_per_minute);
    let learned = |usual: Option<Usual>| {
        usual.map(|usual| Measure { usual, floor, ratio: config.ratio, is_contract: false })
    };
    let age_ms = history.age_ms(minute);
    if age_ms >= 14 * DAY_MS {
        return learned(history.of_hour_of_week(minute, setting.zone_offset_ms));
    }
    if age_ms >= DAY_MS {
        return learned(history.of_hour_of_day(minute, setting.zone_offset_ms));
    }
    if let Some(contract) = setting.contract_per_minute {
        let usual = Usual { median: contract, sigma: 0.0, past_max: 0.0 };
        return Some(Measure { usual, floor, ratio: config.ratio, is_contract: true });
    }
    let usual = history.of_all_hours().filter(|_| history.learned_minutes() >= config.cold_minutes)?;
    let floor = config.cold_floor_ratio * config.floor_per_minute;
    Some(Measure { usual, floor, ratio: config.cold_ratio, is_contract: false })
}
