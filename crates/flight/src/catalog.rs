//! What clients look up before they ask: catalogs, schemas, tables and what the server can do. All of it
//! is the same for everybody.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Command, CommandGetDbSchemas, CommandGetTables, Nullable, Searchable, SqlInfo, XdbcDataType,
};
use query::{QueryEngine, TableDoc};
use tonic::Status;

use crate::error::{malformed, ours, read_only};
use crate::rows::plain;

/// The one catalog there is.
const CATALOG: &str = "watchfire";
/// The one schema in it.
const SCHEMA: &str = "public";
/// Where clients look for what a column means.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";

/// The rows of a command that asks what there is.
pub(crate) fn answer(command: Command) -> Result<RecordBatch, Status> {
    match command {
        Command::CommandGetCatalogs(command) => {
            let mut catalogs = command.into_builder();
            catalogs.append(CATALOG);
            catalogs.build().map_err(asked)
        }
        Command::CommandGetDbSchemas(command) => schemas(command),
        Command::CommandGetTables(command) => tables(command),
        Command::CommandGetTableTypes(command) => {
            let mut kinds = command.into_builder();
            for kind in ["TABLE", "VIEW"] {
                kinds.append(kind);
            }
            kinds.build().map_err(asked)
        }
        Command::CommandGetSqlInfo(command) => command.into_builder(&sql_info()?).build().map_err(asked),
        Command::CommandGetXdbcTypeInfo(command) => command.into_builder(&types()?).build().map_err(asked),
        Command::CommandStatementUpdate(_)
        | Command::CommandStatementIngest(_)
        | Command::CommandPreparedStatementUpdate(_) => Err(read_only()),
        Command::CommandGetPrimaryKeys(_)
        | Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => Err(Status::unimplemented("the tables have no keys")),
        Command::CommandStatementSubstraitPlan(_) => {
            Err(Status::unimplemented("plans are not taken, only SQL"))
        }
        other => Err(malformed(format!("{} is nothing that can be asked for here", other.type_url()))),
    }
}

fn schemas(command: CommandGetDbSchemas) -> Result<RecordBatch, Status> {
    let mut schemas = command.into_builder();
    schemas.append(CATALOG, SCHEMA);
    schemas.build().map_err(asked)
}

fn tables(command: CommandGetTables) -> Result<RecordBatch, Status> {
    let mut tables = command.into_builder();
    for table in QueryEngine::tables_doc() {
        let kind = if table.is_view { "VIEW" } else { "TABLE" };
        tables.append(CATALOG, SCHEMA, table.name, kind, &described(&table)).map_err(asked)?;
    }
    tables.build().map_err(asked)
}

/// A table's columns, each with what it means.
fn described(table: &TableDoc) -> Schema {
    let docs: HashMap<&str, &str> = table.columns.iter().map(|column| (column.name, column.doc)).collect();
    let with_doc = |field: &Arc<Field>| {
        let doc = docs.get(field.name().as_str()).copied().unwrap_or_default();
        field.as_ref().clone().with_metadata([(REMARKS.to_owned(), doc.to_owned())].into())
    };
    Schema::new(plain(&table.schema).fields().iter().map(with_doc).collect::<Vec<_>>())
}

fn sql_info() -> Result<SqlInfoData, Status> {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Watchfire");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    // None: there are no transactions.
    info.append(SqlInfo::FlightSqlServerTransaction, 0_i32);
    info.append(SqlInfo::FlightSqlServerCancel, false);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, false);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    info.build().map_err(ours)
}

fn types() -> Result<XdbcTypeInfoData, Status> {
    use XdbcDataType as X;
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, kind, size, quoted) in [
        ("BIGINT", X::XdbcBigint, 19, false),
        ("INTEGER", X::XdbcInteger, 10, false),
        ("SMALLINT", X::XdbcSmallint, 5, false),
        ("DOUBLE", X::XdbcDouble, 15, false),
        ("BOOLEAN", X::XdbcBit, 1, false),
        ("VARCHAR", X::XdbcVarchar, i32::MAX, true),
        ("DATE", X::XdbcDate, 10, true),
        ("TIMESTAMP", X::XdbcTimestamp, 27, true),
    ] {
        let quote = quoted.then(|| "'".to_owned());
        types.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type: kind,
            column_size: Some(size),
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: kind == X::XdbcVarchar,
            searchable: Searchable::Full,
            sql_data_type: kind,
            ..XdbcTypeInfo::default()
        });
    }
    types.build().map_err(ours)
}

/// What is wrong with a look-up is what it asks for: a pattern that is none.
fn asked(error: FlightError) -> Status {
    malformed(error.to_string())
}
