//! A source of one's own needs no code: pairs and delimited values are described as JSON is.

use normalize::{Normalizer, Options};

use crate::feed::{everything, feed, fingerprinter, read_as, schemas_with};

const LOGFMT: &str = "
about: An API gateway of our own.
format: key_value
recognise: {keys: [at, did, user]}
time: {from: at, formats: [rfc3339]}
columns:
  action: did
  user_ref: {from: user, as: user}
  src_ip: {from: ip, as: endpoint_ip}
  message: msg
";

const CSV: &str = "
about: Exports of our billing.
format: delimited
delimiter: \";\"
fields: [day, user, what, result, note]
recognise: by_format
time: {from: day, formats: [\"%d.%m.%Y %H:%M:%S\"], zone: Europe/Berlin}
columns:
  user_ref: user
  action: what
  outcome: {from: result, only_words: true, words: {ok: success, failed: failure}}
";

#[test]
fn pairs_fill_columns_whatever_their_order() {
    let line = r#"user=dana did=login ip=203.0.113.9:4711 at=2026-03-14T09:26:53.589Z msg="it's \"fine\"" password=hunter2hunter2 took=12ms"#;
    let read = read_as(LOGFMT, line);
    let row = read.events.row(0);
    assert_eq!((row.action.as_deref(), row.user_ref.as_deref()), (Some("login"), Some("dana")));
    assert_eq!((row.src_ip.as_deref(), row.message.as_deref()), (Some("203.0.113.9"), Some("it's \"fine\"")));
    assert_eq!(row.time.unwrap().to_rfc3339(), "2026-03-14T09:26:53.589Z");
    assert!(row.unmapped.as_deref().unwrap().contains(r#""took":"12ms""#));
    assert!(!everything(&read).contains("hunter2hunter2"));
}

#[test]
fn delimited_values_fill_columns_by_their_place() {
    let read = read_as(CSV, r#"14.03.2026 10:26:53;dana;invoice.sent;ok;"for Acme; ""urgent""""#);
    let row = read.events.row(0);
    assert_eq!(row.time.unwrap().to_rfc3339(), "2026-03-14T09:26:53.000Z");
    assert_eq!((row.user_ref.as_deref(), row.outcome.as_deref()), (Some("dana"), Some("success")));
    assert!(row.unmapped.as_deref().unwrap().contains("for Acme; \\\"urgent\\\""));
    let read = read_as(CSV, "14.03.2026 10:26:53;dana;invoice.sent");
    assert_eq!(read.rejects.row(0).reason.as_deref(), Some("unknown_format"));
}

#[test]
fn both_are_recognised_beside_the_sources_that_come_with_it() {
    let schemas = schemas_with(&[("gateway", LOGFMT), ("billing", CSV)]);
    let mut normalizer = Normalizer::new(schemas, fingerprinter(), Options::default());
    for (line, expected) in [
        ("at=2026-03-14T09:26:53Z did=login user=dana", Some("gateway")),
        ("at=2026-03-14T09:26:53Z did=login superuser=dana", None),
        ("14.03.2026 10:26:53;dana;invoice.sent;ok;", Some("billing")),
        (
            r#"203.0.113.24 - - [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 5 "-" "a; b""#,
            Some("nginx_combined"),
        ),
        ("Mar 14 09:26:53 edge-1 gate[1]: at=2026-03-14T09:26:53Z did=login user=dana", Some("gateway")),
        ("Mar 14 09:26:53 edge-1 gate[1]: login did=x user=y", Some("sshd")),
    ] {
        feed(&mut normalizer, 7, line.as_bytes(), None);
        let read = normalizer.finish();
        let source =
            read.events.rows().next().and_then(|row| row.source_format.map(|name| name.into_owned()));
        assert_eq!(source.as_deref(), expected, "{line}");
    }
}

#[test]
fn an_item_of_a_list_is_named_by_its_place() {
    let yaml = "
about: For the tests.
format: json
time: {from: ts, formats: [rfc3339]}
columns: {action: a, object_id: target.0.id, user_ref: target.1.user.name}
";
    let line = r#"{"ts":"2026-03-14T09:26:53Z","a":"x","target":[{"id":"o1","kind":"k"},{"user":{"name":"dana"}},7]}"#;
    let read = read_as(yaml, line);
    let row = read.events.row(0);
    assert_eq!((row.object_id.as_deref(), row.user_ref.as_deref()), (Some("o1"), Some("dana")));
    assert_eq!(row.unmapped.as_deref(), Some(r#"{"target.0.kind":"k","target.2":7}"#));
    for other in [r#""target":[]"#, r#""target":{"0":1}"#, r#""target":"t""#] {
        let read = read_as(yaml, &format!(r#"{{"ts":"2026-03-14T09:26:53Z","a":"x",{other}}}"#));
        assert_eq!(read.events.row(0).object_id, None, "{other}");
    }
}
