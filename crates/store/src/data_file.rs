//! Writes rows as one Parquet file in memory, ready to be put and committed.

use std::collections::HashMap;

use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
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

/// A Parquet file that is being written, batch by batch.
pub(crate) struct Encoder {
    table: Table,
    day: Day,
    rows: usize,
    writer: ArrowWriter<Vec<u8>>,
}

impl Encoder {
    pub(crate) fn new(table: Table, age: Age, day: Day, schema: SchemaRef) -> Result<Self, ParquetError> {
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(writer_properties(table, age)))?;
        Ok(Self { table, day, rows: 0, writer })
    }

    /// Adds rows, which come after those before in the table's order.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.rows += batch.num_rows();
        self.writer.write(batch)
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// About how large the file is by now.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    pub(crate) fn finish(mut self) -> Result<DataFile, ParquetError> {
        let footer = self.writer.finish()?;
        let stats = delta_stats(&footer, stats_columns(self.table));
        let bytes = std::mem::take(self.writer.inner_mut());
        Ok(DataFile { day: self.day, rows: self.rows, bytes, stats })
    }
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
    let mut encoder = Encoder::new(table, age, day, schema)?;
    let all: Vec<&RecordBatch> = batches.iter().collect();
    for chunk in rows.chunks(CHUNK_ROWS) {
        match as_slice(chunk) {
            Some((batch, first)) => encoder.write(&batches[batch].slice(first, chunk.len()))?,
            None => encoder.write(&interleave_record_batch(&all, chunk)?)?,
        }
    }
    encoder.finish()
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
            modification_time: file_time(),
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

/// Milliseconds since the epoch, for the log to say how old a file is.
#[expect(
    clippy::disallowed_methods,
    reason = "it dates a file that is being written now; no row depends on it"
)]
fn file_time() -> i64 {
    Utc::now().timestamp_millis()
}
