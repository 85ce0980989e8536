//! Functions that clients call when they look into a catalog.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, UInt32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::rows::relations;
use super::tables::OWNER;
use crate::oid::Kind;
use crate::settings;
use crate::startup::DATABASE;

/// The number of a table that is named; the name of one that is numbered.
pub(super) const OID_OF: &str = "wf_regclass_oid";
pub(super) const NAME_OF: &str = "wf_regclass_name";

/// Every function of the catalog.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let fixed = fixed().into_iter().flat_map(|(names, value)| {
        names.split(' ').map(move |name| Function::new(name, value.data_type(), Does::Fixed(value.clone())))
    });
    let privileges = "has_table_privilege has_schema_privilege has_database_privilege has_column_privilege \
                      has_any_column_privilege has_function_privilege has_sequence_privilege has_type_privilege \
                      has_tablespace_privilege has_language_privilege pg_has_role";
    let privileges =
        privileges.split_whitespace().map(|name| Function::new(name, DataType::Boolean, Does::MayRead));
    let others = [
        Function::new("format_type", DataType::Utf8, Does::Text(format_type)),
        Function::new("quote_ident", DataType::Utf8, Does::Text(|args, row| text(args, 0, row).map(quoted))),
        Function::new("current_setting", DataType::Utf8, Does::Text(current_setting)),
        Function::new("obj_description", DataType::Utf8, Does::Text(table_comment)),
        Function::new("col_description", DataType::Utf8, Does::Text(column_comment)),
        Function::new(NAME_OF, DataType::Utf8, Does::Text(table_name)),
        Function::new(OID_OF, DataType::UInt32, Does::OidOf),
        Function::new("to_regclass", DataType::UInt32, Does::OidOf),
    ];
    fixed.chain(privileges).chain(others).map(|function| Arc::new(ScalarUDF::from(function))).collect()
}

/// Functions that answer the same whatever they are asked.
fn fixed() -> Vec<(&'static str, ScalarValue)> {
    let text = |text: &str| ScalarValue::from(text);
    let nothing = ScalarValue::Utf8(None);
    let schemas = ScalarValue::new_list_nullable(&[text("pg_catalog"), text("public")], &DataType::Utf8);
    let version =
        format!("PostgreSQL {} (Watchfire {})", settings::SERVER_VERSION, env!("CARGO_PKG_VERSION"));
    vec![
        ("version", text(&version)),
        ("current_database current_catalog", text(DATABASE)),
        ("current_schema", text("public")),
        ("current_schemas", ScalarValue::List(schemas)),
        ("current_user session_user user current_role pg_get_userbyid", text(OWNER)),
        ("pg_encoding_to_char", text("UTF8")),
        ("pg_size_pretty", text("0 bytes")),
        ("set_config", text("")),
        ("pg_backend_pid pg_my_temp_schema", ScalarValue::from(0_i32)),
        (
            "pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size pg_database_size txid_current",
            ScalarValue::from(0_i64),
        ),
        ("pg_is_in_recovery pg_is_other_temp_schema pg_relation_is_publishable", ScalarValue::from(false)),
        (
            "pg_table_is_visible pg_type_is_visible pg_function_is_visible pg_operator_is_visible \
             pg_collation_is_visible pg_opclass_is_visible pg_conversion_is_visible pg_statistics_obj_is_visible \
             pg_ts_config_is_visible pg_ts_dict_is_visible",
            ScalarValue::from(true),
        ),
        (
            "pg_get_expr pg_get_indexdef pg_get_constraintdef pg_get_viewdef pg_get_ruledef pg_get_triggerdef \
             pg_get_partkeydef pg_get_partition_constraintdef pg_get_serial_sequence pg_get_functiondef \
             pg_get_function_result pg_get_function_arguments pg_get_function_identity_arguments \
             pg_get_statisticsobjdef_columns shobj_description pg_tablespace_location inet_server_addr \
             inet_client_addr",
            nothing,
        ),
    ]
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    signature: Signature,
    answers: DataType,
    does: Does,
}

#[derive(Debug)]
enum Does {
    /// Answers always the same.
    Fixed(ScalarValue),
    /// Whether the privilege that is named last is one to read.
    MayRead,
    /// A table's number from its name.
    OidOf,
    /// A text for each row.
    Text(fn(&[ArrayRef], usize) -> Option<String>),
}

