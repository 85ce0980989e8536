//! What raises an alarm, and what does not.

use crate::series::{alarms, daily, noise, scores};

const DAYS: usize = 288;

/// Scores two weeks that end in something, which must be found within `values` of its beginning,
/// with no more than three alarms in the second week before it.
fn check(usual: fn(usize) -> f64, unusual: fn(usize) -> f64, values: usize) {
    let begins = 14 * DAYS + 100;
    let value = |place: usize| if place < begins { usual(place) } else { unusual(place) };
    let alarms = alarms(&scores((0..begins + 300).map(value)), 7 * DAYS);
    let early = alarms.iter().filter(|place| **place < begins).count();
    assert!(early <= 3, "{early} alarms before {begins}: {alarms:?}");
    assert!(alarms.iter().any(|at| (begins..begins + values).contains(at)), "not found: {alarms:?}");
}

#[test]
fn a_spike_is_found_at_once() {
    check(daily, |place| daily(place) + 60.0, 2);
}

#[test]
fn a_shift_of_the_level_is_found_within_the_hour() {
    check(|place| 5.0 + noise(place), |place| 9.0 + noise(place), 12);
}

#[test]
fn a_day_that_does_not_rise_is_found() {
    check(daily, |place| 40.0 + 2.0 * noise(place), 150);
}

#[test]
fn wider_noise_about_the_same_level_is_found() {
    check(|place| 5.0 + noise(place), |place| 5.0 + 4.0 * noise(place), 60);
}

#[test]
fn a_sensor_that_stands_still_is_found() {
    check(daily, |_| 55.0, 100);
}

#[test]
fn a_job_that_runs_every_day_is_normal() {
    let job = |place: usize| if (60..78).contains(&(place % DAYS)) { 70.0 } else { 10.0 };
    let alarms = alarms(&scores((0..21 * DAYS).map(|place| job(place) + noise(place))), 10 * DAYS);
    assert!(alarms.len() <= 5, "{alarms:?}");
}

#[test]
fn one_stretch_of_trouble_is_few_alarms() {
    let value = |place: usize| if place < 4000 { noise(place) } else { noise(place) + 8.0 };
    let alarms = alarms(&scores((0..6000).map(value)), 4000);
    assert!((1..=6).contains(&alarms.len()), "{alarms:?}");
}

#[test]
fn noise_alone_is_quiet() {
    let alarms = alarms(&scores((0..8000).map(noise)), 600);
    assert!(alarms.len() <= 4, "{alarms:?}");
}

#[test]
fn a_constant_series_never_fires() {
    for level in [0.0, 45.0, -1e9, 1e300] {
        assert_eq!(alarms(&scores(std::iter::repeat_n(level, 5000)), 0), []);
    }
}

#[test]
fn a_new_series_is_not_judged_before_it_is_known() {
    let alarms = alarms(&scores((0..90).map(|place| noise(place) * 10f64.powi(place as i32 % 9))), 0);
    assert_eq!(alarms, []);
}
