//! A file's statistics as the Delta log holds them, taken from its Parquet footer.

use chrono::{DateTime, SecondsFormat};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

/// One column's statistics over all row groups.
#[derive(Default)]
struct Column {
    nulls: u64,
    /// Whether some row group has values but no bounds, so that there are none for the file.
    unbounded: bool,
    min: Option<Bound>,
    max: Option<Bound>,
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Bound {
    Number(i64),
    Micros(i64),
    Text(String),
}

/// The `stats` of a Delta `add` action for the named columns.
pub(crate) fn delta_stats(footer: &ParquetMetaData, columns: &[&str]) -> String {
    let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
    for name in columns {
        let column = column_stats(footer, name);
        nulls.insert((*name).to_owned(), json!(column.nulls));
        if let (false, Some(low), Some(high)) = (column.unbounded, column.min, column.max) {
            min.insert((*name).to_owned(), low.to_json(false));
            max.insert((*name).to_owned(), high.to_json(true));
        }
    }
    let rows = footer.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": min, "maxValues": max, "nullCount": nulls }).to_string()
}

fn column_stats(footer: &ParquetMetaData, name: &str) -> Column {
    let mut column = Column::default();
    for group in footer.row_groups() {
        let Some(statistics) = group_statistics(group, name) else {
            column.unbounded = true;
            continue;
        };
        let nulls = statistics.null_count_opt().unwrap_or(0);
        column.nulls += nulls;
        if nulls == group.num_rows() as u64 {
            continue;
        }
        match bounds(statistics, is_time(group, name)) {
            Some((low, high)) => {
                column.min = Some(column.min.take().filter(|min| *min <= low).unwrap_or(low));
                column.max = Some(column.max.take().filter(|max| *max >= high).unwrap_or(high));
            }
            None => column.unbounded = true,
        }
    }
    column
}

fn group_statistics<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<&'a Statistics> {
    group.columns().iter().find(|column| column.column_path().string() == name)?.statistics()
}

fn is_time(group: &RowGroupMetaData, name: &str) -> bool {
    use parquet::basic::LogicalType::Timestamp;
    group
        .columns()
        .iter()
        .find(|column| column.column_path().string() == name)
        .is_some_and(|column| matches!(column.column_descr().logical_type_ref(), Some(Timestamp { .. })))
}

fn bounds(statistics: &Statistics, time: bool) -> Option<(Bound, Bound)> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|text| Bound::Text(text.to_owned()));
    match statistics {
        Statistics::Int32(s) => {
            Some((Bound::Number((*s.min_opt()?).into()), Bound::Number((*s.max_opt()?).into())))
        }
        Statistics::Int64(s) if time => Some((Bound::Micros(*s.min_opt()?), Bound::Micros(*s.max_opt()?))),
        Statistics::Int64(s) => Some((Bound::Number(*s.min_opt()?), Bound::Number(*s.max_opt()?))),
        Statistics::ByteArray(s) => Some((text(s.min_opt()?.data())?, text(s.max_opt()?.data())?)),
        _ => None,
    }
}

impl Bound {
    /// As the Delta protocol writes it. Times have milliseconds, rounded outwards.
    fn to_json(&self, upper: bool) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Micros(micros) => {
                let millis = micros.div_euclid(1_000) + i64::from(upper && micros.rem_euclid(1_000) != 0);
                match DateTime::from_timestamp_millis(millis) {
                    Some(time) => json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)),
                    None => Value::Null,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use event::{EventBatchBuilder, EventRow, EventTime};

    use super::*;
    use crate::Table;
    use crate::data_file::encode;
    use crate::day::Day;
    use crate::layout::Age;

    #[test]
    fn bounds_and_nulls_are_those_of_the_rows() {
        let mut builder = EventBatchBuilder::default();
        for (tenant, millis, status) in
            [("prt_a", 1_773_480_413_589, None), ("prt_b", 1_773_480_413_001, Some(401))]
        {
            let time = Some(EventTime(millis));
            builder.append(&EventRow { tenant: Some(tenant.into()), time, status, ..EventRow::default() });
        }
        let batch = builder.finish().into_arrow();
        let file = encode(Table::Events, Age::Fresh, Day(0), &[batch], &[(0, 1), (0, 0)]).expect("encodes");

        let stats: Value = serde_json::from_str(&file.stats).expect("JSON");

        assert_eq!(stats["numRecords"], 2);
        assert_eq!(
            (&stats["minValues"]["tenant"], &stats["maxValues"]["tenant"]),
            (&json!("prt_a"), &json!("prt_b"))
        );
        assert_eq!(stats["minValues"]["time"], "2026-03-14T09:26:53.001Z");
        assert_eq!(stats["maxValues"]["time"], "2026-03-14T09:26:53.589Z");
        assert_eq!((&stats["nullCount"]["status"], &stats["minValues"]["status"]), (&json!(1), &json!(401)));
        assert_eq!((&stats["nullCount"]["user_ref"], stats["minValues"].get("user_ref")), (&json!(2), None));
    }
}