/// No two have the same name.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl std::hash::Hash for Function {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Function {
    fn new(name: &'static str, answers: DataType, does: Does) -> Self {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        Self { name, signature: Signature::one_of(any, Volatility::Stable), answers, does }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.answers.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Does::Fixed(value) = &self.does {
            return Ok(ColumnarValue::Scalar(value.clone()));
        }
        if args.args.is_empty() {
            return exec_err!("{} takes a value", self.name);
        }
        let rows = args.number_rows;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        // Constants alone are one row.
        let rows = arrays.first().map_or(rows, |array| array.len());
        let made: ArrayRef = match &self.does {
            Does::Text(of) => Arc::new((0..rows).map(|row| of(&arrays, row)).collect::<StringArray>()),
            Does::MayRead => Arc::new((0..rows).map(|row| may_read(&arrays, row)).collect::<BooleanArray>()),
            _ => {
                let of = |row| text(&arrays, 0, row).and_then(|name| oid_of(&name));
                Arc::new((0..rows).map(of).collect::<UInt32Array>())
            }
        };
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        match constant && rows == 1 {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)),
            false => Ok(ColumnarValue::Array(made)),
        }
    }
}

fn text(args: &[ArrayRef], index: usize, row: usize) -> Option<String> {
    // One row at a time: what is looked up in a catalog has a few hundred.
    let value = cast(&args.get(index)?.slice(row, 1), &DataType::Utf8).ok()?;
    let value = value.as_string::<i32>();
    value.is_valid(0).then(|| value.value(0).to_owned())
}

fn number(args: &[ArrayRef], index: usize, row: usize) -> Option<u32> {
    let value = cast(&args.get(index)?.slice(row, 1), &DataType::UInt32).ok()?;
    let value = value.as_primitive::<UInt32Type>();
    value.is_valid(0).then(|| value.value(0))
}

fn may_read(args: &[ArrayRef], row: usize) -> Option<bool> {
    let privilege = text(args, args.len().checked_sub(1)?, row)?.to_uppercase();
    let all =
        |privilege: &str| matches!(privilege.trim(), "SELECT" | "USAGE" | "CONNECT" | "MEMBER" | "EXECUTE");
    Some(privilege.split(',').any(all))
}

fn format_type(args: &[ArrayRef], row: usize) -> Option<String> {
    let oid = number(args, 0, row)?;
    let kind = Kind::all().find(|kind| kind.oid() == oid);
    Some(kind.map_or_else(|| "???".to_owned(), Kind::name))
}

fn quoted(name: String) -> String {
    let plain = |(index, letter): (usize, char)| {
        letter.is_ascii_lowercase() || letter == '_' || (index > 0 && letter.is_ascii_digit())
    };
    match !name.is_empty() && name.chars().enumerate().all(plain) {
        true => name,
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn current_setting(args: &[ArrayRef], row: usize) -> Option<String> {
    settings::default(&text(args, 0, row)?).map(str::to_owned)
}

fn table_comment(args: &[ArrayRef], row: usize) -> Option<String> {
    let oid = number(args, 0, row)?;
    relations().iter().find(|relation| relation.oid == oid).map(|relation| relation.doc.to_owned())
}

fn column_comment(args: &[ArrayRef], row: usize) -> Option<String> {
    let (oid, number) = (number(args, 0, row)?, number(args, 1, row)?);
    let relation = relations().iter().find(|relation| relation.oid == oid)?;
    let column = relation.columns.iter().find(|column| u32::try_from(column.number) == Ok(number))?;
    Some(column.doc.to_owned())
}

fn table_name(args: &[ArrayRef], row: usize) -> Option<String> {
    let name = text(args, 0, row)?;
    let by_oid = relations().iter().find(|relation| relation.oid.to_string() == name);
    Some(by_oid.map_or(name, |relation| relation.name.to_owned()))
}

fn oid_of(name: &str) -> Option<u32> {
    let bare = name.rsplit('.').next().unwrap_or_default().trim_matches('"');
    let by_name = relations().iter().find(|relation| relation.name == bare);
    by_name.map(|relation| relation.oid).or_else(|| name.parse().ok())
}
