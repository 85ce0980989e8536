//! Lines and events of other people's products: how much of what others find in them is found, and
//! whether what leaves us is OCSF.
//!
//! The data is not part of this repository; the tests run where `WATCHFIRE_TEST_DATA` names the
//! folder that holds it. `--nocapture` prints the table.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use event::{EventRow, EventTime};
use normalize::Normalized;
use serde_json::Value;

use crate::feed::{feed_at, fingerprinter, normalizer, third_party};

/// What was expected of a format's lines, and what of it was found.
#[derive(Default)]
struct Share {
    lines: usize,
    rejected: usize,
    expected: usize,
    found: usize,
    missed: BTreeMap<String, usize>,
}

fn read_at(payload: &[u8], received: EventTime) -> Normalized {
    let mut normalizer = normalizer(1, &[]);
    feed_at(&mut normalizer, 7, payload, None, received);
    normalizer.finish()
}

/// The columns that hold what CrowdSec's parsers call by these names.
fn expectation(name: &str) -> Option<&'static str> {
    Some(match name {
        "source_ip" => "src_ip",
        "username" | "target_user" | "user" | "source_user" => "user_ref",
        "http_path" => "path",
        "http_status" => "status",
        "http_user_agent" => "user_agent",
        "http_verb" => "method",
        "target_fqdn" => "host",
        "timestamp" => "time",
        _ => return None,
    })
}

/// Whether the column holds it: users that are e-mail addresses as fingerprints, paths without what
/// was redacted, times to the second, without the year where the line has none.
fn holds(row: &EventRow<'_>, column: &str, expected: &str, has_year: bool) -> bool {
    let is = |value: &Option<std::borrow::Cow<'_, str>>, expected: &str| {
        value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case(expected))
    };
    match column {
        "src_ip" => is(&row.src_ip, expected),
        "user_ref" => {
            is(&row.user_ref, expected.trim_matches('\''))
                || is(&row.user_ref, &fingerprinter().fingerprint(expected))
        }
        "path" => holds_path(row, expected),
        "status" => row.status.is_some_and(|status| status.to_string() == expected),
        // `-` is what says that there is none.
        "user_agent" => is(&row.user_agent, expected) || (expected == "-" && row.user_agent.is_none()),
        "method" => is(&row.method, expected),
        "host" => is(&row.host, expected),
        _ => {
            let expected = chrono::DateTime::parse_from_rfc3339(expected).map(|time| time.to_utc());
            let found = row.time.and_then(|time| chrono::DateTime::from_timestamp_millis(time.millis()));
            let (Ok(expected), Some(found)) = (expected, found) else { return false };
            let shape = if has_year { "%Y-%m-%dT%H:%M:%S" } else { "%m-%dT%H:%M:%S" };
            expected.format(shape).to_string() == found.format(shape).to_string()
        }
    }
}

/// The path with its query, but for what was redacted. What was sent instead of a request line is a
/// path for the others, and kept as `request` by us, its bytes unescaped.
fn holds_path(row: &EventRow<'_>, expected: &str) -> bool {
    let Some(path) = row.path.as_deref() else {
        let rest: Value = serde_json::from_str(row.unmapped.as_deref().unwrap_or("{}")).unwrap();
        return rest["request"].as_str().is_some_and(|sent| sent == expected || expected.contains('\\'));
    };
    let query = row.query_redacted.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}") == expected || (!row.redactions.is_empty() && expected.starts_with(path))
}

