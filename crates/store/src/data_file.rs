//! Writes rows as one Parquet file in memory, ready to be put and committed.

use std::collections::HashMap;

use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;
use chrono::Utc;
use deltalake::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::Table;
use crate::day::Day;
use crate::layout::{Age, stats_columns, writer_properties};
use crate::stats::delta_stats;
use crate::table::DAY;

/// Rows that are gathered at a time: what sorting costs in memory beyond the batches themselves.
const CHUNK_ROWS: usize = 8_192;

/// A Parquet file that is not yet anywhere.
pub(crate) struct DataFile {
    pub(crate) day: Day,
    pub(crate) rows: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stats: String,
}

/// Encodes the given rows, (batch, row), in the given order. The batches have one schema.
pub(crate) fn encode(
    table: Table,
    age: Age,
    day: Day,
    batches: &[RecordBatch],
    rows: &[(usize, usize)],
) -> Result<DataFile, ParquetError> {
    let schema = batches.first().map_or_else(|| table.schema(), RecordBatch::schema);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(writer_properties(table, age)))?;
    let all: Vec<&RecordBatch> = batches.iter().collect();
    for chunk in rows.chunks(CHUNK_ROWS) {
        match as_slice(chunk) {
            Some((batch, first)) => writer.write(&batches[batch].slice(first, chunk.len()))?,
            None => writer.write(&interleave_record_batch(&all, chunk)?)?,
        }
    }
    let footer = writer.close()?;
    let stats = delta_stats(&footer, stats_columns(table));
    Ok(DataFile { day, rows: rows.len(), bytes, stats })
}

/// Where a chunk begins if it is simply some rows of one batch in order, as it mostly is: nothing
/// needs to be copied then.
fn as_slice(chunk: &[(usize, usize)]) -> Option<(usize, usize)> {
    let &(batch, first) = chunk.first()?;
    let in_order = chunk.iter().enumerate().all(|(i, row)| *row == (batch, first + i));
    in_order.then_some((batch, first))
}

impl DataFile {
    /// The file's path under the table, named so that no two files ever meet.
    pub(crate) fn path(&self, unique: &str) -> String {
        format!("{DAY}={}/part-{unique}.zstd.parquet", self.day.to_iso())
    }

    /// The log entry that makes the file part of the table.
    pub(crate) fn add(&self, path: String, data_change: bool) -> Add {
        Add {
            path,
            size: self.bytes.len() as i64,
            partition_values: HashMap::from([(DAY.to_owned(), Some(self.day.to_iso()))]),
            modification_time: Utc::now().timestamp_millis(),
            data_change,
            stats: Some(self.stats.clone()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }
}
