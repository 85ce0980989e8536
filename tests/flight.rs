//! SQL over Arrow Flight SQL, asked with Python's ADBC: two partners, each with its own token.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Home, Server, partner};

/// ADBC, with the interpreter that `WATCHFIRE_PYTHON` names.
struct Adbc(OsString);

impl Adbc {
    fn here() -> Option<Self> {
        let python = std::env::var_os("WATCHFIRE_PYTHON");
        if python.is_none() {
            eprintln!("skipped: WATCHFIRE_PYTHON is not set");
        }
        python.map(Self)
    }

    fn ask(&self, server: &Server, token: &str, sql: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/ask.py");
        let mut ask = Command::new(&self.0);
        ask.arg(script).args([&format!("grpc://{}", server.flight), token, sql]);
        ask.output().expect("WATCHFIRE_PYTHON names an interpreter")
    }

    fn answer(&self, server: &Server, token: &str, sql: &str) -> String {
        let output = self.ask(server, token, sql);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let install = "install the packages of .ci/python.txt for the interpreter in WATCHFIRE_PYTHON; README.md says how";
        assert!(!errors.contains("ModuleNotFoundError"), "{install}\n{errors}");
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

#[test]
fn adbc_shows_each_partner_its_own_rows_and_nothing_of_the_other() {
    let Some(adbc) = Adbc::here() else { return };
    let (mine, theirs) = (partner("mine"), partner("theirs"));
    let mut home = Home::new("[flight]\nlisten = '127.0.0.1:0'\n");
    let mut server = home.start();
    for who in [&mine, &theirs] {
        let line = |n: u32| {
            format!(
                "203.0.113.9 - - [26/Nov/2026:03:14:{n:02} +0000] \"GET /v1/{who}/{n} HTTP/1.1\" 200 5 \"-\" \"curl/8\""
            )
        };
        server.send(who, "edge", &(0..20).map(line).collect::<Vec<_>>());
        server.until_stored(who, 20);
    }
    let of_mine = home.token_for(&mine);
    assert_eq!(
        adbc.answer(&server, &of_mine, "SELECT tenant, count(*) FROM events GROUP BY 1"),
        format!("{mine} 20")
    );
    let wrong = format!("SELECT CAST(tenant AS INT) FROM events WHERE tenant = '{theirs}' OR true");
    let refused = adbc.ask(&server, &of_mine, &wrong);
    let told = String::from_utf8_lossy(&refused.stderr).replace(&wrong, "");
    assert!(told.contains("INVALID_ARGUMENT") && !told.contains(&theirs), "{told}");
    let all = format!("SELECT count(DISTINCT tenant) FROM events WHERE tenant IN ('{mine}', '{theirs}')");
    assert_eq!(adbc.answer(&server, &server.token, &all), "2");
    let metrics = server.get_text("/metrics");
    assert!(metrics.contains("watchfire_flight_statements_total{code=\"OK\"}"), "{metrics}");
    server.stop();
}
