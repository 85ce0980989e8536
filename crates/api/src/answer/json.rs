//! `application/json`: `{"columns": [{"name", "type"}], "rows": [{…}], "truncated": false}`.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use utoipa::ToSchema;

use super::Encoder;

/// One document.
#[derive(Default)]
pub(super) struct Json {
    any_rows: bool,
}

/// A query's answer as JSON.
#[derive(Serialize, ToSchema)]
pub(crate) struct JsonAnswer {
    /// The columns in their order.
    columns: Vec<Column>,
    /// One object a row, by column name; absent values are null.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, serde_json::Value>>)]
    rows: Vec<()>,
    /// Whether there would have been more rows than the limit lets through.
    truncated: bool,
}

/// A column.
#[derive(Serialize, ToSchema)]
struct Column {
    name: String,
    /// The Arrow type.
    #[schema(example = "Utf8")]
    r#type: String,
}

impl Encoder for Json {
    fn begin(&mut self, schema: &SchemaRef) -> Result<Vec<u8>, ArrowError> {
        let column = |field: &arrow::datatypes::FieldRef| Column {
            name: field.name().clone(),
            r#type: field.data_type().to_string(),
        };
        let columns: Vec<_> = schema.fields().iter().map(column).collect();
        let columns = serde_json::to_string(&columns).expect("columns are texts");
        Ok(format!("{{\"columns\":{columns},\"rows\":[").into_bytes())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
        writer.write(batch)?;
        writer.finish()?;
        let mut array = writer.into_inner();
        // The rows of all batches are one array: its brackets become a comma and nothing.
        array.pop();
        match array.first_mut() {
            Some(bracket) => *bracket = if self.any_rows { b',' } else { b' ' },
            None => return Ok(array),
        }
        self.any_rows = true;
        Ok(array)
    }

    fn end(&mut self, truncated: bool) -> Result<Vec<u8>, ArrowError> {
        Ok(format!("],\"truncated\":{truncated}}}\n").into_bytes())
    }

    fn tells_truncation(&self) -> bool {
        true
    }
}
