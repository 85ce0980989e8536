//! Two partners, and every way to ask for the other's rows that we could think of.

use testkit::escapes::Escapes;

use crate::client::Client;
use crate::support::{ACME, EVENTS, Lab, RIVAL, SECRET};

/// What may be asked, and must answer without a word of the other.
const ASKED: &[&str] = &[
    "SELECT * FROM events",
    "SELECT * FROM rejects",
    "SELECT * FROM events WHERE tenant = 'prt_rival'",
    "SELECT * FROM public.events UNION ALL SELECT * FROM watchfire.public.events",
    "WITH events AS (SELECT * FROM events) SELECT * FROM events",
    "WITH pg_class AS (SELECT * FROM events) SELECT * FROM pg_class",
    "WITH pg_policy AS (SELECT * FROM events) SELECT tenant, message FROM pg_policy",
    "SELECT e.* FROM pg_catalog.pg_class c LEFT JOIN events e ON true",
    "SELECT (SELECT max(tenant) FROM events), relname FROM pg_class",
    "SELECT * FROM events WHERE tenant IN (SELECT 'prt_' || 'rival')",
    "SELECT * FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.tenant <> e.tenant)",
    "SELECT array_agg(DISTINCT tenant), max(message) FROM events",
    "SELECT tenant::text, message::varchar FROM events ORDER BY CASE WHEN tenant = 'prt_acme' THEN 1 ELSE 0 END",
    "SELECT * FROM events WHERE CAST(user_ref AS INT) >= 0",
    "SELECT 1 / (status - status) FROM events WHERE tenant = 'prt_rival'",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM pg_catalog.pg_description",
    "SELECT * FROM pg_catalog.pg_stat_activity",
    "SELECT * FROM pg_settings",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information.columns",
    "SELECT * FROM watchfire.information_schema.df_settings",
    "SELECT obj_description('events'::regclass), 'prt'::regclass",
    "EXPLAIN SELECT * FROM events",
    "SHOW COLUMNS FROM events",
    "SHOW TABLES",
    "DESCRIBE events",
    "SET search_path TO prt_other; SELECT * FROM events",
    "BEGIN; SELECT tenant FROM events; COMMIT",
];

/// Statements made up besides.
const MADE_UP: usize = 25;

#[tokio::test]
async fn a_partner_sees_its_own_rows_however_it_asks() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    let mut answered = 0;
    let made_up = Escapes::new(2, ACME, RIVAL, &["events", "rejects"]).take(MADE_UP);
    for sql in ASKED.iter().copied().map(str::to_owned).chain(made_up) {
        let simple = client.query(&sql).await;
        let prepared = client.ask(&sql, &[], &[]).await;
        for told in [simple, prepared] {
            let told = match told {
                Ok(answer) => {
                    answered += 1;
                    format!("{:?}", answer.rows)
                }
                Err(refused) => refused.text,
            };
            let told = told.replace("prt_rival", if sql.contains("prt_rival") { "" } else { "prt_rival" });
            assert!(!told.contains(SECRET), "{sql}: {told}");
        }
    }
    assert!(answered > ASKED.len() + MADE_UP, "most of it can be asked: {answered}");
}

#[tokio::test]
async fn a_parameter_does_not_reach_over_the_wall() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    let sql = "SELECT count(*) AS n FROM events WHERE tenant = $1 OR $1 = 'x'";
    for value in [RIVAL, "x' OR tenant <> '", "') OR (tenant LIKE '%"] {
        assert_eq!(client.ask(sql, &[25], &[value]).await.unwrap().rows, [["0"]], "{value}");
        assert_eq!(client.ask(sql, &[], &[value]).await.unwrap().rows, [["0"]], "{value}");
    }
    let all = client.ask("SELECT count(*) AS n FROM events WHERE $1", &[16], &["true"]).await.unwrap();
    assert_eq!(all.rows, [[EVENTS.to_string()]]);
}

#[tokio::test]
async fn each_sees_as_much_as_its_token_allows() {
    let lab = Lab::new().await;
    for (partner, count) in [(Some(ACME), EVENTS), (Some(RIVAL), EVENTS), (None, 2 * EVENTS)] {
        let token = lab.token(partner).await;
        let answer = lab.answer(&token, "SELECT count(*), min(tenant) FROM events").await;
        assert_eq!(answer, format!("{count}|{}", partner.unwrap_or(ACME)));
    }
}
