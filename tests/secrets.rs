//! No secret survives: what went in raw is in no table, topic of ours, file, log line, metric or answer.

use std::path::Path;
use std::process::Stdio;

use kafka::Connection;
use kafka::admin::Place;
use kafka::tail::{Look, Tail};

use crate::harness::{Home, Server, files, partner, watchfire};

/// A secret of each kind, each of its own, so that one that is found says which it was.
const SECRETS: [(&str, &str); 16] = [
    ("token in a field", "a1b3c5d7e9f00122334455667788990aabbccddeeff00112233445566778899a"),
    ("token in a URL", "b2c4d6e8f0a11223344556677889900aabbccddeeff00112233445566778899b"),
    ("token in a referrer", "c3d5e7f9a1b22334455667788990011aabbccddeeff00112233445566778899c"),
    ("token in a message", "d4e6f8a0b2c33445566778899001122aabbccddeeff00112233445566778899d"),
    ("key in a field", "sk_live_Qm9ndXNLZXlGb3JUZXN0czE"),
    ("key in a user agent", "sk_live_Qm9ndXNLZXlGb3JUZXN0czI"),
    ("key in a URL", "rk_live_Qm9ndXNLZXlGb3JUZXN0czM"),
    ("webhook secret", "whsec_Qm9ndXNXZWJob29rU2VjcmV0MQ"),
    ("JWT", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkYW5hIn0.c2lnbmF0dXJlLW9mLXRlc3Rz"),
    ("password", "correct-horse-battery-42"),
    ("password in a URL", "hunter2-but-longer-99"),
    ("authorization", "QmFzaWNDcmVkZW50aWFsczpPZlRlc3Rz"),
    ("cookie", "s%3AqJ8vN2xK5mR7tY1wB4cD6fG9hL3pZ0"),
    ("cloud key", "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPLEKEY"),
    ("GitHub token", "ghp_R2l0SHViVG9rZW5PZlRlc3RzMTIzNDU2Nzg5"),
    ("private key", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"),
];

/// People's data, in fields that a description names.
const PERSONAL: [&str; 2] = ["Dana Kowalski-Testperson", "dana.kowalski@acme.example"];

const MINE: &str = "
about: A source with personal fields.
format: json
recognise: {keys: [mine_ts, person]}
time: {from: mine_ts, formats: [rfc3339]}
personal: {drop: [person.name], fingerprint: [person.mail]}
columns: {action: did, user_ref: person.mail, message: text}
";

fn secret(name: &str) -> &'static str {
    SECRETS.iter().find(|(known, _)| *known == name).expect("there is one").1
}

/// Lines that hold them where people put them, some of which cannot be read.
fn lines() -> Vec<String> {
    let now = chrono::Utc::now();
    let ts = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let clf = now.format("%d/%b/%Y:%H:%M:%S +0000");
    let s = secret;
    vec![
        format!(
            r#"{{"v":1,"ts":"{ts}","seq":1,"event":"session_token.redeemed","env":"production","partner_id":"p","outcome":"success","token":"{}","api_key":"{}","src_ip":"203.0.113.9"}}"#,
            s("token in a field"),
            s("key in a field")
        ),
        format!(
            r#"203.0.113.9 - - [{clf}] "GET /embed/acme?token={} HTTP/1.1" 401 94 "https://shop.example/?session={}" "curl/8 {}""#,
            s("token in a URL"),
            s("token in a referrer"),
            s("key in a user agent")
        ),
        format!(
            r#"203.0.113.9 - - [{clf}] "GET /v1/x?api_key={}&password={} HTTP/1.1" 200 94 "-" "-""#,
            s("key in a URL"),
            s("password in a URL")
        ),
        format!(
            r#"{{"v":1,"ts":"{ts}","seq":2,"event":"api.request","env":"production","partner_id":"p","message":"redeemed {} with {} and \"password\": \"{}\"","headers":{{"authorization":"Basic {}","cookie":"sid={}"}}}}"#,
            s("token in a message"),
            s("JWT"),
            s("password"),
            s("authorization"),
            s("cookie")
        ),
        format!(
            r#"{{"v":1,"ts":"{ts}","seq":3,"event":"webhook.delivered","env":"production","partner_id":"p","config":{{"signing_secret":"{}","aws_secret_access_key":"{}","note":"-----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----"}}}}"#,
            s("webhook secret"),
            s("cloud key"),
            s("private key")
        ),
        format!(
            "{} edge-1 sudo[7]: deploy : COMMAND=/usr/bin/curl -H 'Authorization: token {}' https://api.example",
            now.format("%b %e %H:%M:%S"),
            s("GitHub token")
        ),
        // None of these can be read.
        format!("no format, but token={} and a key {}", s("token in a URL"), s("key in a field")),
        format!(r#"{{"v":1,"ts":"{ts}","event":"api.request","password":"{}""#, s("password")),
        format!(
            r#"{{"v":1,"event":"no.time","partner_id":"p","token":"{}","note":"{}"}}"#,
            s("token in a field"),
            s("JWT")
        ),
        format!(
            r#"{{"mine_ts":"{ts}","did":"login","person":{{"name":"{0}","mail":"{1}"}},"text":"{0} <{1}> logged in"}}"#,
            PERSONAL[0], PERSONAL[1]
        ),
    ]
}

/// What is looked through must hold none of them.
#[track_caller]
fn holds_none(place: &str, bytes: &[u8]) {
    let named = SECRETS.into_iter().chain(PERSONAL.map(|person| ("personal", person)));
    for (name, value) in named {
        let found = memchr::memmem::find(bytes, value.as_bytes());
        assert!(found.is_none(), "{place} holds the {name}: {value}");
    }
}

/// Every record of a topic of ours, as its rows or its bytes.
fn topic(server: &Server, topic: &str) -> Vec<u8> {
    let look = Look { topic, partition: None, uncommitted: true };
    let mut tail = Tail::open(&Connection::new(&server.kafka), look).unwrap();
    tail.begin(Place::First).unwrap();
    let mut everything = Vec::new();
    while let Some(record) = tail.until_end().unwrap() {
        let value = record.value.unwrap_or_default();
        // Batches are compressed: their rows are what is looked through.
        if let Ok((rows, progress)) = event::ipc::decode_observations(&value) {
            everything.extend(format!("{:?}{progress:?}", rows.rows().collect::<Vec<_>>()).into_bytes());
        } else if let Ok(rows) = event::ipc::decode(&value) {
            everything.extend(format!("{:?}", rows.columns()).into_bytes());
        }
        everything.extend(value);
        everything.extend(record.key.unwrap_or_default());
    }
    everything
}

fn prefix(home: &Home) -> String {
    let config = std::fs::read_to_string(home.dir.path().join("watchfire.toml")).unwrap();
    config.split("prefix = '").nth(1).unwrap().split('\'').next().unwrap().to_owned()
}

/// Files that may hold raw logs: the embedded broker's own of partners' topics.
fn is_raw_log(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("logs."))
}

#[test]
fn what_went_in_raw_is_in_nothing_that_a_run_leaves() {
    let partner = partner("secret");
    let mut home = Home::new("");
    let schemas = home.dir.path().join("schemas");
    std::fs::create_dir_all(schemas.join("mine")).unwrap();
    std::fs::write(schemas.join("mine/schema.yaml"), MINE).unwrap();
    let config = home.dir.path().join("watchfire.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("[kafka]", "[kafka]\nocsf = true");
    std::fs::write(&config, format!("{text}\n[normalize]\nschemas_dir = '{}'\n", schemas.display())).unwrap();
    let mut server = home.start();
    let lines = lines();
    server.send(&partner, "mixed", &lines);
    server.until_stored(&partner, lines.len() as i64);

    let events = server.sql(&format!("SELECT * FROM events WHERE tenant = '{partner}'"));
    assert_eq!(events.len(), 7, "{events:#?}");
    let flagged = events.iter().filter(|row| row["redactions"].is_array()).count();
    assert_eq!(flagged, 7, "each of them says what was taken out: {events:#?}");
    holds_none("the table of events", format!("{events:?}").as_bytes());
    for table in ["rejects", "alert_changes", "alerts"] {
        let rows = server.sql(&format!("SELECT * FROM {table} WHERE tenant = '{partner}'"));
        holds_none(table, format!("{rows:?}").as_bytes());
    }
    for event in &events {
        let id = event["event_id"].as_str().unwrap();
        holds_none("an event as OCSF", server.get_text(&format!("/v1/events/{id}")).as_bytes());
    }
    for path in ["/metrics", "/readyz", "/v1/alerts?limit=500"] {
        holds_none(path, server.get_text(path).as_bytes());
    }
    let prefix = prefix(&home);
    for name in ["events", "rejects", "observations", "alerts", "ocsf.events", "ocsf.alerts"] {
        holds_none(&format!("topic {name}"), &topic(&server, &format!("{prefix}.{name}")));
    }
    let ocsf = topic(&server, &format!("{prefix}.ocsf.events"));
    assert!(memchr::memmem::find(&ocsf, b"\"class_uid\":4002").is_some(), "events are there as OCSF");
    let raw = topic(&server, &format!("logs.{partner}.mixed"));
    for (name, value) in SECRETS {
        assert!(memchr::memmem::find(&raw, value.as_bytes()).is_some(), "the {name} went in");
    }
    let printed = server.stop();
    holds_none("standard output", printed.join("\n").as_bytes());
    holds_none("standard error", home.stderr().as_bytes());
    for file in files(&home.data()).iter().filter(|file| !is_raw_log(file)) {
        holds_none(&file.display().to_string(), &std::fs::read(file).unwrap());
    }
}

#[test]
fn what_explain_and_replay_print_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mixed.log");
    let read_by_name: Vec<String> = lines().into_iter().filter(|line| !line.contains("mine_ts")).collect();
    std::fs::write(&log, read_by_name.join("\n")).unwrap();
    for arguments in [
        &["explain"][..],
        &["explain", "--json"],
        &["replay", "--events", "-"],
        &["replay", "--ocsf", "--events", "-"],
        &["replay", "--rejects", "-"],
        &["replay", "--alerts", "-"],
    ] {
        let (command, flags) = arguments.split_first().unwrap();
        let mut run = watchfire();
        run.current_dir(dir.path()).arg(command).arg(&log).args(flags).stdin(Stdio::null());
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(command != &"explain" || !output.stdout.is_empty());
        holds_none(&arguments.join(" "), &output.stdout);
        holds_none(&arguments.join(" "), &output.stderr);
    }
}
