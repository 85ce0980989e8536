//! In which file and in which order rows go: split by day, sorted by (tenant, time).

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::record_batch::RecordBatch;

use crate::Table;
use crate::day::{Day, Times, day_of};
use crate::layout;

/// Rows as (batch, row), in the order in which a file holds them.
pub(crate) type Rows = Vec<(usize, usize)>;

/// The rows of some batches by day, each day's sorted by tenant and time; rows that are equal in
/// both stay in the order in which they were read.
pub(crate) fn by_day(table: Table, batches: &[RecordBatch]) -> BTreeMap<Day, Rows> {
    let ranks = tenant_ranks(batches);
    let mut days: BTreeMap<Day, Vec<(u32, i64, usize, usize)>> = BTreeMap::new();
    for (b, batch) in batches.iter().enumerate() {
        let times = Times::of(batch, Some(layout::time_column(table)));
        let ingested = Times::of(batch, layout::ingest_column(table));
        for (row, rank) in ranks[b].iter().enumerate() {
            let time = times.get(row);
            let day = day_of(time, ingested.get(row));
            days.entry(day).or_default().push((*rank, time.unwrap_or(i64::MIN), b, row));
        }
    }
    days.into_iter()
        .map(|(day, mut keys)| {
            keys.sort_unstable();
            (day, keys.into_iter().map(|(_, _, batch, row)| (batch, row)).collect())
        })
        .collect()
}

/// For every row the place of its tenant among all tenants, so that sorting compares numbers.
fn tenant_ranks(batches: &[RecordBatch]) -> Vec<Vec<u32>> {
    let tenants: Vec<_> = batches
        .iter()
        .map(|batch| batch.column_by_name("tenant").and_then(|c| c.as_string_opt::<i32>()))
        .collect();
    let mut ranks: BTreeMap<&str, u32> =
        tenants.iter().flatten().flat_map(|column| column.iter().flatten()).map(|name| (name, 0)).collect();
    for (rank, value) in ranks.values_mut().enumerate() {
        *value = rank as u32 + 1;
    }
    let rank_of = |name: Option<&str>| name.map_or(0, |name| ranks[name]);
    batches
        .iter()
        .zip(&tenants)
        .map(|(batch, column)| match column {
            Some(column) => {
                (0..column.len()).map(|i| rank_of(column.is_valid(i).then(|| column.value(i)))).collect()
            }
            None => vec![0; batch.num_rows()],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use event::{EventBatchBuilder, EventRow, EventTime};

    use super::*;

    #[test]
    fn rows_are_split_by_day_and_sorted_by_tenant_and_time() {
        let batch = |rows: &[(&str, i64)]| {
            let mut builder = EventBatchBuilder::default();
            for (tenant, millis) in rows {
                let time = Some(EventTime(*millis));
                let tenant = Some((*tenant).into());
                builder.append(&EventRow { tenant, time, ingest_time: time, ..EventRow::default() });
            }
            builder.finish().into_arrow()
        };
        let day = 24 * 60 * 60 * 1_000;
        let batches = [batch(&[("b", 5), ("a", day + 1), ("a", 9)]), batch(&[("a", 7), ("b", 5)])];

        let days = by_day(Table::Events, &batches);

        assert_eq!(days[&Day(0)], [(1, 0), (0, 2), (0, 0), (1, 1)]);
        assert_eq!(days[&Day(1)], [(0, 1)]);
    }
}
