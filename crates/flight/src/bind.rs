//! Values of parameters, from the batch that a client puts for them.
//!
//! The batch is untrusted bytes that Arrow's reader may panic on, so it is read behind a guard, flat
//! columns only and nothing compressed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::ipc::{MessageHeader, root_as_message};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::utils::flight_data_to_batches;
use query::{Parameter, ParameterType};
use tonic::{Status, Streaming};

use crate::error::malformed;

/// Messages that values may come in: a schema, and one row.
const MESSAGES_MAX: usize = 16;

/// What a statement's parameters are, as clients are told.
pub(crate) fn schema(kinds: &[ParameterType]) -> Schema {
    let field = |(index, kind): (usize, &ParameterType)| {
        Field::new(format!("${}", index + 1), arrow_type(*kind), true)
    };
    Schema::new(kinds.iter().enumerate().map(field).collect::<Vec<_>>())
}

/// The Arrow type that a parameter's values are read as.
fn arrow_type(kind: ParameterType) -> DataType {
    use ParameterType as P;
    match kind {
        P::Bool => DataType::Boolean,
        P::Int16 => DataType::Int16,
        P::Int32 => DataType::Int32,
        P::Int64 => DataType::Int64,
        P::Float32 => DataType::Float32,
        P::Float64 => DataType::Float64,
        P::Numeric => DataType::Decimal128(38, 10),
        P::Text => DataType::Utf8,
        P::Bytes => DataType::Binary,
        P::Date => DataType::Date32,
        P::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        P::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// All that a client puts, as far as it is not too much.
pub(crate) async fn gather(
    first: FlightData,
    mut rest: Streaming<FlightData>,
    bytes_max: usize,
) -> Result<Vec<FlightData>, Status> {
    let mut sent = vec![first];
    let mut bytes = 0;
    while let Some(data) = rest.message().await? {
        bytes += data.data_header.len() + data.data_body.len();
        if sent.len() >= MESSAGES_MAX || bytes > bytes_max {
            let text = format!("values come in at most {MESSAGES_MAX} messages of {bytes_max} bytes");
            return Err(Status::resource_exhausted(text));
        }
        sent.push(data);
    }
    Ok(sent)
}

/// What each parameter is: what the statement says, and where it does not tell, as with `SELECT $1`,
/// what the value is. (A parameter that nothing is known of is described as a text.)
pub(crate) fn kinds(
    row: Option<&RecordBatch>,
    described: &[ParameterType],
) -> Result<Vec<ParameterType>, Status> {
    let Some(row) = row else { return Ok(described.to_vec()) };
    if row.num_columns() != described.len() {
        let (given, wanted) = (row.num_columns(), described.len());
        return Err(malformed(format!("{given} values were given, and the statement takes {wanted}")));
    }
    let kind = |(column, described): (&ArrayRef, &ParameterType)| match (column.data_type(), described) {
        (DataType::Null, ParameterType::Text) => ParameterType::Text,
        (given, ParameterType::Text) => ParameterType::of(given),
        (_, described) => *described,
    };
    Ok(row.columns().iter().zip(described).map(kind).collect())
}

/// The values, one for each parameter; none, if there is no row of them.
pub(crate) fn values(row: Option<&RecordBatch>, kinds: &[ParameterType]) -> Result<Vec<Parameter>, Status> {
    let given = row.iter().flat_map(|row| row.columns()).zip(kinds).enumerate();
    given.map(|(index, (column, kind))| value(column, *kind, index + 1)).collect()
}

/// The one row that was put, if any was.
pub(crate) fn row(sent: &[FlightData]) -> Result<Option<RecordBatch>, Status> {
    let unreadable = || malformed("the values are no Arrow batch that can be read");
    let sent: Vec<FlightData> = sent.iter().filter(|data| !data.data_header.is_empty()).cloned().collect();
    for data in &sent {
        let message = root_as_message(&data.data_header).map_err(|_| unreadable())?;
        let is_compressed =
            message.header_as_record_batch().is_some_and(|batch| batch.compression().is_some());
        if message.header_type() == MessageHeader::DictionaryBatch || is_compressed {
            return Err(malformed("values are sent as they are: no dictionaries, nothing compressed"));
        }
    }
    if sent.is_empty() {
        return Ok(None);
    }
    let read = catch_unwind(AssertUnwindSafe(|| flight_data_to_batches(&sent)));
    let batches = read.map_err(|_| unreadable())?.map_err(|_| unreadable())?;
    let mut rows = batches.into_iter().filter(|batch| batch.num_rows() > 0);
    match (rows.next(), rows.next()) {
        (Some(row), None) if row.num_rows() == 1 => Ok(Some(row)),
        (None, _) => Ok(None),
        _ => Err(malformed("one row of values is taken at a time")),
    }
}

fn value(column: &ArrayRef, kind: ParameterType, number: usize) -> Result<Parameter, Status> {
    let wrong = || malformed(format!("${number} is no {}", arrow_type(kind)));
    if column.data_type().is_nested() {
        return Err(malformed(format!("${number} is a list or a struct, which are no parameters")));
    }
    if column.is_null(0) || *column.data_type() == DataType::Null {
        return Ok(Parameter { kind, value: None });
    }
    // A client may have built the column as it liked; what it says of itself may be wrong.
    let read = catch_unwind(AssertUnwindSafe(|| text(column, kind)));
    let value = read.ok().flatten().ok_or_else(wrong)?;
    Ok(Parameter { kind, value: Some(value) })
}

/// A value as SQL writes it, by way of the type that it is to have.
fn text(column: &ArrayRef, kind: ParameterType) -> Option<String> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let column = cast_with_options(column, &arrow_type(kind), &strict).ok()?;
    if kind == ParameterType::Bytes {
        let bytes = column.as_binary_opt::<i32>()?;
        return (!bytes.is_null(0)).then(|| hex::encode(bytes.value(0)));
    }
    let texts = cast_with_options(&column, &DataType::Utf8, &strict).ok()?;
    let texts = texts.as_string_opt::<i32>()?;
    (!texts.is_null(0)).then(|| texts.value(0).to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, Int64Array, ListArray, NullArray, StringArray, TimestampMillisecondArray,
    };
    use arrow::datatypes::Int32Type;
    use arrow_flight::utils::batches_to_flight_data;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use query::ParameterType as P;
    use tonic::Code;

    use super::*;

    fn put(columns: Vec<ArrayRef>) -> Vec<FlightData> {
        let named = columns.into_iter().enumerate().map(|(n, column)| (n.to_string(), column));
        let batch = RecordBatch::try_from_iter_with_nullable(
            named.map(|(name, column)| (name, column, true)).collect::<Vec<_>>(),
        );
        let batch = batch.unwrap();
        batches_to_flight_data(&batch.schema(), vec![batch]).unwrap()
    }

    fn read(sent: &[FlightData], described: &[ParameterType]) -> Result<Vec<Parameter>, Status> {
        let row = row(sent)?;
        let kinds = kinds(row.as_ref(), described)?;
        values(row.as_ref(), &kinds)
    }

    fn one(column: impl Array + 'static, kind: P) -> Result<Option<String>, Code> {
        let values = read(&put(vec![Arc::new(column)]), &[kind]);
        values.map(|mut values| values.remove(0).value).map_err(|status| status.code())
    }

    #[test]
    fn a_value_is_read_as_what_the_parameter_is() {
        assert_eq!(one(Int64Array::from(vec![7]), P::Int32).unwrap().as_deref(), Some("7"));
        assert_eq!(one(StringArray::from(vec!["7"]), P::Int64).unwrap().as_deref(), Some("7"));
        assert_eq!(one(BinaryArray::from(vec![&[0, 255][..]]), P::Bytes).unwrap().as_deref(), Some("00ff"));
        assert_eq!(one(NullArray::new(1), P::Text), Ok(None));
        let moment = TimestampMillisecondArray::from(vec![0]).with_timezone("UTC");
        assert_eq!(one(moment, P::TimestampTz).unwrap().as_deref(), Some("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn what_the_statement_does_not_tell_the_value_does() {
        let sent = put(vec![Arc::new(Int64Array::from(vec![7])), Arc::new(Int64Array::from(vec![7]))]);
        let kinds: Vec<_> =
            read(&sent, &[P::Text, P::Int16]).unwrap().into_iter().map(|value| value.kind).collect();
        assert_eq!(kinds, [P::Int64, P::Int16]);
    }

    #[test]
    fn what_is_no_such_value_is_refused() {
        assert_eq!(one(StringArray::from(vec!["1 OR true"]), P::Int64), Err(Code::InvalidArgument));
        assert_eq!(one(Int64Array::from(vec![1 << 40]), P::Int32), Err(Code::InvalidArgument));
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
        assert_eq!(one(list, P::Text), Err(Code::InvalidArgument));
        let two = put(vec![Arc::new(Int64Array::from(vec![1, 2]))]);
        assert_eq!(read(&two, &[P::Int64]).unwrap_err().code(), Code::InvalidArgument);
        let none = put(vec![Arc::new(Int64Array::from(vec![1]))]);
        assert_eq!(read(&none, &[]).unwrap_err().code(), Code::InvalidArgument);
    }

    proptest! {
        #[test]
        fn any_bytes_are_values_or_an_invalid_argument(
            header in vec(any::<u8>(), 0..80),
            body in vec(any::<u8>(), 0..80),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            of_body: bool,
        ) {
            let noise = FlightData::new().with_data_header(header).with_data_body(body);
            let mut bent = put(vec![Arc::new(StringArray::from(vec!["text"])), Arc::new(Int64Array::from(vec![1]))]);
            for data in &mut bent {
                let mut bytes = if of_body { data.data_body.to_vec() } else { data.data_header.to_vec() };
                for (place, byte) in changes.iter().filter(|_| !bytes.is_empty()).cloned().collect::<Vec<_>>() {
                    let place = place.index(bytes.len());
                    bytes[place] = byte;
                }
                if of_body { data.data_body = bytes.into() } else { data.data_header = bytes.into() }
            }
            for sent in [vec![noise], bent] {
                if let Err(status) = read(&sent, &[P::Text, P::Int64]) {
                    prop_assert_eq!(status.code(), Code::InvalidArgument);
                }
            }
        }
    }
}
