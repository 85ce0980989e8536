//! The kinds of series, each a function from chance to values and the moments something began.

use std::f64::consts::TAU;

use super::dice::Dice;

pub(crate) struct Series {
    pub(crate) step_seconds: i64,
    pub(crate) values: Vec<f64>,
    pub(crate) events: Vec<usize>,
}

type Kind = (&'static str, fn(&mut Dice) -> Series);

pub(crate) const KINDS: &[Kind] = &[
    ("mentions", mentions),
    ("cpu_level_shift", cpu_level_shift),
    ("cpu_spiky", cpu_spiky),
    ("cpu_daily_job", cpu_daily_job),
    ("network_bursts", network_bursts),
    ("disk_idle", disk_idle),
    ("machine_temperature", machine_temperature),
    ("room_temperature", room_temperature),
    ("rides_holidays", rides_holidays),
    ("price_hourly", price_hourly),
    ("variance_change", variance_change),
    ("agent_bursts", agent_bursts),
    ("load_ramp", load_ramp),
    ("sensor_stuck", sensor_stuck),
    ("requests_quiet", requests_quiet),
    ("noise_quiet", noise_quiet),
];

fn day_wave(index: usize, per_day: f64, phase: f64) -> f64 {
    (TAU * (index as f64 / per_day - phase)).sin()
}

/// Counts by five minutes with a daily shape, small bursts that are normal and a few large ones.
fn mentions(dice: &mut Dice) -> Series {
    let length = 12_000;
    let base = dice.between(3.0, 40.0);
    let count = 2 + dice.between(0.0, 3.0) as usize;
    let events = dice.moments(count, length);
    let mut burst = 0.0;
    let mut values = Vec::new();
    for index in 0..length {
        let mean = base * (1.0 + 0.5 * day_wave(index, 288.0, 0.3));
        burst *= 0.9;
        if dice.chance(0.004) {
            burst += base * dice.pareto(2.0).min(6.0);
        }
        if events.contains(&index) {
            burst += base * dice.between(8.0, 40.0);
        }
        values.push(dice.count(mean + burst, 4));
    }
    Series { step_seconds: 300, values, events }
}

/// A flat load with rounding, stray spikes, and a level that moves and stays.
fn cpu_level_shift(dice: &mut Dice) -> Series {
    let length = 4032;
    let count = 1 + usize::from(dice.chance(0.5));
    let events = dice.moments(count, length);
    let mut level = dice.between(5.0, 60.0);
    let noise = level * dice.between(0.01, 0.08);
    let mut values = Vec::new();
    for index in 0..length {
        if events.contains(&index) {
            level += noise * dice.between(4.0, 12.0) * if dice.chance(0.5) { 1.0 } else { -1.0 };
        }
        let spike = if dice.chance(0.005) { noise * 5.0 * dice.pareto(3.0).min(5.0) } else { 0.0 };
        values.push(((level + noise * dice.normal() + spike) * 1000.0).round().max(0.0) / 1000.0);
    }
    Series { step_seconds: 300, values, events }
}

/// A low load full of spikes; now and then they come higher, or close together.
fn cpu_spiky(dice: &mut Dice) -> Series {
    let length = 4032;
    let count = 1 + dice.between(0.0, 3.0) as usize;
    let events = dice.moments(count, length);
    let (base, often) = (dice.between(0.5, 5.0), dice.between(0.01, 0.06));
    let crowd: Vec<bool> = events.iter().map(|_| dice.chance(0.5)).collect();
    let mut values = Vec::new();
    for index in 0..length {
        let mut value = base * (1.0 + 0.1 * dice.normal());
        let during = |event: &usize| index >= *event && index < *event + 30;
        let in_event = events.iter().position(during);
        let crowded = in_event.is_some_and(|event| crowd[event]);
        if dice.chance(if crowded { 0.6 } else { often }) {
            value += base * (4.0 + 4.0 * dice.exponential().min(4.0));
        }
        if in_event.is_some_and(|event| !crowd[event] && index < events[event] + 3) {
            value += base * dice.between(40.0, 80.0);
        }
        values.push(value.max(0.0));
    }
    Series { step_seconds: 300, values, events }
}

/// A job that runs every day at the same hour is normal; one that fails to, or runs elsewhere, is not.
fn cpu_daily_job(dice: &mut Dice) -> Series {
    let length = 4032;
    let events_at = dice.moments(1, length)[0];
    let start = dice.between(20.0, 240.0) as usize;
    let missing = dice.chance(0.5);
    let day = events_at / 288;
    let event = if missing { day * 288 + start } else { day * 288 + (start + 144) % 288 };
    let (base, height) = (dice.between(2.0, 20.0), dice.between(20.0, 60.0));
    let mut values = Vec::new();
    for index in 0..length {
        let mut value = base * (1.0 + 0.08 * dice.normal());
        let jitter = (index / 288 * 7 % 3) as i64 - 1;
        let since = (index % 288) as i64 - start as i64 - jitter;
        let runs = (0..18).contains(&since) && !(missing && index / 288 == day);
        let extra = !missing && index >= event && index < event + 18;
        if runs || extra {
            value += height * (1.0 + 0.05 * dice.normal());
        }
        values.push(value);
    }
    Series { step_seconds: 300, values, events: vec![event] }
}

/// Log-normal traffic with backups every few hours; an event is a flood or a lasting rise.
fn network_bursts(dice: &mut Dice) -> Series {
    let length = 4700;
    let count = 1 + usize::from(dice.chance(0.5));
    let events = dice.moments(count, length);
    let (base, every) = (dice.between(1e4, 1e6), dice.between(30.0, 150.0) as usize);
    let wide = dice.between(0.15, 0.5);
    let lasting = dice.chance(0.4);
    let mut values = Vec::new();
    for index in 0..length {
        let mut log = wide * dice.normal();
        if index % every < 2 {
            log += 1.5;
        }
        let width = if lasting { 300 } else { 10 };
        if events.iter().any(|event| index >= *event && index < event + width) {
            log += if lasting { 1.2 } else { 3.0 };
        }
        values.push((base * log.exp()).round());
    }
    Series { step_seconds: 300, values, events }
}

/// Mostly nothing, sometimes a burst of writes; an event is a long stretch of writing.
fn disk_idle(dice: &mut Dice) -> Series {
    let length = 4032;
    let events = dice.moments(1, length);
    let unit = dice.between(1e3, 1e6);
    let often = dice.between(0.005, 0.03);
    let mut values = Vec::new();
    for index in 0..length {
        let writing = index >= events[0] && index < events[0] + 40;
        let burst = dice.chance(if writing { 0.9 } else { often });
        values.push(if burst { (unit * dice.pareto(2.5).min(8.0)).round() } else { 0.0 });
    }
    Series { step_seconds: 300, values, events }
}

/// Slow drift about a set point; an event is a fall below it and a slow return.
fn machine_temperature(dice: &mut Dice) -> Series {
    let length = 15_000;
    let count = 2 + dice.between(0.0, 3.0) as usize;
    let events = dice.moments(count, length);
    let (mut slow, mut fall) = (0.0, 0.0);
    let mut values = Vec::new();
    for index in 0..length {
        slow = 0.9985 * slow + 0.35 * dice.normal();
        fall *= 0.99;
        for event in &events {
            if index >= *event && index < event + 60 {
                fall -= 0.9;
            }
        }
        values.push(85.0 + slow + fall + 0.8 * dice.normal());
    }
    Series { step_seconds: 300, values, events }
}

/// Hourly, with the day, the year and the weather; an event is a fall over some hours.
fn room_temperature(dice: &mut Dice) -> Series {
    let length = 7200;
    let events = dice.moments(2, length);
    let mut weather = 0.0;
    let mut values = Vec::new();
    for index in 0..length {
        weather = 0.98 * weather + 0.35 * dice.normal();
        let year = 3.0 * day_wave(index, 8766.0, 0.1);
        let day = 1.5 * day_wave(index, 24.0, 0.3);
        let fall = events.iter().any(|event| index >= *event && index < event + 36);
        values.push(71.0 + year + day + weather + 0.3 * dice.normal() - if fall { 7.0 } else { 0.0 });
    }
    Series { step_seconds: 3600, values, events }
}

/// Half-hourly rides with the day and the week; holidays halve a day, a storm ends one, a night doubles.
fn rides_holidays(dice: &mut Dice) -> Series {
    let length = 10_320;
    let events: Vec<usize> = dice.moments(4, length).into_iter().map(|at| at / 48 * 48 + 10).collect();
    let strength: Vec<f64> =
        events.iter().map(|_| if dice.chance(0.75) { dice.between(0.3, 0.6) } else { 1.6 }).collect();
    let mut values = Vec::new();
    for index in 0..length {
        let weekday = index / 48 % 7;
        let shape = 1.0 + 0.7 * day_wave(index, 48.0, 0.4) + 0.25 * day_wave(index, 24.0, 0.1);
        let week =
            if weekday >= 5 { 0.8 + 0.2 * day_wave(index, 48.0, 0.1) } else { 1.0 + 0.05 * weekday as f64 };
        let during = |event: &usize| index >= *event && index < *event + 42;
        let factor = events.iter().position(during).map_or(1.0, |event| strength[event]);
        let noise = 1.0 + 0.04 * dice.normal();
        values.push((15_000.0 * shape.max(0.1) * week * factor * noise).round());
    }
    Series { step_seconds: 1800, values, events }
}

/// An hourly price: a noisy day with spikes that are normal and a few that stand out.
fn price_hourly(dice: &mut Dice) -> Series {
    let length = 1620;
    let count = 1 + dice.between(0.0, 3.0) as usize;
    let events = dice.moments(count, length);
    let scale = dice.between(0.05, 1.0);
    let up = dice.chance(0.8);
    let mut values = Vec::new();
    for index in 0..length {
        let mut value = 1.0 + 0.25 * day_wave(index, 24.0, 0.3) + 0.12 * dice.normal();
        if dice.chance(0.01) {
            value += 0.4 * dice.pareto(3.0).min(3.0);
        }
        let event = events.iter().any(|event| index >= *event && index < event + 2);
        if event {
            value = if up { value + dice.between(2.5, 6.0) } else { 0.05 };
        }
        values.push(scale * value.max(0.0));
    }
    Series { step_seconds: 3600, values, events }
}

/// Noise about a level that grows wider, or narrower, for a while.
fn variance_change(dice: &mut Dice) -> Series {
    let length = 4032;
    let events = dice.moments(1, length);
    let factor = if dice.chance(0.5) { dice.between(2.5, 4.0) } else { 0.15 };
    let level = dice.between(20.0, 90.0);
    let mut values = Vec::new();
    for index in 0..length {
        let wide = if index >= events[0] && index < events[0] + 400 { factor } else { 1.0 };
        values.push(level + wide * dice.normal());
    }
    Series { step_seconds: 300, values, events }
}

/// An agent that idles between working stretches of uneven length; an event is work of another height.
fn agent_bursts(dice: &mut Dice) -> Series {
    let length = 5300;
    let events = dice.moments(2, length);
    let (mut busy, mut left) = (false, 20.0);
    let mut values = Vec::new();
    for index in 0..length {
        left -= 1.0;
        if left < 0.0 {
            busy = !busy;
            left = if busy { 6.0 + 20.0 * dice.exponential() } else { 10.0 + 60.0 * dice.exponential() };
        }
        let height = if events.iter().any(|event| index >= *event && index < event + 25) {
            dice.between(60.0, 90.0)
        } else if busy {
            12.0 * dice.pareto(4.0)
        } else {
            0.2
        };
        values.push((height + 0.3 * dice.normal()).max(0.0));
    }
    Series { step_seconds: 300, values, events }
}

/// A daily load whose group of servers is misconfigured: it climbs and keeps to the new height.
fn load_ramp(dice: &mut Dice) -> Series {
    let length = 10_000;
    let events = dice.moments(1, length);
    let (noise, rise) = (dice.between(2.0, 6.0), dice.between(35.0, 60.0));
    let mut values = Vec::new();
    for index in 0..length {
        let ramp = (index as f64 - events[0] as f64).clamp(0.0, 400.0) / 400.0;
        let day = 12.0 * day_wave(index, 288.0, 0.3);
        values.push(40.0 + day + noise * dice.normal() + rise * ramp);
    }
    Series { step_seconds: 300, values, events }
}

/// A daily wave that stops moving for some hours.
fn sensor_stuck(dice: &mut Dice) -> Series {
    let length = 4032;
    let events = dice.moments(1, length);
    let noise = dice.between(0.3, 2.0);
    let mut values: Vec<f64> = Vec::new();
    for index in 0..length {
        let stuck = index > events[0] && index < events[0] + 100;
        let moving = 50.0 + 10.0 * day_wave(index, 288.0, 0.3) + noise * dice.normal();
        values.push(if stuck { values[index - 1] } else { moving });
    }
    Series { step_seconds: 300, values, events }
}

/// Ordinary requests, day and week, over-dispersed counts: nothing happens.
fn requests_quiet(dice: &mut Dice) -> Series {
    let base = dice.between(20.0, 200.0);
    let mean = |index: usize| {
        base * (1.0 + 0.6 * day_wave(index, 288.0, 0.3)) * if index / 288 % 7 >= 5 { 0.7 } else { 1.0 }
    };
    let values = (0..4032).map(|index| dice.count(mean(index), 6)).collect();
    Series { step_seconds: 300, values, events: Vec::new() }
}

/// Heavy-tailed noise about a level: nothing happens.
fn noise_quiet(dice: &mut Dice) -> Series {
    let shape = dice.between(2.5, 6.0);
    let values = (0..4032).map(|_| 10.0 + dice.normal() + dice.pareto(shape)).collect();
    Series { step_seconds: 300, values, events: Vec::new() }
}