#[test]
fn of_other_peoples_lines_what_they_find_is_found() {
    let Some(data) = third_party() else { return };
    let lines = std::fs::read_to_string(data.join("crowdsec_parse/lines.jsonl")).unwrap();
    let mut formats: BTreeMap<String, Share> = BTreeMap::new();
    for case in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let share = formats.entry(case["log_type"].as_str().unwrap().to_owned()).or_default();
        // 2026-06-01, later than most of them.
        let read = read_at(case["line"].as_str().unwrap().as_bytes(), EventTime(1_780_272_000_000));
        let row = read.events.rows().next();
        share.lines += 1;
        share.rejected += read.rejects.len();
        let meta = case["expect"]["meta"].as_object().unwrap();
        for (name, expected) in meta {
            let (Some(column), Some(expected)) = (expectation(name), expected.as_str()) else { continue };
            share.expected += 1;
            let has_year = case["year_in_log"].as_bool().unwrap();
            if row.as_ref().is_some_and(|row| holds(row, column, expected, has_year)) {
                share.found += 1;
            } else {
                *share.missed.entry(format!("{name} {expected}")).or_default() += 1;
            }
        }
    }
    print(&formats);
    assert_found(&formats, &["nginx", "nginx-proxy-manager", "syslog", "traefik"]);
}

/// By kind of log: where its events say what a column holds.
const PATHS: [(&str, &[(&str, &str)]); 5] = [
    (
        "AWS.CloudTrail",
        &[
            ("/eventTime", "time"),
            ("/sourceIPAddress", "src_ip"),
            ("/eventName", "action"),
            ("/userAgent", "user_agent"),
        ],
    ),
    (
        "Okta.SystemLog",
        &[
            ("/published", "time"),
            ("/client/ipAddress", "src_ip"),
            ("/eventType", "action"),
            ("/client/userAgent/rawUserAgent", "user_agent"),
            ("/actor/alternateId", "user_ref"),
        ],
    ),
    (
        "Auth0.Events",
        &[("/data/ip", "src_ip"), ("/data/user_agent", "user_agent"), ("/data/user_id", "user_ref")],
    ),
    (
        "Cloudflare.HttpRequest",
        &[
            ("/ClientIP", "src_ip"),
            ("/ClientRequestMethod", "method"),
            ("/ClientRequestHost", "host"),
            ("/ClientRequestPath", "path"),
            ("/ClientRequestUserAgent", "user_agent"),
        ],
    ),
    ("OCSF", &[("/src_endpoint/ip", "src_ip"), ("/metadata/event_code", "action")]),
];

/// The events of a pair's side: one, a list of them, or one as text.
fn events_of(side: &Value) -> Vec<Value> {
    match side {
        Value::Array(events) => events.clone(),
        Value::String(text) => vec![serde_json::from_str(text).unwrap_or_else(|_| side.clone())],
        event => vec![event.clone()],
    }
}

/// Counts what an event's own fields say of its columns.
fn count(share: &mut Share, event: &Value, paths: &[(&str, &str)]) {
    let read = read_at(event.to_string().as_bytes(), EventTime(1_780_272_000_000));
    let row = read.events.rows().next();
    share.lines += 1;
    share.rejected += read.rejects.len();
    // Some come with their keys in small letters, as a warehouse keeps them; the product writes others.
    if event.get("eventtype").is_some() || event.get("eventname").is_some() {
        return;
    }
    for (path, column) in paths {
        let Some(expected) = event.pointer(path).and_then(Value::as_str) else { continue };
        // A service's name, or a word for none, stands where an address would.
        let is_address = expected.parse::<std::net::IpAddr>().is_ok();
        if expected.is_empty() || (*column == "src_ip" && !is_address) {
            continue;
        }
        share.expected += 1;
        let expected = if *column == "time" { expected.replacen(' ', "T", 1) } else { expected.to_owned() };
        let expected =
            if *column == "time" && !expected.ends_with('Z') { format!("{expected}Z") } else { expected };
        let holds = row.as_ref().is_some_and(|row| match *column {
            "action" => row.action.as_deref() == Some(&expected),
            column => holds(row, column, &expected, true),
        });
        if holds {
            share.found += 1;
        } else {
            let why = read.rejects.rows().next().and_then(|reject| reject.detail).unwrap_or_default();
            *share.missed.entry(format!("{path} {expected} {why}")).or_default() += 1;
        }
    }
}

