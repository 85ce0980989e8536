//! How a table of the catalog is written: a list of rows, and of each column what it holds of a row.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int16Array, Int32Array, StringArray, UInt32Array};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use super::Named;

/// A table that is written column by column, each a function of a row.
pub(super) struct Rows<'a, R> {
    rows: Vec<R>,
    columns: Vec<(&'a str, ArrayRef)>,
}

impl<'a, R> Rows<'a, R> {
    pub(super) fn of(rows: impl IntoIterator<Item = R>) -> Self {
        Self { rows: rows.into_iter().collect(), columns: Vec::new() }
    }

    pub(super) fn text<T: AsRef<str>>(mut self, name: &'a str, of: impl Fn(&R) -> Option<T>) -> Self {
        let values: StringArray = self.rows.iter().map(of).collect();
        self.columns.push((name, Arc::new(values)));
        self
    }

    pub(super) fn oid(mut self, name: &'a str, of: impl Fn(&R) -> u32) -> Self {
        self.columns
            .push((name, Arc::new(self.rows.iter().map(|row| Some(of(row))).collect::<UInt32Array>())));
        self
    }

    pub(super) fn int(mut self, name: &'a str, of: impl Fn(&R) -> Option<i32>) -> Self {
        self.columns.push((name, Arc::new(self.rows.iter().map(of).collect::<Int32Array>())));
        self
    }

    pub(super) fn short(mut self, name: &'a str, of: impl Fn(&R) -> i16) -> Self {
        self.columns
            .push((name, Arc::new(self.rows.iter().map(|row| Some(of(row))).collect::<Int16Array>())));
        self
    }

    pub(super) fn truth(mut self, name: &'a str, of: impl Fn(&R) -> bool) -> Self {
        self.columns
            .push((name, Arc::new(self.rows.iter().map(|row| Some(of(row))).collect::<BooleanArray>())));
        self
    }

    /// Truths that are the same in every row.
    pub(super) fn truths(mut self, names: &[&'a str], truth: bool) -> Self {
        for name in names {
            self = self.truth(name, |_| truth);
        }
        self
    }

    /// Columns that have nothing in any row.
    pub(super) fn nothing(mut self, names: &[&'a str], arrow: &DataType) -> Self {
        for name in names {
            self.columns.push((name, arrow::array::new_null_array(arrow, self.rows.len())));
        }
        self
    }

    pub(super) fn named(self, name: &str) -> Named {
        let batch = RecordBatch::try_from_iter_with_nullable(
            self.columns.into_iter().map(|(name, values)| (name, values, true)),
        );
        (name.to_owned(), batch.expect("every column has a value for each row"))
    }
}

/// The type of lists of texts.
pub(super) fn texts() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}
