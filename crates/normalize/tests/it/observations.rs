//! Which observations a line yields, with which keys, in which partition.

mod deliveries;

use std::sync::Arc;

use event::ids::partition_of;
use event::{EventTime, Observation, ObservationBatch, ObservationKind};

use normalize::{Fingerprinter, Normalizer, Options, Schemas};

use crate::feed::{feed, fingerprinter, normalizer, read};

/// The kinds, outcomes and keys of what a line yields, one text for each.
fn observed(line: &str) -> Vec<String> {
    let read = read(line, None);
    assert_eq!(read.rejects.len(), 0, "{:?}", read.rejects.rows().next());
    let mut seen: Vec<String> = events(&read.observations[0]).map(|row| told(&row)).collect();
    seen.sort();
    seen
}

/// What is told of events, and not of who sent them; what is told of a token twice, once.
fn events(batch: &ObservationBatch) -> impl Iterator<Item = Observation<'_>> {
    let others = [ObservationKind::Source, ObservationKind::TokenOfTenant].map(|kind| Some(kind.code()));
    batch.rows().filter(move |row| !others.contains(&row.kind))
}

fn sources(batch: &ObservationBatch) -> Vec<Observation<'_>> {
    batch.rows().filter(|row| row.kind == Some(ObservationKind::Source.code())).collect()
}

fn told(row: &Observation<'_>) -> String {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or("-").to_owned();
    match ObservationKind::from_code(row.kind.unwrap()).unwrap() {
        ObservationKind::Token | ObservationKind::TokenOfTenant => {
            format!("token {} {} {}", text(&row.action), text(&row.outcome), text(&row.src_net))
        }
        ObservationKind::AuthByAccount => {
            let used = if row.key_use.is_some() { " used" } else { "" };
            format!(
                "account {} {} {} {}{used}",
                text(&row.api_key),
                text(&row.user_ref),
                text(&row.outcome),
                text(&row.reason)
            )
        }
        ObservationKind::Access => {
            format!("access {} {} {}", text(&row.user_ref), text(&row.object), row.status.unwrap_or(0))
        }
        ObservationKind::UserUse => {
            format!("user {} at {} {}", text(&row.user_ref), row.src_lat.unwrap(), row.src_lon.unwrap())
        }
        ObservationKind::Signal => format!("signal {} of {}", text(&row.reason), text(&row.entity)),
        ObservationKind::KeyUse => {
            format!("key {} {} {}", text(&row.api_key), text(&row.action), text(&row.outcome))
        }
        ObservationKind::AuthByAddress => format!("address {} {}", text(&row.src_net), text(&row.outcome)),
        ObservationKind::Secret => format!("secret {} in {}", text(&row.reason), text(&row.action)),
        ObservationKind::Probe => format!("probe {} {}", text(&row.src_net), text(&row.reason)),
        ObservationKind::Requests => {
            format!("requests {} {:?} x{}", text(&row.route), row.status.unwrap_or(0), row.count.unwrap())
        }
        ObservationKind::Source => {
            format!("source {} {:?} x{}", text(&row.shipper_id), row.delay_ms, row.count.unwrap())
        }
    }
}

fn partner(event: &str, more: &str) -> String {
    format!(
        r#"{{"v":1,"ts":"2026-03-14T09:30:00Z","event":"{event}","partner_id":"prt_acme","src_ip":"192.0.2.9"{more}}}"#
    )
}

const TOKEN: &str = r#","token_fp":"hmac256:k3:2dedb0c9e14eb74b93ba3e8670b03563""#;
const RAW_TOKEN: &str = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
const HTTP: &str = r#","http":{"method":"POST","path":"/v1/sessions","status":201}"#;

