//! Which day's partition a row belongs to.

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, NaiveDate};

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A row's time may be this many days from its ingest and still choose the partition. Without a
/// bound, forged time stamps would open a file for every day since 2000.
const STRAY_DAYS_MAX: i64 = 31;

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) i32);

impl Day {
    /// The day as Delta writes partition values: `2026-03-14`.
    pub(crate) fn to_iso(self) -> String {
        let date = DateTime::from_timestamp(i64::from(self.0) * 86_400, 0).map(|time| time.date_naive());
        date.unwrap_or(NaiveDate::MIN).to_string()
    }

    /// The day of a partition value.
    pub(crate) fn from_iso(text: &str) -> Option<Self> {
        let date: NaiveDate = text.parse().ok()?;
        i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok().map(Self)
    }
}

/// The day of a row that happened at `time` and was ingested at `ingested`, both microseconds.
pub(crate) fn day_of(time: Option<i64>, ingested: Option<i64>) -> Day {
    let day = |micros: i64| micros.div_euclid(MICROS_PER_DAY);
    let chosen = match (time.map(day), ingested.map(day)) {
        (Some(time), Some(ingested)) if (time - ingested).abs() > STRAY_DAYS_MAX => ingested,
        (Some(time), _) => time,
        (None, Some(ingested)) => ingested,
        (None, None) => 0,
    };
    // What a date cannot hold is a forgery as well; 2100 and 1970 bound what is stored.
    Day(i32::try_from(chosen.clamp(0, 47_482)).expect("clamped to the range of dates"))
}

/// A time column of a batch, read row by row.
pub(crate) struct Times<'a>(Option<&'a arrow::array::TimestampMicrosecondArray>);

impl<'a> Times<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, column: Option<&str>) -> Self {
        let array = column.and_then(|name| batch.column_by_name(name));
        Self(array.and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>()))
    }

    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        self.0.filter(|array| array.is_valid(row)).map(|array| array.value(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = MICROS_PER_DAY / 2;

    #[test]
    fn a_row_belongs_to_the_day_it_happened_on() {
        let time = 20_526 * MICROS_PER_DAY + NOON;
        assert_eq!(day_of(Some(time), Some(time + MICROS_PER_DAY)), Day(20_526));
        assert_eq!(Day(20_526).to_iso(), "2026-03-14");
        assert_eq!(Day::from_iso("2026-03-14"), Some(Day(20_526)));
    }

    #[test]
    fn a_stray_time_stamp_opens_no_partition_of_its_own() {
        let ingested = 20_526 * MICROS_PER_DAY;
        for stray in [0, ingested - 32 * MICROS_PER_DAY, ingested + 40 * MICROS_PER_DAY, i64::MAX, i64::MIN] {
            assert_eq!(day_of(Some(stray), Some(ingested)), Day(20_526), "{stray}");
        }
    }

    #[test]
    fn a_row_without_any_time_still_has_a_place() {
        assert_eq!(day_of(None, None), Day(0));
        assert_eq!(day_of(None, Some(NOON)), Day(0));
    }
}
