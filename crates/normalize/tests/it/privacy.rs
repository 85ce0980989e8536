//! No secret survives: whatever goes in raw comes out nowhere, in no column of any table.

use proptest::prelude::*;

use crate::feed::{everything, fingerprinter, read, read_as};

const TOKEN: &str = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";

#[track_caller]
fn gone(record: &str, secret: &str) {
    assert!(record.contains(secret), "the test puts it in");
    let formats = ["partner", "nginx_combined", "nginx_json", "sshd", "application"].map(Some);
    for format in formats.into_iter().chain([None]) {
        let text = everything(&read(record, format));
        assert!(!text.contains(secret), "{secret} came out of {record} as {format:?}: {text}");
    }
}

/// For what only the line's own source knows to be a secret.
#[track_caller]
fn gone_from_event(record: &str, secret: &str) {
    let read = read(record, None);
    assert_eq!(read.events.len(), 1, "{record}");
    let text = everything(&read);
    assert!(!text.contains(secret), "{secret} came out of {record}: {text}");
}

fn partner(field: &str, value: &str) -> String {
    let value = serde_json::to_string(value).unwrap();
    format!(
        r#"{{"v":1,"ts":"2026-03-14T09:30:00Z","seq":5,"event":"session_token.redeemed","env":"production","partner_id":"prt_acme","{field}":{value}}}"#
    )
}

fn nginx(path: &str, referrer: &str, agent: &str) -> String {
    format!(
        r#"192.0.2.1 - - [14/Mar/2026:09:30:00 +0000] "GET {path} HTTP/1.1" 401 5 "{referrer}" "{agent}""#
    )
}

fn sshd(message: &str) -> String {
    format!("Mar 14 09:30:00 edge-1 sshd[1]: {message}")
}

#[test]
fn a_raw_token_becomes_its_fingerprint_wherever_it_stands() {
    let fingerprint = fingerprinter().token(TOKEN);
    for record in [
        partner("token", TOKEN),
        partner("token_fp", TOKEN),
        nginx(&format!("/embed?token={TOKEN}"), "-", "x"),
    ] {
        gone(&record, TOKEN);
        let read = read(&record, None);
        assert_eq!(read.events.row(0).token_fp.as_deref(), Some(&*fingerprint), "{record}");
    }
}

#[test]
fn a_malformed_token_is_a_secret_all_the_same() {
    for token in [&TOKEN[1..], &TOKEN.to_uppercase(), "eyJhbGciOi", "not a \"token\"", "a\\b\\u0063d"] {
        let record = partner("token", token);
        let text = everything(&read(&record, None));
        let escaped = serde_json::to_string(token).unwrap();
        assert!(!text.contains(token) && !text.contains(escaped.trim_matches('"')), "{text}");
        let read = read(&record, None);
        assert_eq!(read.events.row(0).flags, ["raw_token_received", "malformed_token"]);
        assert_eq!(read.events.row(0).token_fp.as_deref(), Some(&*fingerprinter().token(token)));
    }
}

#[test]
fn a_secret_in_two_fields_is_gone_from_both() {
    let record = partner("token", "malformed-token").replace(
        "}",
        r#","message":"got malformed-token","http":{"method":"GET","path":"/x/malformed-token"}}"#,
    );
    gone(&record, "malformed-token");
}

