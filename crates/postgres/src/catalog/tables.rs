//! The tables of the catalog. Those that have rows are written out below; those that never will are a
//! list of names and columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int16Array, Int32Array, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;

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
        vec![information_tables(), information_columns(), information_schemata(), information_views()];
    tables.extend(EMPTY_INFORMATION.iter().map(|(name, columns)| ((*name).to_owned(), empty(columns))));
    tables
}

/// Whether a table of `pg_catalog` never has rows.
pub(super) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(empty, _)| empty.eq_ignore_ascii_case(name))
}

/// Whether `pg_catalog` has a table of this name.
pub(super) fn is_known(name: &str) -> bool {
    const FULL: [&str; 11] = [
        "pg_namespace",
        "pg_class",
        "pg_attribute",
        "pg_type",
        "pg_database",
        "pg_roles",
        "pg_am",
        "pg_settings",
        "pg_description",
        "pg_tables",
        "pg_views",
    ];
    is_empty(name) || FULL.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Tables without rows, with their columns: `o` an oid, `i` a number, `b` a truth, `l` a list of texts,
/// and the others texts.
const EMPTY: &[(&str, &str)] = &[
    (
        "pg_index",
        "indexrelid:o indrelid:o indnatts:i indnkeyatts:i indisunique:b indisprimary:b indisexclusion:b indimmediate:b indisclustered:b indisvalid:b indisready:b indislive:b indisreplident:b indkey:l indclass:l indoption:l indexprs indpred",
    ),
    ("pg_indexes", "schemaname tablename indexname tablespace indexdef"),
    (
        "pg_constraint",
        "oid:o conname connamespace:o contype condeferrable:b condeferred:b convalidated:b conrelid:o contypid:o conindid:o conparentid:o confrelid:o confupdtype confdeltype confmatchtype conislocal:b coninhcount:i connoinherit:b conkey:l confkey:l conbin",
    ),
    ("pg_attrdef", "oid:o adrelid:o adnum:i adbin"),
    (
        "pg_collation",
        "oid:o collname collnamespace:o collowner:o collprovider collisdeterministic:b collencoding:i collcollate collctype colliculocale",
    ),
    ("pg_inherits", "inhrelid:o inhparent:o inhseqno:i inhdetachpending:b"),
    ("pg_policy", "oid:o polname polrelid:o polcmd polpermissive:b polroles:l polqual polwithcheck"),
    ("pg_policies", "schemaname tablename policyname permissive roles:l cmd qual with_check"),
    (
        "pg_statistic_ext",
        "oid:o stxrelid:o stxname stxnamespace:o stxowner:o stxstattarget:i stxkeys:l stxkind:l stxexprs",
    ),
    (
        "pg_publication",
        "oid:o pubname pubowner:o puballtables:b pubinsert:b pubupdate:b pubdelete:b pubtruncate:b pubviaroot:b",
    ),
    ("pg_publication_rel", "oid:o prpubid:o prrelid:o prqual prattrs:l"),
    ("pg_publication_namespace", "oid:o pnpubid:o pnnspid:o"),
    ("pg_publication_tables", "pubname schemaname tablename attnames:l rowfilter"),
    ("pg_subscription", "oid:o subname subdbid:o subowner:o subenabled:b"),
    (
        "pg_trigger",
        "oid:o tgrelid:o tgparentid:o tgname tgfoid:o tgtype:i tgenabled tgisinternal:b tgconstraint:o",
    ),
    ("pg_rewrite", "oid:o rulename ev_class:o ev_type ev_enabled is_instead:b ev_qual ev_action"),
    ("pg_rules", "schemaname tablename rulename definition"),
    (
        "pg_proc",
        "oid:o proname pronamespace:o proowner:o prolang:o procost provariadic:o prokind prosecdef:b proretset:b provolatile pronargs:i prorettype:o proargtypes:l proallargtypes:l proargmodes:l proargnames:l prosrc probin proconfig:l proacl:l proisstrict:b proleakproof:b proparallel prorows",
    ),
    ("pg_language", "oid:o lanname lanowner:o lanispl:b lanpltrusted:b"),
    (
        "pg_operator",
        "oid:o oprname oprnamespace:o oprowner:o oprkind oprleft:o oprright:o oprresult:o oprcode",
    ),
    (
        "pg_opclass",
        "oid:o opcmethod:o opcname opcnamespace:o opcowner:o opcfamily:o opcintype:o opcdefault:b",
    ),
    ("pg_aggregate", "aggfnoid:o aggkind aggnumdirectargs:i"),
    ("pg_cast", "oid:o castsource:o casttarget:o castfunc:o castcontext castmethod"),
    ("pg_conversion", "oid:o conname connamespace:o conowner:o"),
    (
        "pg_range",
        "rngtypid:o rngsubtype:o rngmultitypid:o rngcollation:o rngsubopc:o rngcanonical rngsubdiff",
    ),
    ("pg_enum", "oid:o enumtypid:o enumsortorder:i enumlabel"),
    ("pg_extension", "oid:o extname extowner:o extnamespace:o extrelocatable:b extversion"),
    ("pg_available_extensions", "name default_version installed_version comment"),
    ("pg_depend", "classid:o objid:o objsubid:i refclassid:o refobjid:o refobjsubid:i deptype"),
    ("pg_shdepend", "dbid:o classid:o objid:o objsubid:i refclassid:o refobjid:o deptype"),
    ("pg_shdescription", "objoid:o classoid:o description"),
    ("pg_seclabel", "objoid:o classoid:o objsubid:i provider label"),
    ("pg_shseclabel", "objoid:o classoid:o provider label"),
    (
        "pg_sequence",
        "seqrelid:o seqtypid:o seqstart:i seqincrement:i seqmax:i seqmin:i seqcache:i seqcycle:b",
    ),
    (
        "pg_sequences",
        "schemaname sequencename sequenceowner data_type start_value:i min_value:i max_value:i increment_by:i cycle:b cache_size:i last_value:i",
    ),
    ("pg_matviews", "schemaname matviewname matviewowner tablespace hasindexes:b ispopulated:b definition"),
    ("pg_partitioned_table", "partrelid:o partstrat partnatts:i partdefid:o partattrs:l"),
    ("pg_foreign_table", "ftrelid:o ftserver:o ftoptions:l"),
    ("pg_foreign_server", "oid:o srvname srvowner:o srvfdw:o srvtype srvversion srvacl:l srvoptions:l"),
    ("pg_foreign_data_wrapper", "oid:o fdwname fdwowner:o fdwhandler:o fdwvalidator:o fdwacl:l fdwoptions:l"),
    ("pg_user_mapping", "oid:o umuser:o umserver:o umoptions:l"),
    ("pg_user_mappings", "umid:o srvid:o srvname umuser:o usename umoptions:l"),
    ("pg_tablespace", "oid:o spcname spcowner:o spcacl:l spcoptions:l"),
    ("pg_auth_members", "roleid:o member:o grantor:o admin_option:b"),
    ("pg_db_role_setting", "setdatabase:o setrole:o setconfig:l"),
    ("pg_default_acl", "oid:o defaclrole:o defaclnamespace:o defaclobjtype defaclacl:l"),
    ("pg_event_trigger", "oid:o evtname evtevent evtowner:o evtfoid:o evtenabled evttags:l"),
    ("pg_ts_config", "oid:o cfgname cfgnamespace:o cfgowner:o cfgparser:o"),
    ("pg_ts_dict", "oid:o dictname dictnamespace:o dictowner:o dicttemplate:o dictinitoption"),
    ("pg_locks", "locktype database:o relation:o pid:i mode granted:b"),
    ("pg_stat_activity", "datid:o datname pid:i usesysid:o usename application_name client_addr state query"),
    ("pg_stat_user_tables", "relid:o schemaname relname seq_scan:i n_live_tup:i n_dead_tup:i"),
    ("pg_prepared_xacts", "transaction gid prepared owner database"),
    ("pg_largeobject_metadata", "oid:o lomowner:o lomacl:l"),
];

const EMPTY_INFORMATION: &[(&str, &str)] = &[
    (
        "table_constraints",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type is_deferrable initially_deferred",
    ),
    (
        "key_column_usage",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name ordinal_position:i position_in_unique_constraint:i",
    ),
    (
        "referential_constraints",
        "constraint_catalog constraint_schema constraint_name unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option update_rule delete_rule",
    ),
    (
        "constraint_column_usage",
        "table_catalog table_schema table_name column_name constraint_catalog constraint_schema constraint_name",
    ),
    ("check_constraints", "constraint_catalog constraint_schema constraint_name check_clause"),
    (
        "routines",
        "specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name routine_type data_type",
    ),
    (
        "parameters",
        "specific_catalog specific_schema specific_name ordinal_position:i parameter_mode parameter_name data_type",
    ),
    ("sequences", "sequence_catalog sequence_schema sequence_name data_type"),
    ("triggers", "trigger_catalog trigger_schema trigger_name event_manipulation event_object_table"),
    (
        "role_table_grants",
        "grantor grantee table_catalog table_schema table_name privilege_type is_grantable",
    ),
    ("table_privileges", "grantor grantee table_catalog table_schema table_name privilege_type is_grantable"),
    (
        "column_privileges",
        "grantor grantee table_catalog table_schema table_name column_name privilege_type is_grantable",
    ),
];

fn empty(columns: &str) -> RecordBatch {
    let field = |column: &str| {
        let (name, kind) = column.split_once(':').unwrap_or((column, "t"));
        let arrow = match kind {
            "o" => DataType::UInt32,
            "i" => DataType::Int32,
            "b" => DataType::Boolean,
            "l" => DataType::new_list(DataType::Utf8, true),
            _ => DataType::Utf8,
        };
        Field::new(name, arrow, true)
    };
    RecordBatch::new_empty(Arc::new(Schema::new(columns.split(' ').map(field).collect::<Vec<_>>())))
}

/// A table that is written column by column, each a function of a row.
struct Rows<'a, R> {
    rows: Vec<R>,
    columns: Vec<(&'a str, ArrayRef)>,
}

impl<'a, R> Rows<'a, R> {
    fn of(rows: impl IntoIterator<Item = R>) -> Self {
        Self { rows: rows.into_iter().collect(), columns: Vec::new() }
    }

    fn text<T: AsRef<str>>(mut self, name: &'a str, of: impl Fn(&R) -> Option<T>) -> Self {
        let values: StringArray = self.rows.iter().map(of).collect();
        self.columns.push((name, Arc::new(values)));
        self
    }

    fn oid(mut self, name: &'a str, of: impl Fn(&R) -> u32) -> Self {
        self.columns
            .push((name, Arc::new(self.rows.iter().map(|row| Some(of(row))).collect::<UInt32Array>())));
        self
    }

    fn int(mut self, name: &'a str, of: impl Fn(&R) -> Option<i32>) -> Self {
        self.columns.push((name, Arc::new(self.rows.iter().map(of).collect::<Int32Array>())));
        self
    }

    fn short(mut self, name: &'a str, of: impl Fn(&R) -> i16) -> Self {
        self.columns
            .push((name, Arc::new(self.rows.iter().map(|row| Some(of(row))).collect::<Int16Array>())));
        self
    }

    fn truth(mut self, name: &'a str, of: impl Fn(&R) -> bool) -> Self {
        self.columns
            .push((name, Arc::new(self.rows.iter().map(|row| Some(of(row))).collect::<BooleanArray>())));
        self
    }

    /// Truths that are the same in every row.
    fn truths(mut self, names: &[&'a str], truth: bool) -> Self {
        for name in names {
            self = self.truth(name, |_| truth);
        }
        self
    }

    /// Columns that have nothing in any row.
    fn nothing(mut self, names: &[&'a str], arrow: &DataType) -> Self {
        for name in names {
            self.columns.push((name, arrow::array::new_null_array(arrow, self.rows.len())));
        }
        self
    }

    fn named(self, name: &str) -> Named {
        let batch = RecordBatch::try_from_iter_with_nullable(
            self.columns.into_iter().map(|(name, values)| (name, values, true)),
        );
        (name.to_owned(), batch.expect("every column has a value for each row"))
    }
}

fn texts() -> DataType {
    DataType::new_list(DataType::Utf8, true)
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

fn information_tables() -> Named {
    Rows::of(relations())
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.name))
        .text("table_type", |row| Some(if row.kind == "r" { "BASE TABLE" } else { "VIEW" }))
        .text("is_insertable_into", |_| Some("NO"))
        .named("tables")
}

fn information_columns() -> Named {
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

fn information_schemata() -> Named {
    Rows::of(["pg_catalog", "public", "information_schema"])
        .text("catalog_name", |_| Some(DATABASE))
        .text("schema_name", |name| Some(*name))
        .text("schema_owner", |_| Some(OWNER))
        .named("schemata")
}

fn information_views() -> Named {
    Rows::of(relations().iter().filter(|relation| relation.kind == "v"))
        .text("table_catalog", |_| Some(DATABASE))
        .text("table_schema", |_| Some("public"))
        .text("table_name", |row| Some(row.name))
        .text("view_definition", |row| Some(row.doc))
        .text("is_updatable", |_| Some("NO"))
        .named("views")
}
