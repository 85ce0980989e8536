//! `fingerprint('raw token')` finds what normalization wrote, and nothing quotes the token.

use event::Scope;

use crate::support::{ACME, Lab, SECRET, scope};

/// A lab whose fingerprints are the text's length, so that they can be told from it.
async fn lab() -> Lab {
    let mut lab = Lab::new().await;
    lab.engine = lab.engine.with_fingerprint(|raw| format!("hmac:{}", raw.len()));
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fingerprint_stands_in_for_the_token() {
    let lab = lab().await;
    let acme = scope(ACME);
    assert_eq!(lab.lines(&acme, "SELECT fingerprint('rival')").await, ["hmac:5"]);
    let found = "SELECT count(*) FROM (SELECT 'hmac:5' AS token) WHERE token = FINGERPRINT('rival')";
    assert_eq!(lab.lines(&acme, found).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_or_error_quotes_the_token() {
    let lab = lab().await;
    for sql in [
        "EXPLAIN SELECT fingerprint('rival') FROM events",
        "SELECT fingerprint('rival') + nothing FROM events",
        "SELECT fingerprint('rival'",
        "SELECT fingerprint('rival') FROM FROM rival",
        "SELECT fingerprint(\"rival\") FROM events",
        "SELECT fingerprint('ri' || 'val') FROM events",
        "SELECT fingerprint('rival', 'rival')",
        "SELECT fingerprint(raw => 'rival')",
        "SELECT CAST(fingerprint('rival') AS INT)",
        "SELECT * FROM fingerprint('rival')",
    ] {
        let told = match lab.engine.query(&Scope::All, sql).await {
            Ok(answer) => format!("{:?} {:?}", answer.schema, lab.lines_or_error(&Scope::All, sql).await),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains(SECRET), "{sql}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pepper_there_are_no_fingerprints() {
    let error = Lab::new().await.ask(&Scope::All, "SELECT fingerprint('rival')").await.err();
    let error = error.expect("there is no pepper").to_string();
    assert!(error.contains("not available") && !error.contains(SECRET), "{error}");
}
