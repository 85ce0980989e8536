//! Statements that are prepared, given values and run.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use tonic::Code;

use crate::support::{ACME, Client, EVENTS, Lab, RIVAL, fetch, status};

async fn run(client: &mut Client, sql: &str, values: Vec<ArrayRef>) -> Result<Vec<String>, tonic::Status> {
    let mut statement = client.prepare(sql.to_owned(), None).await.map_err(status)?;
    let named = values.into_iter().enumerate().map(|(n, value)| (format!("p{n}"), value));
    statement.set_parameters(RecordBatch::try_from_iter(named).unwrap()).map_err(status)?;
    let info = statement.execute().await.map_err(status)?;
    let rows = fetch(client, info).await?;
    statement.close().await.map_err(status)?;
    Ok(rows)
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

#[tokio::test]
async fn values_stand_where_they_were_meant() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let sql = "SELECT count(*) FROM events WHERE status = $1 AND action = $2";
    let rows = run(&mut client, sql, vec![number(401), text("login")]).await.unwrap();
    assert_eq!(rows, ["5"]);
    let rows = run(&mut client, "SELECT event_id FROM events ORDER BY time LIMIT $1", vec![number(2)]).await;
    assert_eq!(rows.unwrap(), ["evt_acme_0", "evt_acme_1"]);
    let sql = "SELECT count(*) FROM events WHERE time >= $1";
    assert_eq!(run(&mut client, sql, vec![text("2026-03-14T09:27:00Z")]).await.unwrap(), ["93"]);
}

#[tokio::test]
async fn a_value_does_not_reach_over_the_wall() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let sql = "SELECT count(*) AS n FROM events WHERE tenant = $1 OR $1 = 'x'";
    for value in [RIVAL, "x' OR tenant <> '", "') OR (tenant LIKE '%"] {
        assert_eq!(run(&mut client, sql, vec![text(value)]).await.unwrap(), ["0"], "{value}");
    }
    assert_eq!(run(&mut client, sql, vec![text("x")]).await.unwrap(), [EVENTS.to_string()]);
}

#[tokio::test]
async fn what_is_wrong_with_values_is_said() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let sql = "SELECT 1 FROM events WHERE status = $1";
    for (values, told) in [
        (vec![text("many")], "$1 is no Int"),
        (vec![number(1), number(2)], "2 values were given, and the statement takes 1"),
        (vec![Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef], "one row of values"),
    ] {
        let refused = run(&mut client, sql, values).await.unwrap_err();
        assert!(refused.message().contains(told), "{refused}");
    }
    let mut unbound = client.prepare(sql.to_owned(), None).await.unwrap();
    let info = unbound.execute().await.unwrap();
    let refused = fetch(&mut client, info).await.unwrap_err();
    assert!(refused.message().contains("there is no value for $1"), "{refused}");
}

#[tokio::test]
async fn a_statement_that_was_closed_is_gone() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let mut statement = client.prepare("SELECT 1 AS x".to_owned(), None).await.unwrap();
    assert_eq!(statement.dataset_schema().unwrap().field(0).name(), "x");
    let info = statement.execute().await.unwrap();
    assert_eq!(fetch(&mut client, info.clone()).await.unwrap(), ["1"]);
    statement.close().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap_err().code(), Code::InvalidArgument);
}
