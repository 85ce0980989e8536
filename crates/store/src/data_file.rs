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
/// Rows in order of one batch that are worth a write of their own.
const SLICE_ROWS: usize = 256;

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
    for piece in pieces(rows) {
        match piece {
            Piece::Slice { batch, first, rows } => encoder.write(&batches[batch].slice(first, rows))?,
            Piece::Mixed(rows) => encoder.write(&interleave_record_batch(&all, rows)?)?,
        }
    }
    encoder.finish()
}

/// Rows to be written at once.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// Some rows of one batch as they stand: nothing needs to be copied.
    Slice { batch: usize, first: usize, rows: usize },
    /// Rows from here and there.
    Mixed(&'a [(usize, usize)]),
}

/// Cuts rows into pieces. A batch is mostly of one partner and in order, so most rows are slices.
fn pieces(rows: &[(usize, usize)]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut mixed_from) = (0, 0);
    while from < rows.len() {
        let run = run_length(&rows[from..]);
        if run >= SLICE_ROWS {
            pieces.extend(rows[mixed_from..from].chunks(CHUNK_ROWS).map(Piece::Mixed));
            pieces.push(Piece::Slice { batch: rows[from].0, first: rows[from].1, rows: run });
            mixed_from = from + run;
        }
        from += run;
    }
    pieces.extend(rows[mixed_from..].chunks(CHUNK_ROWS).map(Piece::Mixed));
    pieces
}

/// How many rows from the first one on follow each other in their batch.
fn run_length(rows: &[(usize, usize)]) -> usize {
    let (batch, first) = rows[0];
    rows.iter().enumerate().take_while(|(i, row)| **row == (batch, first + i)).count()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_slices_and_the_rest_is_gathered() {
        let run = |batch: usize, from: usize, to: usize| (from..to).map(move |row| (batch, row));
        let rows: Vec<_> =
            run(0, 5, 10).chain(run(1, 0, 300)).chain(run(0, 0, 5)).chain(run(2, 7, 9)).collect();
        let expected = [
            Piece::Mixed(&rows[..5]),
            Piece::Slice { batch: 1, first: 0, rows: 300 },
            Piece::Mixed(&rows[305..]),
        ];
        assert_eq!(pieces(&rows), expected);
        assert_eq!(pieces(&[]), []);
    }
}
