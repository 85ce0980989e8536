//! What a line says ends in the columns it belongs to.

use event::{EventRow, EventTime};

use crate::feed::{NOW, event, feed, feed_at, normalizer, read};

const PARTNER: &str = r#"{"v":1,"ts":"2026-03-14T09:30:00Z","seq":5,"event":"session_token.issued","env":"production","partner_id":"prt_acme","api_key_id":"key_live_7Hq2"}"#;

#[track_caller]
fn check(line: &str, verify: impl FnOnce(EventRow<'_>)) {
    verify(event(line).events.row(0));
}

#[test]
fn the_tenant_is_the_topics_whatever_the_payload_says() {
    check(&PARTNER.replace("prt_acme", "prt_evil"), |row| {
        assert_eq!((row.tenant.as_deref(), row.partner_id.as_deref()), (Some("prt_acme"), Some("prt_evil")));
        assert_eq!(row.flags, ["tenant_mismatch"]);
    });
}

#[test]
fn an_event_far_ahead_has_happened_when_it_came() {
    let line = PARTNER.replace("09:30:00Z", "09:45:00Z");
    let read = event(&line);
    let row = read.events.row(0);
    assert_eq!(row.time, Some(NOW));
    assert_eq!(row.original_time.as_deref(), Some("2026-03-14T09:45:00Z"));
    assert_eq!(row.flags, ["clock_skew"]);
    assert_eq!(read.progress[0].event_time_max, NOW);
    check(&PARTNER.replace("09:30:00Z", "09:39:00Z"), |row| assert_eq!(row.time, Some(NOW + 300_000)));
}

#[test]
fn an_unknown_event_is_kept_and_so_are_unknown_fields() {
    let line = PARTNER
        .replace("session_token.issued", "coffee.brewed")
        .replace("}", r#","cups":3,"who":{"a":"b"}}"#);
    check(&line, |row| {
        assert_eq!(row.action.as_deref(), Some("coffee.brewed"));
        assert_eq!((row.class_uid, row.type_uid), (Some(6003), Some(600399)));
        assert_eq!(row.unmapped.as_deref(), Some(r#"{"cups":3,"who":{"a":"b"}}"#));
    });
}

#[test]
fn a_records_format_goes_before_the_topics_and_that_before_the_lines() {
    let line = "Mar 14 09:30:00 h x: y";
    let mut named = normalizer(1, &[("logs.prt_acme.edge", "partner"), ("edge", "nginx_json")]);
    feed(&mut named, 0, line.as_bytes(), Some("sshd"));
    feed(&mut named, 1, line.as_bytes(), None);
    let read = named.finish();
    assert_eq!(read.events.row(0).source_format.as_deref(), Some("sshd"));
    assert_eq!(read.rejects.row(0).source_format.as_deref(), Some("partner"));
    let mut by_feed = normalizer(1, &[("edge", "sshd")]);
    feed(&mut by_feed, 0, line.as_bytes(), None);
    assert_eq!(by_feed.finish().events.len(), 1);
}

#[test]
fn a_raw_path_never_is_a_route_and_a_url_keeps_no_secret() {
    let line = r#"192.0.2.1 - dana [14/Mar/2026:09:30:00 +0000] "GET /v1/profiles/usr_81273?api_key=abcdefgh HTTP/1.1" 200 5 "-" "curl""#;
    check(line, |row| {
        assert_eq!(row.route.as_deref(), Some("GET /v1/profiles/{id}"));
        assert_eq!(row.path.as_deref(), Some("/v1/profiles/usr_81273"));
        assert!(row.query_redacted.as_deref().unwrap().starts_with("api_key=hmac256:k1:"));
        assert_eq!(row.redactions, ["api_key:query_redacted"]);
        assert_eq!(row.user_ref.as_deref(), Some("dana"));
    });
}

#[test]
fn a_request_that_is_none_is_an_event_all_the_same() {
    let line = r#"192.0.2.1 - - [14/Mar/2026:09:30:00 +0000] "\x16\x03\x01\x02" 400 150 "-" "-""#;
    check(line, |row| {
        assert_eq!((row.method, row.route, row.status), (None, None, Some(400)));
        assert_eq!(row.flags, ["bad_request_line"]);
        assert!(row.unmapped.unwrap().starts_with("{\"request\":"));
    });
    check(&line.replace(r"\x16\x03\x01\x02", ""), |row| {
        assert!(row.flags.is_empty() && row.unmapped.is_none())
    });
}

#[test]
fn a_probe_for_an_open_proxy_is_a_call_of_a_path() {
    let line =
        r#"192.0.2.1 - - [14/Mar/2026:09:30:00 +0000] "GET http://example.com HTTP/1.1" 400 5 "-" "-""#;
    check(line, |row| assert_eq!((row.path.as_deref(), row.query_redacted), (Some("/"), None)));
    check(&line.replace("example.com", "example.com?a=b"), |row| {
        assert_eq!((row.path.as_deref(), row.query_redacted.as_deref()), (Some("/"), Some("a=b")));
    });
    let line = PARTNER.replace("}", r#","http":{"method":"GET","path":"https://x?token=abc"}}"#);
    check(&line, |row| assert_eq!(row.route.as_deref(), Some("GET /")));
}

#[test]
fn a_raw_token_tells_more_than_the_fingerprint_beside_it() {
    let token = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
    let theirs = "hmac256:k3:2dedb0c9e14eb74b93ba3e8670b03563";
    let line = |token: &str| PARTNER.replace("}", &format!(r#","token_fp":"{theirs}","token":"{token}"}}"#));
    check(&line(token), |row| {
        assert_eq!(row.token_fp.as_deref(), Some(&*crate::feed::fingerprinter().token(token)));
        assert_eq!(row.flags, ["raw_token_received"]);
    });
    for (token, flag) in [("not-hex-at-all", "raw_token_received"), ("***", "secret_placeholder")] {
        check(&line(token), |row| {
            assert_eq!((row.token_fp.as_deref(), row.flags), (Some(theirs), vec![flag.into()]));
        });
    }
}

#[test]
fn a_placeholder_is_no_token() {
    check(&PARTNER.replace("}", r#","token":"REDACTED"}"#), |row| {
        assert_eq!((row.token_fp, row.flags), (None, vec!["secret_placeholder".into()]));
    });
}

#[test]
fn a_wrapped_line_of_no_known_source_is_not_taken_for_syslog() {
    let inner =
        r#"{":authority":"api.usesticker.example","method":"GET","start_time":"2026-03-14T09:26:53.589Z"}"#;
    for (flags, reason) in [("F", "unknown_format"), ("P", "partial_line")] {
        let read = read(format!("2026-03-14T09:26:53.593035218Z stdout {flags} {inner}"), None);
        assert_eq!(read.rejects.row(0).reason.as_deref(), Some(reason));
    }
}

#[test]
fn what_the_contract_asks_for_is_flagged_where_it_is_not_met() {
    for (from, to, flag) in [
        (r#""seq":5,"#, "", "missing_seq"),
        (r#""env":"production","#, "", "missing_env"),
        ("production", "staging", "unknown_env"),
        (r#""v":1"#, r#""v":2"#, "unknown_version"),
        (r#""seq":5"#, r#""seq":5,"reason":"because""#, "unknown_reason"),
    ] {
        check(&PARTNER.replace(from, to), |row| assert_eq!(row.flags, [flag], "{to}"));
    }
    check(&PARTNER.replace("production", "staging"), |row| assert_eq!(row.env.as_deref(), Some("staging")));
    let fine = PARTNER.replace(r#""v":1"#, r#""v":"1","reason":"expired""#).replace("production", "sandbox");
    check(&fine, |row| assert!(row.flags.is_empty(), "{:?}", row.flags));
}

#[test]
fn a_link_of_a_chain_is_no_token() {
    let link = "sha256:9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
    check(&PARTNER.replace("}", &format!(r#","chain":"{link}"}}"#)), |row| {
        assert!(row.flags.is_empty() && row.redactions.is_empty(), "{row:?}");
        assert!(row.raw.unwrap().contains(link));
        assert_eq!(row.unmapped.as_deref(), Some(&*format!(r#"{{"chain":"{link}"}}"#)));
    });
}

#[test]
fn a_request_that_is_an_object_is_kept() {
    let line = r#"{"time_iso8601":"2026-03-14T09:30:00Z","remote_addr":"192.0.2.1","status":200,"request":{"method":"GET","headers":{"Authorization":["s3cr3ts3cr3t"]}}}"#;
    check(line, |row| {
        let unmapped = row.unmapped.unwrap();
        assert!(unmapped.starts_with(r#"{"request":{"method":"GET","headers":{"Authorization":["hmac"#));
    });
}

#[test]
fn what_detectors_count_by_is_short() {
    for field in ["user_ref", "api_key_id", "env", "event", "partner_id"] {
        let with = |value: &str| event(PARTNER.replace("}", &format!(r#","{field}":"{value}"}}"#)));
        let value = |tail: &str| format!("{}{tail}", "é".repeat(200));
        let (one, two) = (with(&value("a")), with(&value("b")));
        let of = |row: EventRow<'_>| match field {
            "user_ref" => row.user_ref.unwrap().into_owned(),
            "api_key_id" => row.api_key_id.unwrap().into_owned(),
            "env" => row.env.unwrap().into_owned(),
            "event" => row.action.unwrap().into_owned(),
            _ => row.partner_id.unwrap().into_owned(),
        };
        let (one, two) = (of(one.events.row(0)), of(two.events.row(0)));
        assert!(one.len() <= 256 && one.starts_with("éé") && one != two, "{field}: {one}");
    }
}

#[test]
fn where_the_broker_gives_no_time_the_event_keeps_its_own() {
    for broker_time in [0, -1] {
        let mut normalizer = normalizer(1, &[]);
        feed_at(&mut normalizer, 0, PARTNER.as_bytes(), None, EventTime(broker_time));
        let read = normalizer.finish();
        let row = read.events.row(0);
        assert_eq!(row.time.unwrap().to_rfc3339(), "2026-03-14T09:30:00.000Z");
        assert_eq!((row.ingest_time, row.flags), (None, vec!["ingest_time_unknown".into()]));
        assert_eq!(read.progress[0].broker_time, read.progress[0].event_time_max);
    }
}

#[test]
fn what_follows_the_combined_format_is_kept() {
    let line =
        r#"192.0.2.1 - - [14/Mar/2026:09:30:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl" "10.0.0.1" 0.004"#;
    check(line, |row| assert_eq!(row.unmapped.as_deref(), Some(r#"{"rest":"\"10.0.0.1\" 0.004"}"#)));
}

#[test]
fn nginx_json_may_hold_strings_or_numbers() {
    let line = r#"{"time_iso8601":"2026-03-14T10:30:00+01:00","remote_addr":"::ffff:192.0.2.1","request":"GET /a?b HTTP/2.0","status":429,"request_time":1.5,"remote_user":"-"}"#;
    check(line, |row| {
        assert_eq!(row.time, Some(EventTime(1_773_480_600_000)));
        assert_eq!(
            (row.src_ip.as_deref(), row.status, row.latency_ms),
            (Some("192.0.2.1"), Some(429), Some(1_500))
        );
        assert_eq!((row.path.as_deref(), row.query_redacted.as_deref()), (Some("/a"), Some("b")));
        assert_eq!((row.reason.as_deref(), row.user_ref), (Some("rate_limited"), None));
    });
}

#[test]
fn a_stamp_without_a_year_survives_new_year_and_the_leap_day() {
    for (stamp, broker, expected) in [
        ("Dec 31 23:59:59", "2026-01-01T00:00:05Z", "2025-12-31T23:59:59.000Z"),
        ("Jan  1 00:00:01", "2026-01-01T00:00:05Z", "2026-01-01T00:00:01.000Z"),
        ("Feb 29 10:00:00", "2024-03-01T00:00:00Z", "2024-02-29T10:00:00.000Z"),
        ("Feb 29 10:00:00", "2026-03-01T00:00:00Z", "2024-02-29T10:00:00.000Z"),
    ] {
        // The broker's clock is put into an event's own stamp to have it parsed.
        let broker = event(PARTNER.replace("2026-03-14T09:30:00Z", broker)).events.row(0).time.unwrap();
        let mut normalizer = normalizer(1, &[]);
        let line = format!("{stamp} h sshd[1]: Server listening on 0.0.0.0 port 22.");
        feed_at(&mut normalizer, 0, line.as_bytes(), None, broker);
        let read = normalizer.finish();
        assert_eq!(read.events.row(0).time.unwrap().to_rfc3339(), expected, "{stamp}");
    }
}

#[test]
fn syslog_of_any_program_is_an_event_named_after_it() {
    for (line, action) in [
        ("h CRON[1]: (root) CMD (x)", "syslog.cron"),
        ("h systemd-logind[1]: New session 3 of user dana.", "syslog.systemd-logind"),
        ("h last words", "syslog.other"),
        ("h sudo:   dana : TTY=pts/0 ; PWD=/home ; USER=root ; COMMAND=/bin/ls", "sudo"),
        (
            "h sudo:   dana : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            "sudo",
        ),
        ("h useradd[1]: new user: name=mallory, UID=0, GID=0, home=/, shell=/bin/sh", "user.created"),
    ] {
        check(&format!("Mar 14 09:30:00 {line}"), |row| {
            assert_eq!(row.action.as_deref(), Some(action), "{line}")
        });
    }
}

#[test]
fn sudo_that_says_why_it_refused_has_failed() {
    let asked = "TTY=pts/0 ; PWD=/home ; USER=root ; COMMAND=/bin/ls";
    let more = "TTY=pts/0 ; CHROOT=/x ; PWD=/home ; USER=root ; GROUP=adm ; TSID=00001A ; COMMAND=/bin/ls";
    for (note, outcome, reason) in [
        ("", "success", None),
        ("user NOT in sudoers ; ", "failure", Some("forbidden")),
        ("user NOT authorized on host ; ", "failure", Some("forbidden")),
        ("command not allowed ; ", "failure", Some("forbidden")),
        ("a password is required ; ", "failure", Some("password_required")),
        ("3 incorrect password attempts ; ", "failure", Some("bad_password")),
        ("1 incorrect password attempt ; ", "failure", Some("bad_password")),
        ("no tty present and no askpass program specified ; ", "failure", Some("refused")),
    ] {
        for asked in [asked, more] {
            check(&format!("Mar 14 09:30:00 h sudo:   dana : {note}{asked}"), |row| {
                assert_eq!((row.action.as_deref(), row.user_ref.as_deref()), (Some("sudo"), Some("dana")));
                assert_eq!(
                    (row.outcome.as_deref(), row.reason.as_deref()),
                    (Some(outcome), reason),
                    "{note}"
                );
                assert!(row.unmapped.unwrap().contains(r#""folder":"/home","as_user":"root""#));
            });
        }
    }
}

#[test]
fn an_outcome_is_one_of_our_words_or_none() {
    let line = PARTNER.replace("issued", "redeemed");
    let with = |outcome: &str| line.replace("}", &format!(r#","outcome":"{outcome}"}}"#));
    for (outcome, ours) in [
        ("success", "success"),
        ("SUCCESS", "success"),
        ("Failure", "failure"),
        ("FAIL", "failure"),
        ("denied", "failure"),
    ] {
        check(&with(outcome), |row| {
            assert_eq!((row.outcome.as_deref(), row.unmapped), (Some(ours), None), "{outcome}");
        });
    }
    check(&with("meh"), |row| {
        assert_eq!(row.outcome.as_deref(), Some("success"));
        assert_eq!(
            (row.unmapped.as_deref(), row.flags),
            (Some(r#"{"outcome":"meh"}"#), vec!["unknown_word".into()])
        );
    });
    check(&with("meh").replace("redeemed", "rejected"), |row| {
        assert_eq!(row.outcome.as_deref(), Some("failure"))
    });
}

#[test]
fn a_user_name_cannot_forge_an_address() {
    let line = "Mar 14 09:30:00 h sshd[1]: Failed password for invalid user x from 10.0.0.1 port 1 ssh2 from 192.0.2.1 port 22 ssh2";
    check(line, |row| assert_eq!(row.src_ip.as_deref(), Some("192.0.2.1")));
}

#[test]
fn counts_say_what_was_read() {
    let read = read(format!("{PARTNER}\nhello\n{}", PARTNER.replace("prt_acme", "x")), None);
    assert_eq!(
        (read.counts.records, read.counts.lines, read.counts.events, read.counts.rejected()),
        (1, 3, 2, 1)
    );
    assert_eq!(read.counts.flags["tenant_mismatch"], 1);
    assert_eq!(read.progress.len(), 1);
    assert_eq!(read.progress[0].source, "logs.prt_acme.edge/0");
}
