//! Batches on the wire: one Arrow IPC stream in one Kafka record, never a message per row.
//!
//! A frame of eight bytes stands in front: `WFA1` and the CRC-32C of what follows. Arrow's reader
//! trusts lengths that it finds (a flipped bit can make it panic or ask for gigabytes), so bytes
//! that we did not write, or that were damaged, are turned away before it sees them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use crate::{ObservationBatch, SourceProgress, WrongColumns};

/// A record that is not what we would have written.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The frame is missing, of another version, or its checksum does not fit the bytes.
    #[error("record has no valid WFA1 frame")]
    BadFrame,
    /// The bytes are no Arrow IPC stream.
    #[error("record is not an arrow stream")]
    NotArrow(#[from] ArrowError),
    /// The stream holds no batch, or more than one.
    #[error("record holds {0} batches instead of one")]
    BatchCount(usize),
    /// The batch is of another table.
    #[error(transparent)]
    WrongColumns(#[from] WrongColumns),
    /// The progress metadata is not readable.
    #[error("record's source progress is not readable")]
    BadProgress(#[from] serde_json::Error),
}

const PROGRESS_KEY: &str = "wf_progress";

const MAGIC: &[u8; 4] = b"WFA1";
const FRAME_BYTES: usize = 8;

/// Writes a batch as one framed Arrow IPC stream. Columns in which no row has a value are left out, but for the
/// first, which says what the table is; whoever takes the batch as one of ours has them again.
pub fn encode(batch: &RecordBatch) -> Vec<u8> {
    let batch = &filled(batch);
    let mut bytes = Vec::with_capacity(batch.get_array_memory_size() / 2 + 1_024);
    bytes.extend_from_slice(&[0; FRAME_BYTES]);
    let mut writer = StreamWriter::try_new(bytes, &batch.schema()).expect("writing to memory does not fail");
    writer.write(batch).expect("writing to memory does not fail");
    let mut bytes = writer.into_inner().expect("writing to memory does not fail");
    let checksum = crc32c::crc32c(&bytes[FRAME_BYTES..]);
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..FRAME_BYTES].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn filled(batch: &RecordBatch) -> RecordBatch {
    let is_filled = |at: &usize| *at == 0 || batch.column(*at).null_count() < batch.num_rows();
    let columns: Vec<usize> = (0..batch.num_columns()).filter(is_filled).collect();
    batch.project(&columns).expect("every number is a column's")
}

fn unframe(bytes: &[u8]) -> Option<&[u8]> {
    let (frame, stream) = bytes.split_at_checked(FRAME_BYTES)?;
    let checksum = u32::from_be_bytes(frame[4..].try_into().ok()?);
    (&frame[..4] == MAGIC && checksum == crc32c::crc32c(stream)).then_some(stream)
}

/// Reads a framed stream that holds exactly one batch.
pub fn decode(bytes: &[u8]) -> Result<RecordBatch, DecodeError> {
    let bytes = unframe(bytes).ok_or(DecodeError::BadFrame)?;
    let mut batches = StreamReader::try_new(bytes, None)?.collect::<Result<Vec<_>, _>>()?;
    match (batches.pop(), batches.len()) {
        (Some(batch), 0) => Ok(batch),
        (None, _) => Err(DecodeError::BatchCount(0)),
        (Some(_), more) => Err(DecodeError::BatchCount(more + 1)),
    }
}

/// Writes observations with the progress of the sources they came from. The batch may be empty:
/// progress alone moves watermarks.
pub fn encode_observations(batch: &ObservationBatch, progress: &[SourceProgress]) -> Vec<u8> {
    let progress = serde_json::to_string(progress).expect("progress holds strings and numbers only");
    let schema = batch.arrow().schema();
    let schema = schema.as_ref().clone().with_metadata(HashMap::from([(PROGRESS_KEY.to_owned(), progress)]));
    let batch = batch.arrow().clone().with_schema(Arc::new(schema)).expect("only metadata differs");
    encode(&batch)
}

/// Reads what [`encode_observations`] wrote.
pub fn decode_observations(bytes: &[u8]) -> Result<(ObservationBatch, Vec<SourceProgress>), DecodeError> {
    let batch = decode(bytes)?;
    let progress = match batch.schema().metadata().get(PROGRESS_KEY) {
        Some(progress) => serde_json::from_str(progress)?,
        None => Vec::new(),
    };
    Ok((ObservationBatch::from_arrow(batch)?, progress))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{EventBatch, EventBatchBuilder, EventRow, EventTime, Observation, ObservationBatchBuilder};

    #[test]
    fn observations_and_progress_come_back_as_they_went() {
        let mut builder = ObservationBatchBuilder::default();
        builder.append(&Observation {
            kind: Some(1),
            time: Some(EventTime(1_773_480_413_589)),
            tenant: Some("prt_acme".into()),
            ..Observation::default()
        });
        let batch = builder.finish();
        let source = || "logs.prt_acme.x/0".to_owned();
        let read = SourceProgress::read(source(), EventTime(5), EventTime(6));
        let progress = vec![read, SourceProgress::announced(source()), SourceProgress::at_end(source())];
        let (back, back_progress) =
            decode_observations(&encode_observations(&batch, &progress)).expect("ours");
        assert_eq!((back, back_progress), (batch, progress));
    }

    #[test]
    fn columns_without_a_value_are_not_written_and_are_there_again() {
        let mut builder = EventBatchBuilder::default();
        builder.append(&EventRow { status: Some(401), ..EventRow::default() });
        let batch = builder.finish();
        let decoded = decode(&encode(batch.arrow())).expect("ours");
        assert_eq!(
            decoded.schema().fields().iter().map(|f| f.name()).collect::<Vec<_>>(),
            ["event_id", "status"]
        );
        assert_eq!(EventBatch::from_arrow(decoded).expect("ours"), batch);
    }

    proptest! {
        #[test]
        fn foreign_bytes_are_an_error_and_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(decode_observations(&bytes).is_err());
        }

        #[test]
        fn a_damaged_record_never_panics(at in 0_usize..2_000, bit in 0_u8..8) {
            let mut bytes = encode_observations(&ObservationBatchBuilder::default().finish(), &[]);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(matches!(decode_observations(&bytes), Err(DecodeError::BadFrame)));
        }
    }
}
