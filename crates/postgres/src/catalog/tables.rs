//! The tables of the catalog: those of `pg_catalog` that have rows are written out here.

mod columns;
mod empty;
mod information;

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use self::columns::{Rows, texts};
use self::empty::{EMPTY, EMPTY_INFORMATION, empty};
use super::rows::{Attribute, Relation, relations};
use crate::oid::Kind;
use crate::settings;
use crate::startup::DATABASE;

pub(super) const PG_CATALOG_OID: u32 = 11;
pub(super) const PUBLIC_OID: u32 = 2_200;
const INFORMATION_OID: u32 = 13_000;
const DATABASE_OID: u32 = 16_000;
/// Whose everything is.
pub(super) const OWNER: &str = "watchfire";
const OWNER_OID: u32 = 10;
const HEAP_OID: u32 = 2;

type Named = (String, RecordBatch);

/// `pg_catalog`.
pub(super) fn pg_catalog() -> Vec<Named> {
    let mut tables = vec![
        pg_namespace(),
        pg_class(),
        pg_attribute(),
        pg_type(),
        pg_database(),
        pg_roles(),
        pg_am(),
        pg_settings(),
        pg_description(),
        pg_tables(),
        pg_views(),
    ];
    tables.extend(EMPTY.iter().map(|(name, columns)| ((*name).to_owned(), empty(columns))));
    tables
}

/// `information_schema`, with PostgreSQL's names of types.
pub(super) fn information_schema() -> Vec<Named> {
    let mut tables =
        vec![information::tables(), information::columns(), information::schemata(), information::views()];
    tables.extend(EMPTY_INFORMATION.iter().map(|(name, columns)| ((*name).to_owned(), empty(columns))));
    tables
}

/// Whether a table of `pg_catalog` never has rows.
pub(super) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(empty, _)| empty.eq_ignore_ascii_case(name))
}

