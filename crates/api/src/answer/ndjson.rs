//! `application/x-ndjson`: one JSON object a row, one row a line.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::record_batch::RecordBatch;

use super::Encoder;

/// Lines.
pub(super) struct Ndjson;

impl Encoder for Ndjson {
    fn begin(&mut self, _: &SchemaRef) -> Result<Vec<u8>, ArrowError> {
        Ok(Vec::new())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
        writer.write(batch)?;
        writer.finish()?;
        Ok(writer.into_inner())
    }

    fn end(&mut self, _: bool) -> Result<Vec<u8>, ArrowError> {
        Ok(Vec::new())
    }
}
