//! What clocks on the wall show, and how busy that hour of the week is.

use chrono::{DateTime, Datelike, Weekday};
use event::EventTime;

use super::text::Text;

const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A calendar in one time zone. It remembers the last day it was asked about, because most
/// lines are of the same day as the line before.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    offset_ms: i64,
    day: Day,
}

#[derive(Clone, Copy, Debug)]
struct Day {
    number: i64,
    year: u64,
    month: u64,
    day: u64,
    weekday: Weekday,
}

impl Calendar {
    pub(crate) fn new(offset_minutes: i64) -> Self {
        Self { offset_ms: offset_minutes * 60_000, day: Day::of(0) }
    }

    /// `2026-03-14T09:26:53.589Z`; only right for a calendar without an offset.
    pub(crate) fn rfc3339(&mut self, time: EventTime, text: &mut Text) {
        let ms = self.turn_to(time);
        self.date(text);
        text.put("T");
        clock(ms, text);
        text.put(".").padded(ms % 1_000, 3).put("Z");
    }

    /// `2026-03-14T09:26:53+00:00`.
    pub(crate) fn iso_seconds(&mut self, time: EventTime, text: &mut Text) {
        let ms = self.turn_to(time);
        self.date(text);
        text.put("T");
        clock(ms, text);
        self.offset(text, ":");
    }

    /// `14/Mar/2026:09:26:53 +0000`.
    pub(crate) fn nginx(&mut self, time: EventTime, text: &mut Text) {
        let ms = self.turn_to(time);
        let Day { year, month, day, .. } = self.day;
        text.padded(day, 2).put("/").put(MONTHS[month as usize - 1]).put("/").padded(year, 4).put(":");
        clock(ms, text);
        text.put(" ");
        self.offset(text, "");
    }

    /// `Mar  4 09:26:53`.
    pub(crate) fn syslog(&mut self, time: EventTime, text: &mut Text) {
        let ms = self.turn_to(time);
        let Day { month, day, .. } = self.day;
        text.put(MONTHS[month as usize - 1]).put(if day < 10 { "  " } else { " " }).number(day).put(" ");
        clock(ms, text);
    }

    /// How busy this moment is: the mean over a week is 1. The quietest hour is around two at
    /// night, the busiest around two in the afternoon, and a weekend has two thirds of a weekday.
    pub(crate) fn busyness(&mut self, time: EventTime) -> f64 {
        let hour = self.turn_to(time) as f64 / 3_600_000.0;
        let of_day = 1.0 - 0.7 * ((hour - 2.0) / 24.0 * std::f64::consts::TAU).cos();
        of_day * if matches!(self.day.weekday, Weekday::Sat | Weekday::Sun) { 0.75 } else { 1.1 }
    }

    /// The highest value of [`Calendar::busyness`].
    pub(crate) const BUSIEST: f64 = 1.7 * 1.1;

    /// Opens the page of that day; returns the milliseconds since its local midnight.
    fn turn_to(&mut self, time: EventTime) -> u64 {
        let local = time.millis() + self.offset_ms;
        let number = local.div_euclid(DAY_MS);
        if number != self.day.number {
            self.day = Day::of(number);
        }
        local.rem_euclid(DAY_MS).unsigned_abs()
    }

    fn date(&self, text: &mut Text) {
        let Day { year, month, day, .. } = self.day;
        text.padded(year, 4).put("-").padded(month, 2).put("-").padded(day, 2);
    }

    fn offset(&self, text: &mut Text, between: &str) {
        let minutes = (self.offset_ms / 60_000).unsigned_abs();
        text.put(if self.offset_ms < 0 { "-" } else { "+" });
        text.padded(minutes / 60, 2).put(between).padded(minutes % 60, 2);
    }
}

impl Day {
    fn of(number: i64) -> Self {
        let date =
            DateTime::from_timestamp_millis(number.saturating_mul(DAY_MS)).unwrap_or_default().date_naive();
        Self {
            number,
            year: date.year().unsigned_abs().into(),
            month: date.month().into(),
            day: date.day().into(),
            weekday: date.weekday(),
        }
    }
}

fn clock(ms: u64, text: &mut Text) {
    let seconds = ms / 1_000;
    text.padded(seconds / 3_600, 2).put(":").padded(seconds / 60 % 60, 2).put(":").padded(seconds % 60, 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(offset_minutes: i64, write: impl Fn(&mut Calendar, EventTime, &mut Text)) -> String {
        let mut text = Text::new();
        write(&mut Calendar::new(offset_minutes), EventTime(1_773_480_413_589), &mut text);
        String::from_utf8_lossy(&text.into_bytes()).into_owned()
    }

    #[test]
    fn a_moment_reads_as_each_log_writes_it() {
        assert_eq!(show(0, Calendar::rfc3339), "2026-03-14T09:26:53.589Z");
        assert_eq!(show(60, Calendar::nginx), "14/Mar/2026:10:26:53 +0100");
        assert_eq!(show(-330, Calendar::iso_seconds), "2026-03-14T03:56:53-05:30");
        assert_eq!(show(0, Calendar::syslog), "Mar 14 09:26:53");
    }

    #[test]
    fn a_week_is_as_busy_as_its_mean() {
        let mut calendar = Calendar::new(-300);
        let minutes = 7 * 24 * 60;
        let total: f64 = (0..minutes).map(|m| calendar.busyness(EventTime(m * 60_000))).sum();
        assert!((total / minutes as f64 - 1.0).abs() < 0.001);
        let busiest = (0..minutes).map(|m| calendar.busyness(EventTime(m * 60_000))).fold(0.0, f64::max);
        assert!(busiest <= Calendar::BUSIEST && busiest > Calendar::BUSIEST * 0.999);
    }
}
