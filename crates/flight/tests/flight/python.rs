//! Python's ADBC driver against the server, over TLS and without.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Output};

use flight::{FlightConfig, TlsFiles};
use query::QueryLimits;

use crate::support::{ACME, EVENTS, Lab, SECRET};

/// The interpreter that `WATCHFIRE_PYTHON` names, which has the packages of `.ci/python.txt`.
fn interpreter() -> Option<OsString> {
    let python = std::env::var_os("WATCHFIRE_PYTHON");
    if python.is_none() {
        eprintln!("skipped: WATCHFIRE_PYTHON is not set");
    }
    python
}

async fn run(python: &OsStr, script: &str, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flight/python").join(script);
    let mut run = Command::new(python);
    run.arg(script).args(arguments);
    let ran = tokio::task::spawn_blocking(move || run.output()).await.unwrap();
    ran.expect("WATCHFIRE_PYTHON names an interpreter")
}

/// What a script says that is to succeed.
async fn said(python: &OsStr, script: &str, arguments: &[&str]) -> String {
    let output = run(python, script, arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let install =
        "install the packages of .ci/python.txt for the interpreter in WATCHFIRE_PYTHON; README.md says how";
    assert!(!errors.contains("ModuleNotFoundError"), "{install}\n{errors}");
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn adbc_asks_looks_up_and_prepares() {
    let Some(python) = interpreter() else { return };
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let told = said(&python, "adbc.py", &[&format!("grpc://{}", lab.address), &token]).await;
    assert!(told.contains(&format!("events {EVENTS}\n")), "{told}");
    assert!(told.contains("password 1\n"), "{told}");
    assert!(told.contains("bound 5\n"), "{told}");
    assert!(told.contains("tables alert_changes alerts coverage events rejects\n"), "{told}");
    assert!(told.contains("column time timestamp[us, tz=UTC]"), "{told}");
    assert!(told.contains("did you mean events?"), "{told}");
    assert!(told.contains("read-only"), "{told}");
    assert!(told.contains("wrong UNAUTHENTICATED"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[tokio::test]
async fn adbc_comes_in_over_tls_and_checks_the_certificate() {
    let Some(python) = interpreter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Some(TlsFiles { certificate: certificate.clone(), key });
    let lab = Lab::with(QueryLimits::default(), FlightConfig { tls, ..FlightConfig::default() }).await;
    let token = lab.token(Some(ACME)).await;
    let uri = format!("grpc+tls://localhost:{}", lab.address.port());
    let told = said(&python, "tls.py", &[&uri, &token, certificate.to_str().unwrap()]).await;
    assert_eq!(told, "trusted 1\nuntrusted refused\n");
}