#[test]
fn a_tokens_life_is_told_to_those_who_watch_it() {
    let issued =
        partner("session_token.issued", &format!(r#"{TOKEN}{HTTP},"api_key_id":"key_1","user_ref":"u1""#));
    assert_eq!(
        observed(&issued),
        [
            "account key_1 u1 success - used",
            "address 192.0.2.0/24 success",
            "requests POST /v1/sessions 200 x1",
            "signal token_issued of u1",
            "token session_token.issued success 192.0.2.0/24",
        ]
    );
    let rejected =
        partner("session_token.rejected", &format!(r#"{TOKEN},"user_ref":"u1","reason":"expired""#));
    assert_eq!(
        observed(&rejected),
        [
            "account - u1 failure expired",
            "address 192.0.2.0/24 failure",
            "token session_token.rejected failure 192.0.2.0/24",
        ]
    );
    assert_eq!(observed(&partner("session_token.revoked", TOKEN)).len(), 1);
    assert!(observed(&partner("shipper.heartbeat", "")).is_empty());
}

#[test]
fn a_refused_key_counts_for_the_key_and_its_address() {
    let failed = partner("api_key.auth_failed", r#","api_key_id":"key_9","reason":"revoked""#);
    assert_eq!(observed(&failed), ["account key_9 - failure revoked used", "address 192.0.2.0/24 failure"]);
    let http = r#","api_key_id":"key_9","http":{"method":"GET","path":"/v1/x/42","status":401}"#;
    assert_eq!(
        observed(&partner("api.request", http)),
        ["account key_9 - failure - used", "address 192.0.2.0/24 failure", "requests GET /v1/x/{id} 401 x1"]
    );
    assert_eq!(
        observed(&partner("api.request", &http.replace("401", "403"))),
        ["key key_9 api.request failure", "probe 192.0.2.0/24 -", "requests GET /v1/x/{id} 403 x1"]
    );
    let why = http.replace("401", "403").replace("\"api_key_id\"", "\"reason\":\"wrong_env\",\"api_key_id\"");
    assert_eq!(observed(&partner("api.request", &why)).len(), 4);
}

#[test]
fn a_key_is_used_by_its_holder_and_not_by_whoever_redeems_what_it_was_given() {
    let with = |event: &str, more: &str| {
        let line = partner(event, &format!(r#"{TOKEN},"api_key_id":"key_1"{more}"#));
        observed(&line).into_iter().filter(|told| told.contains("key_1")).collect::<Vec<_>>()
    };
    assert_eq!(with("session_token.redeemed", ""), ["account key_1 - success -"]);
    assert_eq!(with("api_key.revoked", ""), ["key key_1 api_key.revoked success"]);
    assert!(with("csp.violation", "").is_empty());
}

#[test]
fn a_call_for_one_object_is_told_with_its_account() {
    let line = |user: &str, status: u16| {
        format!(
            r#"192.0.2.9 - {user} [14/Mar/2026:09:30:00 +0000] "GET /v1/profiles/usr_90001 HTTP/1.1" {status} 5 "-" "curl""#
        )
    };
    let accounts = |line: &str| -> Vec<String> {
        observed(line).into_iter().filter(|told| told.starts_with("access")).collect()
    };
    assert_eq!(accounts(&line("dana", 403)), ["access dana usr_90001 403"]);
    assert!(accounts(&line("-", 403)).is_empty());
    let read = read(line("dana", 200), None);
    let objects: Vec<_> =
        events(&read.observations[0]).filter_map(|row| row.object.map(|_| row.kind)).collect();
    assert_eq!(objects, [Some(ObservationKind::AuthByAccount.code())]);
}

#[test]
fn an_access_log_tells_of_tokens_and_of_401s() {
    let line = |path: &str, user: &str, status: u16| {
        format!(
            r#"192.0.2.9 - {user} [14/Mar/2026:09:30:00 +0000] "GET {path} HTTP/1.1" {status} 5 "-" "curl""#
        )
    };
    assert_eq!(observed(&line("/a", "-", 200)), ["requests GET /a 200 x1"]);
    assert_eq!(observed(&line("/a", "-", 403)), ["probe 192.0.2.0/24 -", "requests GET /a 403 x1"]);
    let env = observed(&line("/.env", "-", 200));
    assert_eq!(env, ["probe 192.0.2.0/24 sensitive_file", "requests GET /.env 200 x1"]);
    assert_eq!(observed(&line("/a", "-", 401)), ["address 192.0.2.0/24 failure", "requests GET /a 401 x1"]);
    assert_eq!(observed(&line("/a", "dana", 401)).len(), 3);
    assert_eq!(
        observed(&line(&format!("/embed?token={RAW_TOKEN}"), "-", 200)),
        ["requests GET /embed 200 x1", "token token.presented_in_url success 192.0.2.0/24"]
    );
}

#[test]
fn sshd_lines_count_what_was_tried() {
    let line = |message: &str| format!("Mar 14 09:30:00 h sshd[1]: {message}");
    let root = ["account - root failure bad_password", "address 192.0.2.0/24 failure"];
    assert_eq!(observed(&line("Failed password for root from 192.0.2.9 port 22 ssh2")), root);
    let x = ["account - x failure unknown_user", "address 192.0.2.0/24 failure"];
    assert_eq!(observed(&line("Invalid user x from 192.0.2.9")), x);
    assert_eq!(observed(&line("Failed password for invalid user x from 192.0.2.9 port 22 ssh2")), x);
    for silent in [
        "Failed none for invalid user x from 192.0.2.9 port 22 ssh2",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.9  user=root",
        "error: maximum authentication attempts exceeded for root from 192.0.2.9 port 22 ssh2 [preauth]",
        "Connection closed by 192.0.2.9 port 22 [preauth]",
    ] {
        assert!(observed(&line(silent)).is_empty(), "{silent}");
    }
    let read =
        read(line("message repeated 5 times: [ Failed password for root from 192.0.2.9 port 22 ssh2]"), None);
    assert_eq!(read.observations[0].row(0).count, Some(5));
    let often =
        line("message repeated 999999 times: [ Failed password for root from 192.0.2.9 port 22 ssh2]");
    let read = crate::feed::read(often, None);
    assert_eq!(read.observations[0].row(0).count, Some(1_000));
    assert_eq!(read.events.row(0).flags, ["repeated_too_often"]);
}

#[test]
fn what_is_no_token_is_not_watched_as_one() {
    for value in ["REDACTED", "[redacted]", "***", "xxxxxxxx", "<hidden>", "abc"] {
        assert_eq!(observed(&partner("session_token.revoked", &format!(r#","token":"{value}""#))).len(), 0);
        let line = format!(
            r#"192.0.2.9 - - [14/Mar/2026:09:30:00 +0000] "GET /embed?token={value} HTTP/1.1" 200 5 "-" "curl""#
        );
        assert_eq!(observed(&line), ["requests GET /embed 200 x1"], "{value}");
        let both = partner("session_token.revoked", &format!(r#"{TOKEN},"token":"{value}""#));
        assert_eq!(observed(&both).len(), 1, "{value}");
    }
}

#[test]
fn a_payload_cannot_say_how_often_it_counts() {
    let line = partner("api_key.auth_failed", r#","api_key_id":"key_9","repeated":4000000000"#);
    let read = read(&line, None);
    assert_eq!(read.observations[0].row(0).count, None);
}

#[test]
fn requests_are_folded_by_route_minute_and_status() {
    let line = |second: u8, path: &str, status: u16| {
        format!(
            r#"192.0.2.9 - - [14/Mar/2026:09:30:{second:02} +0000] "GET {path} HTTP/1.1" {status} 5 "-" "curl""#
        )
    };
    let lines = [line(1, "/x/11", 200), line(2, "/x/22", 204), line(3, "/x/33", 404), line(59, "/x/44", 201)];
    let later = line(1, "/x/55", 200).replace("09:30", "09:31");
    let read = read([lines.join("\n"), later].join("\n"), None);
    let mut seen: Vec<String> = events(&read.observations[0]).map(|row| told(&row)).collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            "probe 192.0.2.0/24 -",
            "requests GET /x/{id} 200 x1",
            "requests GET /x/{id} 200 x3",
            "requests GET /x/{id} 404 x1"
        ]
    );
    let first = read.observations[0].row(1);
    assert_eq!(first.time.unwrap().to_rfc3339(), "2026-03-14T09:30:00.000Z");
    let of = read.events.row(0);
    let place = (first.kafka_topic, first.kafka_partition, first.kafka_offset, first.kafka_line);
    assert_eq!(place, (of.kafka_topic, of.kafka_partition, of.kafka_offset, of.kafka_line));
    assert!(read.observations[0].row(1).is_of_event());
}

/// A line of an issuer that writes OCSF, which tells of the place of its client.
fn at_a_place(more: &str, place: &str) -> String {
    format!(
        r#"{{"activity_id":1,"class_uid":3002,"time":1773480600000,"status_id":1,"user":{{"uid":"u1"}},"src_endpoint":{{"ip":"192.0.2.9","location":{{"country":"DE"{place}}}}},"metadata":{{"version":"1.8.0","uid":"e1"}}{more}}}"#
    )
}

#[test]
fn a_user_who_is_let_in_from_a_place_that_is_known_is_told_with_it() {
    const PLACE: &str = r#","lat":52.52,"long":13.405"#;
    let users = |line: &str| -> Vec<String> {
        observed(line).into_iter().filter(|told| told.starts_with("user ")).collect()
    };
    assert_eq!(users(&at_a_place("", PLACE)), ["user u1 at 52.52 13.405"]);
    let none: [String; 0] = [];
    assert_eq!(users(&at_a_place("", "")), none, "nobody knows where");
    assert_eq!(users(&at_a_place("", r#","lat":0.0,"long":0.0"#)), none, "zeros are no place");
    assert_eq!(
        users(&at_a_place("", PLACE).replace(r#""status_id":1"#, r#""status_id":2"#)),
        none,
        "refused"
    );
    let key = r#","session":{"credential_uid":"key_1"}"#;
    assert_eq!(users(&at_a_place(key, PLACE)), none, "a server with a key");
}

#[test]
fn every_observation_goes_where_its_key_belongs() {
    let mut normalizer = normalizer(8, &[]);
    for n in 0..60 {
        let more = format!(r#","token_fp":"hmac256:k3:{n:032x}","user_ref":"u{n}"{HTTP}"#);
        let line = partner("session_token.redeemed", &more).replace("192.0.2.9", &format!("10.0.{n}.1"));
        feed(&mut normalizer, n, line.as_bytes(), None);
    }
    let read = normalizer.finish();
    assert_eq!(read.observations.len(), 8);
    for (partition, batch) in read.observations.iter().enumerate() {
        for row in batch.rows() {
            let tenant = row.tenant.as_deref().unwrap();
            let key = match ObservationKind::from_code(row.kind.unwrap()).unwrap() {
                ObservationKind::Token => format!("{tenant}\u{1f}{}", row.token_fp.unwrap()),
                ObservationKind::AuthByAccount | ObservationKind::Access | ObservationKind::UserUse => {
                    format!("{tenant}\u{1f}{}", row.user_ref.unwrap())
                }
                ObservationKind::Signal => format!("{tenant}\u{1f}{}", row.entity.unwrap()),
                ObservationKind::KeyUse => format!("{tenant}\u{1f}{}", row.api_key.unwrap()),
                ObservationKind::AuthByAddress | ObservationKind::Probe => {
                    format!("{tenant}\u{1f}{}", row.src_net.unwrap())
                }
                ObservationKind::Secret => format!("{tenant}\u{1f}{}", row.reason.unwrap()),
                ObservationKind::Requests | ObservationKind::Source | ObservationKind::TokenOfTenant => {
                    tenant.to_owned()
                }
            };
            assert_eq!(partition_of(&key, 8), partition as i32);
        }
    }
}

#[test]
fn a_secret_where_none_belongs_is_told_with_its_place_and_its_fingerprint() {
    let key = "sk_live_Qm9ndXNLZXlGb3JUZXN0czE";
    let line = format!(
        r#"203.0.113.9 - - [14/Mar/2026:09:26:53 +0000] "GET /a?password=hunter2-hunter2 HTTP/1.1" 200 94 "-" "curl/8 {key}""#
    );
    let read = read(&line, None);
    let secrets: Vec<_> = told_of(&read).into_iter().filter(|told| told.starts_with("secret")).collect();
    assert_eq!(secrets, ["secret api_key in user_agent", "secret password in query_redacted"]);
    let rows: Vec<_> = read.observations.iter().flat_map(|batch| batch.rows()).collect();
    let of_key = rows.iter().find(|row| row.reason.as_deref() == Some("api_key")).unwrap();
    assert_eq!(of_key.token_fp.as_deref(), Some(fingerprinter().key(key).as_str()));
    let of_password = rows.iter().find(|row| row.reason.as_deref() == Some("password")).unwrap();
    assert_eq!(of_password.token_fp, None, "a password could be guessed from it");
    assert!(read.events.row(0).observed.unwrap().contains("exposed=api_key:user_agent:hmac256:k1:"));
}

#[test]
fn a_token_that_its_line_is_about_is_not_told_of() {
    let token = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
    for line in [
        format!(
            r#"203.0.113.9 - - [14/Mar/2026:09:26:53 +0000] "GET /embed?token={token} HTTP/1.1" 200 94 "-" "-""#
        ),
        format!(
            r#"{{"v":1,"ts":"2026-03-14T09:26:53.589Z","seq":1,"event":"session_token.redeemed","partner_id":"p","token":"{token}","message":"{token} redeemed"}}"#
        ),
    ] {
        let told = told_of(&read(&line, None));
        assert!(!told.iter().any(|told| told.starts_with("secret")), "{told:?}");
    }
}

fn told_of(read: &normalize::Normalized) -> Vec<String> {
    let mut told: Vec<_> =
        read.observations.iter().flat_map(|batch| batch.rows()).map(|row| told(&row)).collect();
    told.sort();
    told
}

#[test]
fn a_token_on_either_side_of_a_change_of_keys_has_one_name_in_common() {
    let key = |id: &str| Fingerprinter::new(id, b"a pepper for the tests").unwrap();
    // 2026-03-14T09:27:00Z
    let keys = key("k1").with_next(EventTime(1_773_480_420_000), key("k2"));
    let schemas = Arc::new(Schemas::built_in());
    let mut normalizer = Normalizer::new(schemas, keys, Options::default());
    let token = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
    let line = |time: &str, seq: u32| {
        format!(
            r#"{{"v":1,"ts":"2026-03-14T09:{time}Z","seq":{seq},"event":"session_token.redeemed","partner_id":"p","token":"{token}"}}"#
        )
    };
    let record = [line("26:59.999", 1), line("27:00.000", 2)].join("\n");
    feed(&mut normalizer, 7, record.as_bytes(), None);
    let read = normalizer.finish();
    let named: Vec<_> = read.events.rows().map(|row| row.token_fp.unwrap()[8..10].to_owned()).collect();
    assert_eq!(named, ["k1", "k2"]);
    let rows: Vec<_> = read.observations.iter().flat_map(|batch| batch.rows()).collect();
    let tokens: Vec<_> = rows
        .iter()
        .filter(|row| row.kind == Some(ObservationKind::Token.code()))
        .map(|row| (row.token_fp.as_deref().unwrap(), row.rehearsal))
        .collect();
    let (one, two) = (key("k1").token(token), key("k2").token(token));
    assert_eq!(tokens, [(one.as_str(), None), (two.as_str(), Some(1)), (two.as_str(), None)]);
}
