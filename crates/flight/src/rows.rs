//! Rows on their way: an answer's batches, as the protocol sends them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use query::{QueryAnswer, QueryError};
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tonic::Status;

use crate::FlightMetrics;
use crate::error::{name, of_query, ours, too_many_rows};

/// Bytes of a message that is sent, unless one row has more.
const MESSAGE_BYTES: usize = 1 << 20;

/// An answer.
pub(crate) type Rows = BoxStream<'static, Result<FlightData, Status>>;

type Sender = mpsc::Sender<Result<RecordBatch, Status>>;

/// A batch that is there as a whole.
pub(crate) fn of_batch(batch: RecordBatch) -> Rows {
    encoded(batch.schema(), stream::iter([Ok(batch)]))
}

/// An answer as it is computed. It ends with its time also where nobody takes it, so that it does not
/// keep others from asking; and with its client.
pub(crate) fn of_answer(answer: QueryAnswer, sql: String, limit: Duration, metrics: FlightMetrics) -> Rows {
    let schema: SchemaRef = plain(&answer.schema).into();
    let (sender, receiver) = mpsc::channel(1);
    let passing = Passing { answer, schema: Arc::clone(&schema), sql, limit };
    tokio::spawn(passing.run(sender, metrics));
    let batches = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    encoded(schema, batches)
}

fn encoded(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, Status>> + Send + 'static,
) -> Rows {
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_max_flight_data_size(MESSAGE_BYTES)
        .build(batches.map_err(|status| FlightError::Tonic(Box::new(status))))
        .map_err(|error| match error {
            FlightError::Tonic(status) => *status,
            error => ours(error),
        })
        .boxed()
}

/// An answer that is passed on.
struct Passing {
    answer: QueryAnswer,
    schema: SchemaRef,
    sql: String,
    limit: Duration,
}

impl Passing {
    async fn run(self, sender: Sender, metrics: FlightMetrics) {
        let (ends_at, limit) = (self.answer.ends_at, self.limit);
        let passed = tokio::select! {
            passed = timeout_at(ends_at, self.pass_on(&sender)) => {
                passed.unwrap_or_else(|_| Err(of_query(QueryError::TooLong { limit }, "")))
            }
            () = sender.closed() => Err(Status::cancelled("the client is gone")),
        };
        match passed {
            Ok(()) => metrics.answered("OK"),
            Err(status) => {
                metrics.answered(name(status.code()));
                // Whoever asked may have gone; then nobody needs to know.
                sender.send(Err(status)).await.ok();
            }
        }
    }

    async fn pass_on(mut self, sender: &Sender) -> Result<(), Status> {
        while let Some(batch) = self.answer.batches.next().await {
            let batch = batch.map_err(|error| of_query(error, &self.sql))?;
            let batch = as_plain(&batch, &self.schema).map_err(ours)?;
            if sender.send(Ok(batch)).await.is_err() {
                return Err(Status::cancelled("the client is gone"));
            }
        }
        match self.answer.truncated.load(Ordering::Acquire) {
            true => Err(too_many_rows(self.answer.rows_max)),
            false => Ok(()),
        }
    }
}

/// The columns as clients get them: what is told before the answer and what comes with it must be the
/// same to the letter, and not every client knows views of texts and dictionaries.
pub(crate) fn plain(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(plain_field).collect::<Vec<_>>())
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), plain_type(field.data_type()), true))
}

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(plain_field(item), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

fn as_plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns: Result<Vec<ArrayRef>, _> = columns
        .map(|(column, field)| match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast(column, field.data_type()),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns?, &options)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, DictionaryArray, Int64Array, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn views_and_dictionaries_become_what_every_client_knows() {
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
        let words: DictionaryArray<Int32Type> = ["x", "x"].into_iter().collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch =
            RecordBatch::try_from_iter([("v", views), ("d", Arc::new(words)), ("n", numbers)]).unwrap();
        let schema = plain(&batch.schema()).into();
        let batch = as_plain(&batch, &schema).unwrap();
        let kinds: Vec<_> = batch.columns().iter().map(|column| column.data_type().clone()).collect();
        assert_eq!(kinds, [DataType::Utf8, DataType::Utf8, DataType::Int64]);
        assert!(schema.fields().iter().all(|field| field.is_nullable()));
    }
}
