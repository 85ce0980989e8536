//! Tables that never have rows: nothing that they would list is there. Clients ask for them all the same.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;

/// Tables without rows, with their columns: `o` an oid, `i` a number, `b` a truth, `l` a list of texts,
/// and the others texts.
pub(super) const EMPTY: &[(&str, &str)] = &[
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

/// The same of `information_schema`.
pub(super) const EMPTY_INFORMATION: &[(&str, &str)] = &[
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

/// A table without rows.
pub(super) fn empty(columns: &str) -> RecordBatch {
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
