//! Functions that make long values of short ones, or compare every letter with every other, with a
//! cap on both.
//!
//! No memory pool counts what a function returns, and no limit of time ends one that is computing.
//! So a batch is handed to the function in pieces of a known cost, and between two pieces it is asked
//! whether to go on. A row that costs too much alone is an error.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

use crate::growth::CONSTANT_BYTES_MAX;
use crate::joined::Joined;
use crate::sizes::value_bytes;
use crate::stoppable::Stop;

/// Steps that one piece may take: a tenth of a second or so.
const STEPS_MAX: usize = 64 * 1024 * 1024;

/// What a row costs at most, from the bytes of its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cost {
    /// Bytes of the value.
    Bytes(fn(&[usize]) -> usize),
    /// Steps to a value that is short.
    Steps(fn(&[usize]) -> usize),
}

/// The cost of a function that has to have a cap.
pub(crate) fn cost_of(function: &str) -> Option<Cost> {
    let bytes: fn(&[usize]) -> usize = match function {
        "concat"
        | "overlay"
        | "make_array"
        | "struct"
        | "named_struct"
        | "map"
        | "array_append"
        | "array_prepend"
        | "array_concat"
        | "array_union"
        | "arrays_zip"
        | Joined::NAME => sum,
        "concat_ws" => |args| sum(args) + first(args) * args.len(),
        "encode" => |args| 2 * sum(args),
        "to_char" => |args| 32 * (sum(args) + 1),
        "string_to_array" => |args| 32 * (sum(args) + 1),
        "replace" => |args| {
            let (text, from, to) = (at(args, 0), at(args, 1), at(args, 2));
            text + (text / from.max(1) + 1).saturating_mul(to)
        },
        "regexp_replace" => |args| (at(args, 0) + 1).saturating_mul(at(args, 2) + 1),
        // A pattern of n bytes has at most n / 2 groups, and each may be the whole text.
        "regexp_match" => |args| (at(args, 0) + 16).saturating_mul(at(args, 1) / 2 + 1),
        // An item counts for 16 bytes at least.
        "array_to_string" => |args| {
            let (items, between) = (at(args, 0), at(args, 1) + at(args, 2));
            2 * items + (items / 16 + 1).saturating_mul(between)
        },
        "array_replace" | "array_replace_n" | "array_replace_all" => |args| {
            let (items, to) = (at(args, 0), at(args, 2));
            items + (items / 16 + 1).saturating_mul(to)
        },
        "levenshtein" => return Some(Cost::Steps(product)),
        "strpos" | "find_in_set" => return Some(Cost::Steps(|args| product(args) / 16)),
        "array_has_all" | "array_has_any" | "array_intersect" | "array_except" => {
            return Some(Cost::Steps(|args| product(args) / 256));
        }
        _ => return None,
    };
    Some(Cost::Bytes(bytes))
}

fn first(args: &[usize]) -> usize {
    at(args, 0)
}

fn at(args: &[usize], index: usize) -> usize {
    args.get(index).copied().unwrap_or(0)
}

fn sum(args: &[usize]) -> usize {
    args.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
}

fn product(args: &[usize]) -> usize {
    args.iter().fold(1, |product, bytes| product.saturating_mul(bytes + 1))
}

/// What a call may make of one batch, and whether to go on.
#[derive(Clone, Debug)]
pub(crate) struct Cap {
    pub(crate) bytes: usize,
    pub(crate) stop: Stop,
}

/// A function with a cap.
pub(crate) struct Capped {
    function: Arc<ScalarUDF>,
    cost: Cost,
    cap: Cap,
}

impl Capped {
    pub(crate) fn around(function: Arc<ScalarUDF>, cost: Cost, cap: Cap) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self { function, cost, cap }))
    }

    pub(crate) fn is(function: &ScalarUDF) -> bool {
        let function: &dyn Any = function.inner().as_ref();
        function.is::<Self>()
    }

    /// Calls the function for these rows only.
    fn invoke(&self, args: &ScalarFunctionArgs, rows: Range<usize>) -> Result<ColumnarValue> {
        let piece = |arg: &ColumnarValue| match arg {
            ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(rows.start, rows.len())),
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
        };
        self.function.invoke_with_args(ScalarFunctionArgs {
            args: args.args.iter().map(piece).collect(),
            number_rows: rows.len(),
            arg_fields: args.arg_fields.clone(),
            return_field: Arc::clone(&args.return_field),
            config_options: Arc::clone(&args.config_options),
        })
    }

    /// Where to cut the rows, so that no piece costs more than it may.
    fn pieces(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Range<usize>>> {
        let (cost, max) = match self.cost {
            Cost::Bytes(cost) => (cost, self.cap.bytes),
            Cost::Steps(cost) => (cost, STEPS_MAX),
        };
        let mut pieces = Vec::new();
        let (mut start, mut so_far) = (0, 0_usize);
        let mut bytes = vec![0; columns.len()];
        for row in 0..rows {
            for (bytes, column) in bytes.iter_mut().zip(columns) {
                // A constant is a column of one row.
                *bytes = value_bytes(column, row.min(column.len().saturating_sub(1)));
            }
            let this = cost(&bytes);
            if this > max {
                return self.too_much();
            }
            if so_far.saturating_add(this) > max {
                pieces.push(start..row);
                (start, so_far) = (row, 0);
            }
            so_far += this;
        }
        pieces.push(start..rows);
        Ok(pieces)
    }

    fn too_much<T>(&self) -> Result<T> {
        let name = self.name();
        match self.cost {
            Cost::Bytes(_) => {
                exec_err!("{name} makes more than the {} KiB that it may here", self.cap.bytes / 1024)
            }
            Cost::Steps(_) => exec_err!("{name} is not computed for texts as long as these"),
        }
    }
}

impl ScalarUDFImpl for Capped {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = |arg: &ColumnarValue| match arg {
            ColumnarValue::Array(array) => Ok(Arc::clone(array)),
            ColumnarValue::Scalar(value) => value.to_array(),
        };
        let columns = args.args.iter().map(column).collect::<Result<Vec<_>>>()?;
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if constant {
            self.pieces(&columns, 1)?;
            let value = self.function.invoke_with_args(args)?;
            return match &value {
                ColumnarValue::Scalar(value)
                    if value.size() > CONSTANT_BYTES_MAX + size_of::<ScalarValue>() =>
                {
                    exec_err!("{} makes a constant of more than {CONSTANT_BYTES_MAX} bytes", self.name())
                }
                _ => Ok(value),
            };
        }
        let pieces = self.pieces(&columns, args.number_rows)?;
        let mut made = Vec::with_capacity(pieces.len());
        let mut bytes = 0;
        for rows in pieces {
            self.cap.stop.check()?;
            let count = rows.len();
            let piece = self.invoke(&args, rows)?.into_array(count)?;
            bytes += piece.get_array_memory_size();
            made.push(piece);
            if made.len() > 1 && bytes > self.cap.bytes && matches!(self.cost, Cost::Bytes(_)) {
                return self.too_much();
            }
        }
        if let (Some(only), 1) = (made.first(), made.len()) {
            return Ok(ColumnarValue::Array(Arc::clone(only)));
        }
        let made: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&made)?))
    }

    // Not handed on is `simplify`: what a function is simplified to would have no cap.

    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.function.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.function.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}

impl fmt::Debug for Capped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capped").field("function", &self.function).finish_non_exhaustive()
    }
}

impl PartialEq for Capped {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Capped {}

impl Hash for Capped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}
