//! SQL over PostgreSQL's protocol, asked with `psql`: two partners, each with its own token.

use std::process::{Command, Output};

use crate::harness::{Home, Server, partner};

/// `psql` against the server; it has to be there.
fn psql(server: &Server, token: &str, arguments: &[&str]) -> Output {
    let (host, port) = server.postgres.rsplit_once(':').expect("the greeting says where it listens");
    let mut psql = Command::new("psql");
    psql.args(["-X", "-A", "-t", "-h", host, "-p", port, "-U", "analyst", "-d", "watchfire"])
        .args(arguments)
        .env("PGPASSWORD", token);
    psql.output().expect("psql runs: install postgresql-client")
}

fn answer(server: &Server, token: &str, command: &str) -> String {
    let output = psql(server, token, &["-c", command]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("ERROR"), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Ways to ask for everything; the first column says whose a row is.
const ASKED: &[&str] = &[
    "SELECT tenant, message FROM events",
    "SELECT tenant, excerpt FROM rejects",
    "SELECT tenant FROM events UNION ALL SELECT tenant FROM public.events",
    "WITH events AS (SELECT * FROM events) SELECT tenant FROM events",
    "WITH pg_policy AS (SELECT * FROM events) SELECT tenant FROM pg_policy",
    "SELECT o.tenant FROM events e JOIN events o ON o.tenant <> e.tenant OR true LIMIT 50",
    "SELECT tenant FROM coverage",
    "SELECT * FROM pg_catalog.pg_stat_activity",
    "SELECT table_name FROM information_schema.tables",
    "SELECT description FROM pg_description",
];

#[test]
fn psql_shows_each_partner_its_own_rows_and_nothing_of_the_other() {
    let (mine, theirs) = (partner("mine"), partner("theirs"));
    let mut home = Home::new("[postgres]\nlisten = '127.0.0.1:0'\n");
    let mut server = home.start();
    for who in [&mine, &theirs] {
        let line = |n: u32| {
            format!(
                "203.0.113.9 - - [26/Nov/2026:03:14:{n:02} +0000] \"GET /v1/{who}/{n} HTTP/1.1\" 200 5 \"-\" \"curl/8\""
            )
        };
        let mut lines: Vec<String> = (0..20).map(line).collect();
        lines.push(format!("no line of any kind, of {who}"));
        server.send(who, "edge", &lines);
        server.until_stored(who, 21);
    }
    let (of_mine, of_theirs) = (home.token_for(&mine), home.token_for(&theirs));
    for sql in ASKED {
        for (token, other) in [(&of_mine, &theirs), (&of_theirs, &mine)] {
            let told = answer(&server, token, sql);
            assert!(!told.contains(other.as_str()), "{sql}: {told}");
        }
    }
    assert!(answer(&server, &of_mine, "SELECT DISTINCT tenant FROM events") == mine);
    let wrong = format!("SELECT CAST(tenant AS INT) FROM events WHERE tenant = '{theirs}' OR true");
    let refused = psql(&server, &of_mine, &["-c", &wrong]);
    let told = String::from_utf8_lossy(&refused.stderr).replace(&wrong, "");
    assert!(told.contains("ERROR") && !told.contains(&theirs), "{told}");
    assert!(answer(&server, &of_mine, r"\d events").contains("time|timestamp with time zone"));
    let all = format!("SELECT count(DISTINCT tenant) FROM events WHERE tenant IN ('{mine}', '{theirs}')");
    assert_eq!(answer(&server, &server.token, &all), "2");
    let metrics = server.get_text("/metrics");
    assert!(metrics.contains("watchfire_postgres_statements_total{code=\"00000\"}"), "{metrics}");
    server.stop();
}
