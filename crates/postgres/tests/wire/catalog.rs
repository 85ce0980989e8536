//! What Grafana and other tools look up before they ask.

use query::QueryEngine;

use crate::client::Client;
use crate::support::{ACME, Lab};

/// Grafana's query builder: version, tables, columns.
const GRAFANA_TABLES: &str = r#"select quote_ident(table_name) as "table" from information_schema.tables
    where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache',
      '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information',
      'timescaledb_experimental')
      and quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )"#;

#[tokio::test]
async fn grafana_finds_version_tables_and_columns() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let version = "SELECT current_setting('server_version_num')::int/100 as version";
    assert_eq!(lab.answer(&token, version).await, "1500");
    let timescale = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'";
    assert_eq!(lab.answer(&token, timescale).await, "");
    let tables = lab.answer(&token, GRAFANA_TABLES).await;
    for table in QueryEngine::tables_doc() {
        assert!(tables.lines().any(|line| line == table.name), "{}: {tables}", table.name);
    }
    let columns = r#"select quote_ident(column_name) as "column", data_type as "type" from information_schema.columns
                     where quote_ident(table_name) = 'events'"#;
    let columns = lab.answer(&token, columns).await;
    assert!(
        columns.contains("time|timestamp with time zone") && columns.contains("tenant|text"),
        "{columns}"
    );
    let series = "SELECT floor(extract(epoch from time)/60)*60 AS \"time\", count(*) AS value FROM events \
                  WHERE time BETWEEN '2026-03-14T00:00:00Z' AND '2026-03-15T00:00:00Z' GROUP BY 1 ORDER BY 1";
    assert_eq!(lab.answer(&token, series).await.lines().count(), 3);
}

#[tokio::test]
async fn what_drivers_look_up_is_answered() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    for (sql, expected) in [
        ("SELECT version()", "PostgreSQL 15.0 (Watchfire"),
        ("SELECT current_database(), current_schema(), current_user", "watchfire|public|watchfire"),
        ("SHOW transaction isolation level", "read committed"),
        ("SHOW server_version", "15.0"),
        (
            "SELECT pg_catalog.format_type(1184, -1), 'events'::regclass::oid = c.oid FROM pg_class c WHERE relname = 'events'",
            "timestamp with time zone|t",
        ),
        (
            "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY (current_schemas(false))",
            "public",
        ),
        ("SELECT t.typname FROM pg_type t WHERE t.oid = 25", "text"),
        ("SELECT col_description('events'::regclass, 1) IS NOT NULL", "t"),
        ("SELECT has_table_privilege('events', 'SELECT'), has_table_privilege('events', 'INSERT')", "t|f"),
        // JDBC's getTables and getColumns, in short.
        (
            "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, d.description AS REMARKS \
             FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c \
             LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 and d.classoid = 'pg_class'::regclass) \
             WHERE c.relnamespace = n.oid AND c.relname LIKE 'rejects'",
            "|public|rejects|",
        ),
        (
            "SELECT a.attname, t.typname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) \
             JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def \
             ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) WHERE c.relname = 'events' AND a.attnum > 0 \
             AND NOT a.attisdropped ORDER BY a.attnum",
            "tenant|text",
        ),
    ] {
        let answer = lab.answer(&token, sql).await;
        assert!(answer.contains(expected), "{sql}: {answer}");
    }
}

#[tokio::test]
async fn the_catalog_says_what_the_tables_are() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    for table in QueryEngine::tables_doc() {
        let answered = client.query(&format!("SELECT * FROM {} LIMIT 0", table.name)).await.unwrap();
        let told = client
            .query(&format!(
                "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = '{}'::regclass ORDER BY attnum",
                table.name
            ))
            .await
            .unwrap();
        let told: Vec<(String, u32)> =
            told.rows.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
        assert_eq!(told, answered.columns, "{}", table.name);
    }
}
