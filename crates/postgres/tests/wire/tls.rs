//! Encryption, for those who ask for it.

use postgres::{PostgresConfig, TlsFiles};
use query::QueryLimits;

use crate::support::Lab;

#[tokio::test]
async fn psql_comes_in_over_tls_and_checks_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Some(TlsFiles { certificate: certificate.clone(), key });
    let lab = Lab::with(QueryLimits::default(), PostgresConfig { tls, ..PostgresConfig::default() }).await;
    let token = lab.token(None).await;
    let target = format!(
        "host=localhost hostaddr=127.0.0.1 port={} dbname=watchfire user=x sslmode=verify-full sslrootcert={}",
        lab.address.port(),
        certificate.display()
    );
    let output = lab.psql_with(&token, &["-X", "-A", "-t", "-d", &target, "-c", r"\conninfo"]).await;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("TLSv1.3"), "{told} {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn who_insists_on_tls_is_told_that_there_is_none() {
    let lab = Lab::new().await;
    let token = lab.token(None).await;
    let target =
        format!("host=127.0.0.1 port={} dbname=watchfire user=x sslmode=require", lab.address.port());
    let output = lab.psql_with(&token, &["-X", "-d", &target, "-c", "SELECT 1"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("server does not support SSL"));
}
