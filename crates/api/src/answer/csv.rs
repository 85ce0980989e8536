//! `text/csv`: RFC 4180, with a header line.
//!
//! Cells hold what attackers wrote: user agents, user names, paths. A spreadsheet takes a cell that begins
//! with `=`, `+`, `-`, `@`, a tab or a line end for a formula and runs it. So such a cell of text gets
//! an apostrophe in front, as OWASP advises; spreadsheets then show it as text. Numbers and times are
//! left as they are. Whoever needs the bytes unchanged asks for another format.

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Encoder;

/// Comma-separated values.
pub(super) struct Csv;

impl Encoder for Csv {
    fn begin(&mut self, schema: &SchemaRef) -> Result<Vec<u8>, ArrowError> {
        let mut line = String::new();
        for (n, field) in schema.fields().iter().enumerate() {
            separate(&mut line, n);
            write_text(&mut line, field.name());
        }
        line.push_str("\r\n");
        Ok(line.into_bytes())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let options = FormatOptions::new().with_display_error(false);
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| {
                Ok((column, ArrayFormatter::try_new(column, &options)?, is_harmless(column.data_type())))
            })
            .collect::<Result<_, ArrowError>>()?;
        let mut lines = String::new();
        for row in 0..batch.num_rows() {
            for (n, (column, formatter, harmless)) in columns.iter().enumerate() {
                separate(&mut lines, n);
                match (column.is_null(row), harmless) {
                    (true, _) => {}
                    (false, true) => lines.push_str(&formatter.value(row).try_to_string()?),
                    (false, false) => write_text(&mut lines, &formatter.value(row).try_to_string()?),
                }
            }
            lines.push_str("\r\n");
        }
        Ok(lines.into_bytes())
    }

    fn end(&mut self, _: bool) -> Result<Vec<u8>, ArrowError> {
        Ok(Vec::new())
    }
}

/// Whether values of this type are written with digits and signs only.
fn is_harmless(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean
}

fn separate(line: &mut String, column: usize) {
    if column > 0 {
        line.push(',');
    }
}

/// A cell of text: neutralized, and in quotes where it needs them. Empty text is `""`, null is nothing.
fn write_text(line: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let quoted = text.is_empty() || formula || text.contains([',', ';', '"', '\r', '\n']);
    if !quoted {
        line.push_str(text);
        return;
    }
    line.push('"');
    if formula {
        line.push('\'');
    }
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}
