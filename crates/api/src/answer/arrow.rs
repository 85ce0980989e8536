//! `application/vnd.apache.arrow.stream`: the Arrow IPC streaming format.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use super::Encoder;

/// Arrow batches.
#[derive(Default)]
pub(super) struct Arrow {
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl Arrow {
    fn writer(&mut self) -> Result<&mut StreamWriter<Vec<u8>>, ArrowError> {
        self.writer.as_mut().ok_or_else(|| ArrowError::IpcError("rows before the schema".to_owned()))
    }
}

impl Encoder for Arrow {
    fn begin(&mut self, schema: &SchemaRef) -> Result<Vec<u8>, ArrowError> {
        self.writer = Some(StreamWriter::try_new(Vec::new(), schema)?);
        Ok(std::mem::take(self.writer()?.get_mut()))
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let writer = self.writer()?;
        writer.write(batch)?;
        Ok(std::mem::take(writer.get_mut()))
    }

    fn end(&mut self, _: bool) -> Result<Vec<u8>, ArrowError> {
        let writer = self.writer()?;
        writer.finish()?;
        Ok(std::mem::take(writer.get_mut()))
    }
}
