use super::*;

const TOKEN: &str = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";

fn fingerprinter() -> Fingerprinter {
    Fingerprinter::new("k1", b"a pepper for the tests").expect("long enough")
}

fn clean(text: &str) -> String {
    redact(text, Text::Prose, &Secrets::default(), &fingerprinter(), |_| {}).into_owned()
}

#[track_caller]
fn gone(text: &str, secret: &str) {
    let cleaned = clean(text);
    assert!(!cleaned.contains(secret), "{cleaned}");
    assert!(suspects(text, Text::Prose), "{text}");
    assert_eq!(clean(&cleaned), cleaned, "once is enough");
}

#[track_caller]
fn stays(text: &str) {
    assert_eq!(clean(text), text);
}

#[test]
fn secrets_are_known_by_their_shape() {
    for text in ["{}", " x{}y ", "\"{}\"", "a/{}/b", "sha256:{}", "{}{}"] {
        gone(&text.replace("{}", TOKEN), TOKEN);
    }
    gone("key sk_live_4eC39HqLyjWDarjtT1 used", "sk_live_4eC39HqLyjWDarjtT1");
    gone("sk_live_4eC39HqLyjWDarjtT1", "4eC39HqLyjWDarjtT1");
    gone("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    gone(&format!("got {JWT}, bad"), "eyJzdWIiOiIxMjM0In0");
    gone("authorization Bearer abcdef123456", "abcdef123456");
    gone("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz");
    gone("ftp://dana:hunter2@example.com/x", "hunter2");
    gone("https://u:p@ss@example.com", "p@ss");
}

#[test]
fn secrets_are_known_by_their_name() {
    gone("GET /embed?token=not-hex-at-all&x=1", "not-hex-at-all");
    gone("/?x=1&api_key=abcdef", "abcdef");
    gone("/maps?key=AIzaSyabc", "AIzaSyabc");
    gone(r#"{"password":"hunter two \" three"}"#, "hunter");
    gone(r#"{"log":"{\"token\":\"abcdefg\",\"a\":1}"}"#, "abcdefg");
    gone("X-Api-Key: abcdefg", "abcdefg");
    gone("Authorization: Custom abc def", "abc def");
    gone("Cookie: a=b; session=xyz", "session=xyz");
    gone("--password=hunter2 --user=dana", "hunter2");
    assert_eq!(clean("a?password=x1&b=2"), "a?password=[redacted]&b=2");
    assert_eq!(clean("/?token=abc&b=2"), format!("/?token={}&b=2", fingerprinter().token("abc")));
}

#[test]
fn two_slashes_excuse_nothing_but_a_url() {
    gone("GET /embed?token=//s3cr3t", "s3cr3t");
    gone("token: //s3cr3t", "s3cr3t");
    gone(r#"{"token":"//s3cr3t"}"#, "s3cr3t");
    gone(r#"token="[redacted] s3cr3t""#, "s3cr3t");
    stays("token://host/path");
}

#[test]
fn prose_in_json_is_looked_through() {
    let text = r#"{"token":"9f2c","message":"login failed, password: hunter2hunter2"}"#;
    assert!(suspects(text, Text::Json));
    assert!(!suspects(r#"{"token":"9f2c","url":"https://x:443/","at":"09:26:53"}"#, Text::Json));
}

#[test]
fn a_percent_encoded_token_has_the_tokens_fingerprint() {
    assert_eq!(clean("/?token=a%2Db"), format!("/?token={}", fingerprinter().token("a-b")));
}

#[test]
fn what_is_no_secret_stays() {
    stays(r#"{"event":"session_token.issued","token_fp":"hmac256:k3:2dedb0c9e14eb74b93ba3e8670b03563"}"#);
    stays(r#"{"api_key_id":"key_live_7Hq2","token":null,"request_id":"5f1d9c0e7b3a4c2d8e6f0a1b2c3d4e5f"}"#);
    stays("Failed password for root from 192.0.2.1 port 22 ssh2");
    stays("basic authentication failed: no token given");
    stays("https://acme.example:443/path?x=1 https://dana@acme.example/");
    stays("https://token://x 14/Mar/2026:09:26:53 +0000");
    stays("COMMAND=/usr/bin/vim ; PWD=/home/ubuntu");
}

#[test]
fn known_secrets_are_found_wherever_they_stand() {
    let mut secrets = Secrets::default();
    secrets.add(Kind::Session, "ses_\"01JPA8YZ11");
    let text = r#"a ses_"01JPA8YZ11 b {"x":"ses_\"01JPA8YZ11"}"#;
    let cleaned = redact(text, Text::Prose, &secrets, &fingerprinter(), |_| {});
    assert!(!cleaned.contains("01JPA8YZ11"), "{cleaned}");
}

#[test]
fn letters_written_as_escapes_hide_nothing() {
    assert_eq!(
        plain_escapes(r#"\u0073k_live_ \/ \x41 \" \\u0073 \ud83d\ude00 \ud800"#),
        "sk_live_ / A \\\" \\\\u0073 😀 \\ud800"
    );
}

#[test]
fn in_torn_json_brackets_behind_a_name_hold_secrets() {
    let text = r#"{"password":["hunter2","x"],"token": {"raw":"abcdef"},"a":["b"]"#;
    let cleaned = redact(text, Text::Torn, &Secrets::default(), &fingerprinter(), |_| {});
    assert!(!cleaned.contains("hunter2") && !cleaned.contains("abcdef") && cleaned.contains(r#""a":["b"]"#));
}

#[test]
fn the_pass_is_linear_in_what_it_reads() {
    for piece in [
        "eyJ",
        "sk_live_",
        "token=",
        "://a",
        "://u:p",
        "@",
        "Bearer ",
        "\\\"",
        "=\"\\",
        "a=",
        "ab0",
        "\"token\":\"",
        "token://",
        "token=//",
        "?token=//",
        "token:\"//",
        "token=\"[redacted]",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let start = std::time::Instant::now();
        clean(&text);
        assert!(start.elapsed().as_secs() < 5, "{piece} took {:?}", start.elapsed());
    }
}
