//! What clients look up before they ask, and what they are told that is wrong.

use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, SqlInfo};
use tonic::Code;

use crate::support::{ACME, Lab, ask, fetch};

#[tokio::test]
async fn there_is_one_catalog_with_one_schema_of_tables() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap(), ["watchfire"]);
    let info = client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap(), ["watchfire public"]);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap(), ["TABLE", "VIEW"]);
    let command = CommandGetTables { table_types: vec!["TABLE".to_owned()], ..CommandGetTables::default() };
    let info = client.get_tables(command).await.unwrap();
    let tables = fetch(&mut client, info).await.unwrap();
    assert!(tables.contains(&"watchfire public events TABLE".to_owned()), "{tables:?}");
    let command = CommandGetTables {
        table_name_filter_pattern: Some("rej%".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(command).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().len(), 1);
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    let told = fetch(&mut client, info).await.unwrap();
    assert!(told.len() == 1 && told[0].contains("Watchfire"), "{told:?}");
    let info = client.get_xdbc_type_info(Default::default()).await.unwrap();
    assert!(fetch(&mut client, info).await.unwrap().iter().any(|kind| kind.starts_with("VARCHAR")));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_and_a_hint() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    for (sql, code, told) in [
        ("SELECT 1 FORM events", Code::InvalidArgument, "at letter"),
        ("SELECT tennant FROM events", Code::InvalidArgument, "at letter 8; did you mean events.tenant?"),
        ("SELECT * FROM evnts", Code::InvalidArgument, "at letter 15; did you mean events?"),
        ("SELECT CAST('x' AS INT)", Code::InvalidArgument, "'x'"),
        ("INSERT INTO events VALUES (1)", Code::PermissionDenied, "read-only"),
        ("DROP TABLE events", Code::PermissionDenied, "read-only"),
        ("COPY events TO '/tmp/x'", Code::PermissionDenied, "read-only"),
    ] {
        let refused = ask(&mut client, sql).await.unwrap_err();
        assert_eq!(refused.code(), code, "{sql}: {refused}");
        assert!(refused.message().contains(told), "{sql}: {refused}");
    }
    let refused = client.execute_update("DELETE FROM events".to_owned(), None).await.unwrap_err();
    let refused = crate::support::status(refused);
    assert_eq!(refused.code(), Code::PermissionDenied);
}
