//! Prepared statements, as drivers use them.

use crate::client::Client;
use crate::support::{ACME, EVENTS, Lab};

const TEXT: u32 = 25;
const INT8: u32 = 20;
const TIMESTAMPTZ: u32 = 1184;

#[tokio::test]
async fn parameters_come_in_text_and_in_binary() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    let sql = "SELECT count(*) AS n FROM events WHERE status = $1 AND action = $2 LIMIT $3";
    let answer = client.ask(sql, &[INT8, TEXT, INT8], &["401", "login", "5"]).await.unwrap();
    assert_eq!((answer.rows, answer.tags), (vec![vec!["5".to_owned()]], vec!["SELECT 1".to_owned()]));
    client.parse(sql, &[INT8, TEXT, INT8]).await;
    client.bind(1, &[Some(&401_i64.to_be_bytes()), Some(b"login"), Some(&5_i64.to_be_bytes())], 1).await;
    client.execute(0).await;
    let answer = client.sync().await.unwrap();
    assert_eq!(answer.raw[0][0].as_deref(), Some(&5_i64.to_be_bytes()[..]));
}

#[tokio::test]
async fn what_a_statement_takes_and_answers_is_told_before_it_runs() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    client.parse("SELECT time, tenant, status, count(*) AS n FROM events WHERE time > $1 AND tenant = $2 GROUP BY 1, 2, 3", &[]).await;
    client.send(Some(b'D'), b"S\0").await;
    let described = client.sync().await.unwrap();
    assert_eq!(described.parameters, [TIMESTAMPTZ, TEXT]);
    let columns: Vec<(&str, u32)> =
        described.columns.iter().map(|(name, oid)| (name.as_str(), *oid)).collect();
    assert_eq!(columns, [("time", TIMESTAMPTZ), ("tenant", TEXT), ("status", 23), ("n", INT8)]);
    client.bind(0, &[Some(b"2026-03-14T09:28:31Z"), Some(ACME.as_bytes())], 0).await;
    client.execute(0).await;
    assert_eq!(client.sync().await.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn rows_come_as_many_at_a_time_as_are_asked_for() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    client.query("BEGIN").await.unwrap();
    client.parse("SELECT event_id FROM events", &[]).await;
    client.bind(0, &[], 0).await;
    let mut rows = 0;
    let mut rounds = 0;
    loop {
        client.execute(30).await;
        let answer = client.sync().await.unwrap();
        rows += answer.rows.len();
        rounds += 1;
        if !answer.suspended {
            assert_eq!(answer.tags, [format!("SELECT {EVENTS}")]);
            break;
        }
        assert_eq!(answer.rows.len(), 30);
    }
    assert_eq!((rows as i64, rounds), (EVENTS, 4));
    assert_eq!(client.query("COMMIT").await.unwrap().tags, ["COMMIT"]);
}

#[tokio::test]
async fn after_an_error_everything_is_skipped_up_to_sync() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    let refused = client.ask("SELECT nothing FROM nowhere", &[], &[]).await.unwrap_err();
    assert_eq!(refused.code, "42P01");
    assert_eq!(client.ask("SELECT $1 AS x", &[TEXT], &["again"]).await.unwrap().rows, [["again"]]);
    let refused = client.ask("SELECT $1 + 1", &[INT8], &["x"]).await.unwrap_err();
    assert_eq!(refused.code, "22P02");
    let refused = client.ask("SELECT 1; SELECT 2", &[], &[]).await.unwrap_err();
    assert_eq!(refused.code, "42601");
    client.query("BEGIN").await.unwrap();
    client.query("SELECT nothing").await.unwrap_err();
    assert_eq!(client.query("SELECT 1").await.unwrap_err().code, "25P02");
    assert_eq!(client.query("COMMIT").await.unwrap().tags, ["ROLLBACK"]);
    assert_eq!(client.query("").await.unwrap().tags, [""; 0]);
}
