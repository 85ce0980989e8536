//! The lines of a case, as its file tells them.
//!
//! A row says when the broker got a line, its topic and partition, and the line. Where the time is
//! followed by `*20/30s` there are twenty such lines, one every thirty seconds. In a line `{ts}` is when
//! the broker got it, `{n}` its number from 0, `{ip}` an address and `{hex}` 64 digits that
//! no other line has.

use std::path::Path;

use event::{EventTime, LogTopic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) struct Arrival {
    pub(crate) broker_time: EventTime,
    pub(crate) topic: LogTopic,
    pub(crate) partition: i32,
    pub(crate) line: String,
}

/// All lines of a case, in the order in which they come.
pub(crate) fn arrivals(case: &Path) -> Vec<Arrival> {
    let text = std::fs::read_to_string(case.join("lines")).unwrap();
    let rows = text.lines().enumerate().filter(|(_, row)| !row.starts_with('#') && !row.is_empty());
    let mut all: Vec<_> = rows.flat_map(|(number, row)| of_row(number as u64, row)).collect();
    all.sort_by_key(|arrival| arrival.broker_time);
    all
}

fn of_row(number: u64, row: &str) -> Vec<Arrival> {
    let mut words = row.splitn(3, ' ');
    let (time, (topic, partition)) =
        (words.next().unwrap(), words.next().unwrap().rsplit_once('/').expect("a topic and its partition"));
    let line = words.next().expect("a line");
    let (time, count, step_ms) = match time.split_once('*') {
        None => (time, 1, 0),
        Some((time, often)) => {
            let (count, step) = often.split_once('/').expect("how often, and a step");
            (time, count.parse().unwrap(), millis(step))
        }
    };
    let first = chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis();
    let at = |n: i64| EventTime(first + n * step_ms);
    let arrival = |n| Arrival {
        broker_time: at(n),
        topic: LogTopic::parse(topic).unwrap(),
        partition: partition.parse().unwrap(),
        line: filled_in(line, (number, n), at(n)),
    };
    (0..count).map(arrival).collect()
}

/// Milliseconds of a duration such as `500ms`, `30s` or `5m`.
fn millis(step: &str) -> i64 {
    let (number, unit) = step.split_at(step.find(|c: char| !c.is_ascii_digit()).expect("a unit"));
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "d" => 86_400_000,
        _ => panic!("{unit} is no unit: ms, s, m or d"),
    };
    number.parse::<i64>().unwrap() * unit_ms
}

fn filled_in(line: &str, (row, n): (u64, i64), at: EventTime) -> String {
    let mut dice = StdRng::seed_from_u64(row * 1_000_000 + n.unsigned_abs());
    let hex: String = (0..4).map(|_| format!("{:016x}", dice.random::<u64>())).collect();
    line.replace("{ts}", &at.to_rfc3339())
        .replace("{n}", &n.to_string())
        .replace("{ip}", &format!("240.0.{}.{}", n / 200, 1 + n % 200))
        .replace("{hex}", &hex)
}