#[test]
fn of_other_peoples_events_what_they_say_is_found() {
    let Some(data) = third_party() else { return };
    let mut formats: BTreeMap<String, Share> = BTreeMap::new();
    let rules = std::fs::read_to_string(data.join("panther/rules.jsonl")).unwrap();
    for rule in rules.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let kinds = rule["log_types"].as_array().cloned().unwrap_or_default();
        let [kind] = &kinds[..] else { continue };
        let Some((name, paths)) = PATHS.iter().find(|(name, _)| kind == name) else { continue };
        for test in rule["tests"].as_array().into_iter().flatten() {
            let event = match &test["log"] {
                Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
                event => event.clone(),
            };
            count(formats.entry((*name).to_owned()).or_default(), &event, paths);
        }
    }
    let pairs = std::fs::read_to_string(data.join("ocsf/pairs_ocsf_examples.jsonl")).unwrap();
    for pair in pairs.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let share = formats.entry("OCSF".to_owned()).or_default();
        events_of(&pair["expected"]).iter().for_each(|event| count(share, event, PATHS[4].1));
    }
    print(&formats);
    assert_found(&formats, &PATHS.map(|(name, _)| name));
}

/// Of formats that Watchfire says it reads, hardly anything is missed.
fn assert_found(formats: &BTreeMap<String, Share>, names: &[&str]) {
    for name in names {
        let share = &formats[*name];
        assert!(100 * share.found >= 98 * share.expected, "{name}: {:?}", share.missed);
    }
}

fn print(formats: &BTreeMap<String, Share>) {
    println!(
        "{:<22}{:>7}{:>10}{:>10}{:>8}{:>8}",
        "format", "lines", "rejected", "expected", "found", "share"
    );
    for (name, share) in formats {
        let percent = 100.0 * share.found as f64 / share.expected.max(1) as f64;
        println!(
            "{name:<22}{:>7}{:>10}{:>10}{:>8}{percent:>7.1}%",
            share.lines, share.rejected, share.expected, share.found
        );
        for (missed, count) in share.missed.iter().take(if share.rejected == share.lines { 0 } else { 12 }) {
            println!("    {count} × {missed}");
        }
    }
}

/// The events of a record as OCSF, one a line.
fn ocsf_lines(read: &Normalized) -> impl Iterator<Item = String> {
    read.events.rows().map(|row| event::ocsf::of_event(&row).to_string())
}

fn assert_valid(data: &Path, lines: &[String]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    lines.iter().for_each(|line| writeln!(file, "{line}").unwrap());
    file.flush().unwrap();
    let validator = data.join("ocsf/ocsf_validate.py");
    let said = Command::new("python3").arg(validator).arg(file.path()).output();
    let said = said.expect("the validator of OCSF needs python3: install it");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    println!("{said}");
    let all = format!("{0} events, {0} valid, 0 invalid\n", lines.len());
    assert!(said.ends_with(&all) && !lines.is_empty(), "{said}");
}

#[test]
fn what_leaves_us_is_valid_ocsf() {
    let Some(data) = third_party() else { return };
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let mut lines = Vec::new();
    let folders = std::fs::read_dir(schemas).unwrap().map(|entry| entry.unwrap().path().join("sample.log"));
    for sample in folders.filter(|sample| sample.exists()) {
        lines.extend(ocsf_lines(&read_at(&std::fs::read(sample).unwrap(), crate::feed::NOW)));
    }
    let others = std::fs::read_to_string(data.join("crowdsec_parse/lines.jsonl")).unwrap();
    for case in others.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let line = case["line"].as_str().unwrap().as_bytes();
        lines.extend(ocsf_lines(&read_at(line, EventTime(1_780_272_000_000))));
    }
    for case in std::fs::read_to_string(data.join("ocsf/pairs_ocsf_examples.jsonl")).unwrap().lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        for event in ["input", "expected"].iter().flat_map(|side| events_of(&case[side])) {
            lines.extend(ocsf_lines(&read_at(event.to_string().as_bytes(), EventTime(1_780_272_000_000))));
        }
    }
    assert_valid(&data, &lines);
}
