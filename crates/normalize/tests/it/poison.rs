//! Bad input: each ends as a reject with reason and position, or as an event that says what was
//! odd about it; its neighbours are untouched.

use event::RejectReason;
use normalize::Normalized;

use crate::feed::read;

const GOOD: &str = r#"{"v":1,"ts":"2026-03-14T09:30:00Z","event":"api.request","seq":5,"env":"production","partner_id":"prt_acme"}"#;

/// A line that would be a good one but for `with`.
fn partner(with: &str) -> String {
    GOOD.replacen("{\"v\":1", &format!("{{{with},\"v\":1"), 1)
}

/// Reads a line between two good ones; gives what it became.
#[track_caller]
fn between_neighbours(line: impl AsRef<[u8]>) -> Normalized {
    let record = [GOOD.as_bytes(), line.as_ref(), GOOD.as_bytes()].join(&b'\n');
    let read = read(record, None);
    assert_eq!(read.counts.lines, 3);
    assert_eq!(read.counts.lines, read.counts.events + read.counts.rejected());
    let lines: Vec<_> = read.events.rows().filter_map(|row| row.kafka_line).collect();
    assert!(lines.contains(&0) && lines.contains(&2), "a neighbour is missing: {lines:?}");
    read
}

#[track_caller]
fn rejected(line: impl AsRef<[u8]>, reason: RejectReason) {
    let bytes = line.as_ref().len() as i64;
    let read = between_neighbours(line);
    let reject = read.rejects.rows().next().expect("a reject");
    assert_eq!(reject.reason.as_deref(), Some(reason.as_str()), "{:?}", reject.detail);
    assert_eq!((reject.kafka_offset, reject.kafka_line), (Some(7), Some(1)));
    assert_eq!(reject.bytes, Some(bytes));
    assert_eq!(read.counts.rejects[&reason], 1);
}

#[track_caller]
fn kept(line: impl AsRef<[u8]>, flags: &[&str]) {
    let read = between_neighbours(line);
    assert_eq!(read.events.len(), 3, "{:?}", read.rejects.rows().next());
    assert_eq!(read.events.row(1).flags, flags);
}

#[test]
fn invalid_utf8_and_nul_are_replaced_and_flagged() {
    kept(noted(b"caf\xe9"), &["invalid_utf8"]);
    kept(noted(b"\xc0\xaf"), &["invalid_utf8"]);
    kept(noted(b"a\0b"), &["nul_byte"]);
}

