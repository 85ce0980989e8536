//! The tables of `information_schema` that have rows.

use arrow::datatypes::DataType;

use super::columns::Rows;
use super::{Named, OWNER, attributes, type_name};
use crate::catalog::rows::relations;
use crate::oid::Kind;
use crate::startup::DATABASE;

pub(super) fn tables() -> Named {
    Rows::of(relations())
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.name))
        .text("table_type", |row| Some(if row.kind == "r" { "BASE TABLE" } else { "VIEW" }))
        .text("is_insertable_into", |_| Some("NO"))
        .named("tables")
}

pub(super) fn columns() -> Named {
    let data_type = |kind: Kind| match kind {
        Kind::One(_) => kind.name(),
        Kind::Array(_) => "ARRAY".to_owned(),
    };
    Rows::of(attributes())
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.0.name))
        .text("column_name", |row| Some(row.1.name))
        .int("ordinal_position", |row| Some(row.1.number.into()))
        .text("is_nullable", |_| Some("YES"))
        .text("data_type", |row| Some(data_type(row.1.kind)))
        .text("udt_catalog", |_| Some(DATABASE))
        .text("udt_schema", |_| Some("pg_catalog"))
        .text("udt_name", |row| Some(type_name(row.1.kind)))
        .text("is_identity", |_| Some("NO"))
        .text("is_generated", |_| Some("NEVER"))
        .text("is_updatable", |_| Some("NO"))
        .nothing(&["character_maximum_length", "character_octet_length"], &DataType::Int32)
        .nothing(&["numeric_precision", "numeric_precision_radix", "numeric_scale"], &DataType::Int32)
        .nothing(&["datetime_precision"], &DataType::Int32)
        .nothing(&["column_default", "generation_expression", "collation_name"], &DataType::Utf8)
        .named("columns")
}

pub(super) fn schemata() -> Named {
    Rows::of(["pg_catalog", "public", "information_schema"])
        .text("catalog_name", |_| Some(DATABASE))
        .text("schema_name", |name| Some(*name))
        .text("schema_owner", |_| Some(OWNER))
        .named("schemata")
}

pub(super) fn views() -> Named {
    Rows::of(relations().iter().filter(|relation| relation.kind == "v"))
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.name))
        .text("view_definition", |row| Some(row.doc))
        .text("is_updatable", |_| Some("NO"))
        .named("views")
}