#[test]
fn letters_written_as_escapes_hide_no_secret() {
    let record = partner("note", "x").replace("\"x\"", r#""\u0073k_live_4eC39HqLyjWDarjtT1""#);
    assert!(!everything(&read(&record, None)).contains("4eC39HqLyjWDarjtT1"));
    let spelt: String = TOKEN.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let record = partner("token", "x").replace("\"x\"", &format!("\"{spelt}\""));
    let text = everything(&read(&record, None));
    assert!(!text.contains(TOKEN) && !text.contains(&spelt[..60]), "{text}");
}

#[test]
fn a_nested_secret_is_found_by_its_name() {
    let record = partner("note", "x").replace(
        "\"x\"",
        r#"{"headers":{"Authorization":"Custom c3VwZXJzZWNyZXQ","accept":"*/*"},"password":["hunter2hunter2"],"pin":{"secret":123456789}}"#,
    );
    for secret in ["c3VwZXJzZWNyZXQ", "hunter2hunter2", "123456789"] {
        gone(&record, secret);
    }
}

#[test]
fn a_password_in_a_message_is_gone() {
    gone(&partner("message", "login failed, password: hunter2hunter2"), "hunter2hunter2");
    gone(&partner("note", "login failed, password : hunter2hunter2"), "hunter2hunter2");
}

#[test]
fn a_secret_in_the_name_of_a_secret_is_gone_from_the_note_that_it_was_taken_out() {
    let read = read(partner("sk_live_4eC39HqLyjWDarjtT1.password", "hunter2hunter2"), None);
    let row = read.events.row(0);
    assert!(
        row.redactions.iter().any(|note| note.starts_with("password:hmac256:k1:")),
        "{:?}",
        row.redactions
    );
    assert!(!everything(&read).contains("4eC39HqLyjWDarjtT1"));
}

#[test]
fn a_secret_that_is_no_whole_word_is_gone_from_the_word() {
    let cef =
        |act: &str| format!("CEF:0|Example|WAF|1.0|100|Denied|5|rt=1773480413589 act={act} dhost=a.example");
    for (act, piece) in [
        // A word ends after 64 letters.
        (format!("bad token {TOKEN}"), &TOKEN[..48]),
        // It has no large ones, and an underscore for what is no letter.
        ("Denied password=Hunter2Hunter2".to_owned(), "hunter2hunter2"),
        ("key AKIAIOSFODNN7EXAMPLE".to_owned(), "akiaiosfodnn7example"),
    ] {
        let read = read(cef(&act), None);
        assert!(read.events.row(0).reason.is_some());
        assert!(!everything(&read).to_lowercase().contains(piece), "{}", everything(&read));
    }
}

#[test]
fn an_email_address_is_gone_from_the_message_around_it() {
    for message in [
        "Failed password for invalid user dana@acme.example from 192.0.2.1 port 22 ssh2",
        "Invalid user a@b.c from 192.0.2.1",
    ] {
        let address = message.split(' ').find(|word| word.contains('@')).unwrap();
        gone_from_event(&sshd(message), address);
    }
    let read = read(sshd("Invalid user a@b.c from 192.0.2.1 port 22"), None);
    assert!(read.events.row(0).raw.unwrap().contains("Invalid user hmac256:k1:"));
}

#[test]
fn a_token_of_a_url_is_gone_from_every_part_of_it() {
    gone_from_event(&nginx("/embed/abcdef-1/x?token=abcdef-1", "-", "x"), "abcdef-1");
    let record =
        partner("http", "").replace("\"\"", r#"{"method":"GET","path":"/a/abcdef-1?token=abcdef-1"}"#);
    gone_from_event(&record, "abcdef-1");
}

#[test]
fn the_hash_of_a_line_is_no_touchstone_for_what_was_taken_out_of_it() {
    use sha2::{Digest, Sha256};
    let plain = |record: &str| Some(<[u8; 32]>::from(Sha256::digest(record)));
    let record = partner("note", "nothing secret");
    assert_eq!(read(&record, None).events.row(0).raw_hash, plain(&record));
    for record in [
        partner("token", TOKEN),
        partner("password", "hunter2"),
        partner("message", "password: hunter2"),
        nginx("/?password=hunter2", "-", "x"),
        sshd("Invalid user dana@acme.example from 192.0.2.1"),
    ] {
        let hash = read(&record, None).events.row(0).raw_hash;
        assert!(hash.is_some() && hash != plain(&record), "{record}");
        assert_eq!(hash, read(&record, None).events.row(0).raw_hash);
    }
    let record = "what is this? password=hunter2";
    assert_ne!(read(record, None).rejects.row(0).raw_hash, plain(record));
}

#[test]
fn a_field_of_secrets_keeps_none_whatever_it_holds() {
    for value in [r#"["malformed-secret"]"#, r#"{"a":"malformed-secret"}"#] {
        for field in ["token_fp", "api_key_fp", "session_id"] {
            let record = partner(field, "").replace("\"\"", value);
            gone_from_event(&record, "malformed-secret");
            let both = record.replace(",\"event\"", &format!(",\"token_fp\":\"{TOKEN}\",\"event\""));
            gone_from_event(&both, "malformed-secret");
        }
        gone_from_event(
            &partner("token", "").replace("\"\"", &format!(r#"{value},"token_fp":"{TOKEN}""#)),
            "malformed-secret",
        );
    }
}

#[test]
fn a_secret_that_a_description_ignores_is_gone_from_the_line() {
    let json = "
about: For the tests.
format: json
time: {from: ts, formats: [rfc3339]}
ignore: [password, headers]
columns: {action: a}
";
    let line = r#"{"ts":"2026-03-14T09:30:00Z","password":"hunter2hunter2","headers":{"authorization":"s3cr3ts3cr3t"}}"#;
    let template = "
about: For the tests.
format: template
template: '$time $password $message'
time: {from: time, formats: [rfc3339]}
ignore: [password]
columns: {message: message}
";
    for (yaml, line) in [(json, line), (template, "2026-03-14T09:30:00Z hunter2hunter2 hello s3cr3t")] {
        let read = read_as(yaml, line);
        assert_eq!(read.events.len(), 1, "{line}");
        let text = everything(&read);
        assert!(!text.contains("hunter2hunter2") && !text.contains("s3cr3ts3cr3t"), "{text}");
    }
}

#[test]
fn a_line_of_nothing_but_secrets_names_some_of_them() {
    let members: Vec<String> = (0..20_000).map(|n| format!("\"k{n}token\":1")).collect();
    let record = partner("note", "x").replace(r#""note":"x""#, &members.join(","));
    let read = read(&record, None);
    let row = read.events.row(0);
    assert_eq!((row.raw, row.redactions.len()), (None, 32));
}

#[test]
fn a_session_is_kept_as_its_fingerprint_only() {
    gone(&partner("session_id", "ses_01JPA8YZ11"), "ses_01JPA8YZ11");
}

#[test]
fn an_email_address_as_user_is_fingerprinted() {
    let written = everything(&read(partner("user_ref", "dana@acme.example"), None));
    assert!(!written.contains("dana@acme.example"), "{written}");
}

#[test]
fn an_email_address_beside_the_users_id_is_fingerprinted() {
    let login = r#"{"id":"e1","time":1773480420004,"type":"LOGIN","realmId":"acme","clientId":"web","userId":"u-1","ipAddress":"203.0.113.24","details":{"username":"dana@acme.example"}}"#;
    let read = read(login, None);
    assert_eq!(read.events.row(0).user_ref.as_deref(), Some("u-1"));
    let written = everything(&read);
    assert!(!written.contains("dana@acme.example"), "{written}");
}

#[test]
fn a_password_that_an_application_writes_into_its_log_is_gone() {
    for line in [
        r#"2026/03/14 09:30:00 [203.0.113.9:53210] authentication for user "pi" with password "raspberry993" rejected"#,
        r#"{"time":"2026-03-14T09:30:00Z","msg":"login failed","ip":"203.0.113.9","user":"pi","password":"raspberry993"}"#,
        "2026-03-14 09:30:00 login failed ip=203.0.113.9 user=pi password=raspberry993",
    ] {
        gone_from_event(line, "raspberry993");
    }
}

#[test]
fn a_reject_keeps_no_secret() {
    gone(&format!("{{\"v\":1,\"event\":1,\"ts\":\"bad\",\"token\":\"{TOKEN}\""), TOKEN);
    for flag in ["F", "P"] {
        let wrapped = r#"2026-03-14T09:26:53.593035218Z stdout F {"a":1,"password":["hunter2hunter2"]"#;
        gone(&wrapped.replace(" F ", &format!(" {flag} ")), "hunter2hunter2");
    }
    gone("what is this? password=hunter2hunter2", "hunter2hunter2");
    gone(r#"{"v":1,"event":"x","ts":"bad","token":"not-hex-at-all","partner_id":"p"}"#, "not-hex-at-all");
}

/// Secrets as they turn up in logs.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{64}",
        "[0-9A-F]{64}",
        "sk_(live|test)_[A-Za-z0-9]{16,24}",
        "whsec_[A-Za-z0-9]{24,32}",
        "eyJ[A-Za-z0-9_-]{12,20}\\.eyJ[A-Za-z0-9_-]{12,20}\\.[A-Za-z0-9_-]{20,30}",
    ]
}

/// Text that may stand around one.
fn around() -> impl Strategy<Value = String> {
    "[ -!#-\\[\\]-~é\u{1F600}]{0,12}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_survives_in_any_column(
        secret in secret(),
        before in around(),
        after in around(),
        field in prop::sample::select(vec![
            "token", "message", "user_agent", "reason", "event", "user_ref", "env", "src_ip", "request_id",
            "api_key_id", "shipper_id", "parent_origin", "note", "authorization", "ts", "partner_id",
        ]),
        place in 0..3_usize,
    ) {
        let text = format!("{before} {secret} {after}");
        let word = secret.clone();
        let mut json = partner("x", "y");
        json = json.replace("\"x\":\"y\"", &format!("\"{field}\":{}", serde_json::to_string(&text).unwrap()));
        let url = [format!("/a?token={word}"), format!("/a/{word}/b"), format!("/?b={word}&c")][place].clone();
        let records = [
            json,
            nginx(&url, "-", "agent"),
            nginx("/", &format!("https://x.example{url}"), "agent"),
            nginx("/", "-", &format!("agent {word} 1.0")),
            sshd(&text),
            sshd(&format!("Failed password for {word} from 192.0.2.1 port 22 ssh2")),
            text.clone(),
        ];
        for record in &records {
            let written = everything(&read(record, None));
            prop_assert!(!written.contains(&secret), "{secret} came out of {record}: {written}");
        }
    }

    #[test]
    fn a_bearer_or_password_survives_nowhere(secret in "[A-Za-z0-9]{12,20}[0-9]") {
        let records = [
            nginx(&format!("/a?password={secret}"), "-", "agent"),
            nginx("/", &format!("https://dana:{secret}@x.example/"), "agent"),
            sshd(&format!("curl -H 'Authorization: Bearer {secret}' https://x.example")),
            partner("note", &format!("Bearer {secret}")),
            partner("note", &format!("{{\"password\":\"{secret}\"}}")),
            partner("x_api_key", &secret),
            partner("webhook_secret", &secret),
        ];
        for record in &records {
            let written = everything(&read(record, None));
            prop_assert!(!written.contains(&secret), "{secret} came out of {record}: {written}");
        }
    }
}