/// A good line with a field that holds bytes that may be no text.
fn noted(note: &[u8]) -> Vec<u8> {
    let line = partner(r#""note":"?""#);
    let (before, after) = line.split_once('?').expect("it is there");
    [before.as_bytes(), note, after.as_bytes()].concat()
}

#[test]
fn json_that_parsers_disagree_on_has_one_verdict() {
    kept(partner(r#""status":401,"status":200"#), &["duplicate_key"]);
    kept(partner(r#""x":{"deep":[{"a":1,"a":2}]}"#), &["duplicate_key"]);
    kept(GOOD.replace(r#""event":"api.request""#, r#""event":"x","event":"y""#), &["duplicate_key"]);
    kept(partner(r#""n":123456789012345678901234567890"#), &[]);
    rejected(partner(r#""a":"\ud800""#), RejectReason::InvalidJson);
    rejected(partner(r#""a":NaN"#), RejectReason::InvalidJson);
    rejected(partner(r#""a":1e400"#), RejectReason::InvalidJson);
    rejected(format!("{GOOD}}}"), RejectReason::InvalidJson);
    rejected(&GOOD[..40], RejectReason::InvalidJson);
    rejected(&GOOD[..GOOD.len() - 1], RejectReason::InvalidJson);
}

#[test]
fn what_is_too_much_is_refused_before_it_is_parsed() {
    rejected(partner(&format!(r#""a":"{}""#, "x".repeat(10 << 20))), RejectReason::TooLong);
    rejected("[".repeat(100_000), RejectReason::TooDeep);
    rejected(partner(&format!(r#""a":{}"#, "[".repeat(100_000))), RejectReason::TooDeep);
    rejected(
        partner(&format!(r#""a":{}1{}"#, r#"{"b":"#.repeat(1_000), "}".repeat(1_000))),
        RejectReason::TooDeep,
    );
    let keys: Vec<String> = (0..50_000).map(|n| format!("\"k{n}\":{n}")).collect();
    kept(partner(&keys.join(",")), &[]);
    kept(partner(&vec![r#""k":1"#; 100_000].join(",")), &["duplicate_key"]);
    kept(partner(&format!(r#""a":"{}""#, "\\u005a".repeat(150_000))), &[]);
    let records = read(vec![b'x'; 17 << 20], None);
    assert_eq!(records.rejects.row(0).reason.as_deref(), Some("too_long"));
    let lines = read("x\n".repeat(300_000), None);
    assert_eq!(lines.counts.rejects[&RejectReason::TooManyLines], 1);
    assert_eq!(lines.counts.rejects[&RejectReason::UnknownFormat], 200_000);
}

#[test]
fn a_time_where_no_log_can_be_from_is_refused() {
    let at = |ts: &str| GOOD.replace("2026-03-14T09:30:00Z", ts);
    rejected(at("9999-12-31T23:59:59Z"), RejectReason::TimeOutOfRange);
    rejected(at("1999-12-31T23:59:59Z"), RejectReason::TimeOutOfRange);
    rejected(at("2026-02-30T00:00:00Z"), RejectReason::InvalidField);
    rejected(at("２０２６-03-14T09:30:00Z"), RejectReason::InvalidField);
    rejected(at("2026-03-14T09:30:00"), RejectReason::InvalidField);
    kept(at("2026-03-14T10:34:00Z"), &["clock_skew"]);
}

#[test]
fn fields_that_have_to_be_there_are_asked_for() {
    let without = GOOD.replace(r#""event":"api.request","#, r#""x":{"event":1},"#);
    rejected(without, RejectReason::MissingField);
    rejected(GOOD.replace(r#","partner_id":"prt_acme""#, ""), RejectReason::MissingField);
    rejected(GOOD.replace(r#""api.request""#, "[1]"), RejectReason::InvalidField);
    rejected(GOOD.replace(r#""api.request""#, "null"), RejectReason::MissingField);
}

#[test]
fn what_is_nothing_is_an_empty_reject() {
    for payload in ["", "\n", "\u{feff}", " \t\r\n\n", &"\n".repeat(1 << 20)] {
        let read = read(payload, None);
        assert_eq!(read.rejects.row(0).reason.as_deref(), Some("empty"));
        assert_eq!((read.counts.lines, read.rejects.len()), (1, 1));
    }
}

#[test]
fn a_blank_line_is_none_and_those_behind_it_keep_their_numbers() {
    let read = read(format!("\n{GOOD}\n \t\n\r\n{GOOD}\nhello\n\n"), None);
    let lines: Vec<_> = read.events.rows().filter_map(|row| row.kafka_line).collect();
    assert_eq!((lines, read.rejects.row(0).kafka_line), (vec![1, 4], Some(5)));
    assert_eq!(read.counts.lines, 3);
}

#[test]
fn what_no_source_knows_is_refused_with_an_excerpt() {
    rejected("hello there", RejectReason::UnknownFormat);
    rejected("null", RejectReason::UnknownFormat);
    rejected("[1,2,3]", RejectReason::UnknownFormat);
    rejected(b"\xff\xfe{\0\"\0v\0".as_slice(), RejectReason::UnknownFormat);
    let read = read("hello there", Some("no_such_source"));
    assert_eq!(read.rejects.row(0).excerpt.as_deref(), Some("hello there"));
}

#[test]
fn a_record_may_begin_with_a_byte_order_mark_and_hold_an_array() {
    let read = read(format!("\u{feff}[{GOOD},\n {GOOD}, {{\"a\":}}]\n{GOOD}\n"), None);
    let lines: Vec<_> = read.events.rows().filter_map(|row| row.kafka_line).collect();
    assert_eq!(lines, [0, 1, 3]);
    assert_eq!(read.rejects.row(0).kafka_line, Some(2));
}

#[test]
fn an_address_that_is_none_is_kept_aside() {
    let read = read(partner(r#""src_ip":"0177.0.0.1""#), None);
    let row = read.events.row(0);
    assert_eq!((row.src_ip.as_deref(), row.flags), (None, vec!["bad_ip".into()]));
    assert_eq!(row.unmapped.as_deref(), Some(r#"{"src_ip":"0177.0.0.1"}"#));
}