/// Whether `pg_catalog` has a table of this name.
pub(super) fn is_known(name: &str) -> bool {
    static NAMES: LazyLock<Vec<String>> =
        LazyLock::new(|| pg_catalog().into_iter().map(|(name, _)| name).collect());
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn pg_namespace() -> Named {
    Rows::of([
        (PG_CATALOG_OID, "pg_catalog"),
        (PUBLIC_OID, "public"),
        (INFORMATION_OID, "information_schema"),
    ])
    .oid("oid", |row| row.0)
    .text("nspname", |row| Some(row.1))
    .oid("nspowner", |_| OWNER_OID)
    .nothing(&["nspacl"], &texts())
    .named("pg_namespace")
}

fn pg_class() -> Named {
    Rows::of(relations())
        .oid("oid", |row| row.oid)
        .text("relname", |row| Some(row.name))
        .oid("relnamespace", |_| PUBLIC_OID)
        .oid("reltype", |_| 0)
        .oid("reloftype", |_| 0)
        .oid("relowner", |_| OWNER_OID)
        .oid("relam", |row| if row.kind == "r" { HEAP_OID } else { 0 })
        .oid("relfilenode", |_| 0)
        .oid("reltablespace", |_| 0)
        .int("relpages", |_| Some(0))
        .int("reltuples", |_| Some(-1))
        .oid("reltoastrelid", |_| 0)
        .truths(&["relhasindex", "relisshared"], false)
        .text("relpersistence", |_| Some("p"))
        .text("relkind", |row| Some(row.kind))
        .short("relnatts", |row| i16::try_from(row.columns.len()).unwrap_or(i16::MAX))
        .short("relchecks", |_| 0)
        .truths(&["relhasrules", "relhastriggers", "relhassubclass", "relrowsecurity"], false)
        .truths(&["relforcerowsecurity", "relispartition"], false)
        .truth("relispopulated", |_| true)
        .text("relreplident", |_| Some("d"))
        .oid("relrewrite", |_| 0)
        .nothing(&["relacl", "reloptions"], &texts())
        .nothing(&["relpartbound"], &DataType::Utf8)
        .named("pg_class")
}

/// Every column with its table.
fn attributes() -> impl Iterator<Item = (&'static Relation, &'static Attribute)> {
    relations().iter().flat_map(|relation| relation.columns.iter().map(move |column| (relation, column)))
}

fn pg_attribute() -> Named {
    Rows::of(attributes())
        .oid("attrelid", |row| row.0.oid)
        .text("attname", |row| Some(row.1.name))
        .oid("atttypid", |row| row.1.kind.oid())
        .int("attstattarget", |_| Some(-1))
        .short("attlen", |row| row.1.kind.size())
        .short("attnum", |row| row.1.number)
        .int("attndims", |row| Some(i32::from(matches!(row.1.kind, Kind::Array(_)))))
        .int("atttypmod", |_| Some(-1))
        .truths(&["attbyval", "attnotnull", "atthasdef", "atthasmissing", "attisdropped"], false)
        .text("attalign", |_| Some("i"))
        .text("attstorage", |_| Some("p"))
        .text("attcompression", |_| Some(""))
        .text("attidentity", |_| Some(""))
        .text("attgenerated", |_| Some(""))
        .truth("attislocal", |_| true)
        .int("attinhcount", |_| Some(0))
        .oid("attcollation", |_| 0)
        .nothing(&["attacl", "attoptions", "attfdwoptions"], &texts())
        .nothing(&["attmissingval"], &DataType::Utf8)
        .named("pg_attribute")
}

/// The names that PostgreSQL has for types within.
fn type_name(kind: Kind) -> String {
    let name = match kind {
        Kind::One(scalar) => match Kind::One(scalar).name().as_str() {
            "boolean" => "bool",
            "smallint" => "int2",
            "integer" => "int4",
            "bigint" => "int8",
            "real" => "float4",
            "double precision" => "float8",
            "time without time zone" => "time",
            "timestamp without time zone" => "timestamp",
            "timestamp with time zone" => "timestamptz",
            other => return other.to_owned(),
        },
        Kind::Array(scalar) => return format!("_{}", type_name(Kind::One(scalar))),
    };
    name.to_owned()
}

fn pg_type() -> Named {
    let element = |kind: &Kind| match kind {
        Kind::One(_) => 0,
        Kind::Array(scalar) => Kind::One(*scalar).oid(),
    };
    let array = |kind: &Kind| match kind {
        Kind::One(scalar) => Kind::Array(*scalar).oid(),
        Kind::Array(_) => 0,
    };
    let category = |kind: &Kind| match (kind, type_name(*kind).as_str()) {
        (Kind::Array(_), _) => "A",
        (_, "bool") => "B",
        (_, "text") => "S",
        (_, "date" | "time" | "timestamp" | "timestamptz") => "D",
        (_, "interval") => "T",
        (_, "bytea") => "U",
        _ => "N",
    };
    Rows::of(Kind::all())
        .oid("oid", |kind| kind.oid())
        .text("typname", |kind| Some(type_name(*kind)))
        .oid("typnamespace", |_| PG_CATALOG_OID)
        .oid("typowner", |_| OWNER_OID)
        .short("typlen", |kind| kind.size())
        .truth("typbyval", |kind| kind.size() > 0)
        .text("typtype", |_| Some("b"))
        .text("typcategory", |kind| Some(category(kind)))
        .truths(&["typispreferred", "typnotnull"], false)
        .truth("typisdefined", |_| true)
        .text("typdelim", |_| Some(","))
        .oid("typrelid", |_| 0)
        .oid("typelem", element)
        .oid("typarray", array)
        .text("typinput", |kind| Some(if element(kind) == 0 { "in" } else { "array_in" }))
        .text("typreceive", |kind| Some(if element(kind) == 0 { "recv" } else { "array_recv" }))
        .oid("typbasetype", |_| 0)
        .int("typtypmod", |_| Some(-1))
        .int("typndims", |_| Some(0))
        .oid("typcollation", |_| 0)
        .nothing(&["typdefault"], &DataType::Utf8)
        .nothing(&["typacl"], &texts())
        .named("pg_type")
}

fn pg_database() -> Named {
    Rows::of([DATABASE])
        .oid("oid", |_| DATABASE_OID)
        .text("datname", |name| Some(*name))
        .oid("datdba", |_| OWNER_OID)
        .int("encoding", |_| Some(6))
        .text("datlocprovider", |_| Some("c"))
        .truth("datistemplate", |_| false)
        .truth("datallowconn", |_| true)
        .int("datconnlimit", |_| Some(-1))
        .oid("dattablespace", |_| 0)
        .text("datcollate", |_| Some("C"))
        .text("datctype", |_| Some("C"))
        .nothing(&["daticulocale", "datcollversion"], &DataType::Utf8)
        .nothing(&["datacl"], &texts())
        .named("pg_database")
}

fn pg_roles() -> Named {
    Rows::of([OWNER])
        .oid("oid", |_| OWNER_OID)
        .text("rolname", |name| Some(*name))
        .truths(&["rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"], false)
        .truths(&["rolinherit", "rolcanlogin"], true)
        .int("rolconnlimit", |_| Some(-1))
        .nothing(&["rolpassword", "rolvaliduntil"], &DataType::Utf8)
        .nothing(&["rolconfig"], &texts())
        .named("pg_roles")
}

fn pg_am() -> Named {
    Rows::of(["heap"])
        .oid("oid", |_| HEAP_OID)
        .text("amname", |name| Some(*name))
        .text("amhandler", |_| Some("heap_tableam_handler"))
        .text("amtype", |_| Some("t"))
        .named("pg_am")
}

fn pg_settings() -> Named {
    Rows::of(settings::all())
        .text("name", |row| Some(row.0))
        .text("setting", |row| Some(row.1))
        .text("category", |_| Some("Watchfire"))
        .text("short_desc", |_| Some(""))
        .text("context", |_| Some("internal"))
        .text("vartype", |_| Some("string"))
        .text("source", |_| Some("default"))
        .text("boot_val", |row| Some(row.1))
        .text("reset_val", |row| Some(row.1))
        .nothing(&["unit", "extra_desc", "min_val", "max_val"], &DataType::Utf8)
        .nothing(&["enumvals"], &texts())
        .named("pg_settings")
}

/// What tables and columns mean: clients show it as their comment.
fn pg_description() -> Named {
    let of_tables = relations().iter().map(|relation| (relation.oid, 0, relation.doc));
    let of_columns =
        attributes().map(|(relation, column)| (relation.oid, i32::from(column.number), column.doc));
    Rows::of(of_tables.chain(of_columns))
        .oid("objoid", |row| row.0)
        .oid("classoid", |_| 1_259)
        .int("objsubid", |row| Some(row.1))
        .text("description", |row| Some(row.2))
        .named("pg_description")
}

fn pg_tables() -> Named {
    Rows::of(relations().iter().filter(|relation| relation.kind == "r"))
        .text("schemaname", |_| Some("public"))
        .text("tablename", |row| Some(row.name))
        .text("tableowner", |_| Some(OWNER))
        .truths(&["hasindexes", "hasrules", "hastriggers", "rowsecurity"], false)
        .nothing(&["tablespace"], &DataType::Utf8)
        .named("pg_tables")
}

fn pg_views() -> Named {
    Rows::of(relations().iter().filter(|relation| relation.kind == "v"))
        .text("schemaname", |_| Some("public"))
        .text("viewname", |row| Some(row.name))
        .text("viewowner", |_| Some(OWNER))
        .text("definition", |row| Some(row.doc))
        .named("pg_views")
}
