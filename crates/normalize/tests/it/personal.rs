//! Fields about people, as a description names them.

use crate::feed::{everything, read_as};

const MINE: &str = "
about: For the tests.
format: json
time: {from: ts, formats: [rfc3339]}
personal: {drop: [name, born], fingerprint: [phone, contact]}
columns: {action: a, user_ref: phone, message: text}
";

#[test]
fn a_personal_field_leaves_a_fingerprint_or_nothing() {
    let line = r#"{"ts":"2026-03-14T09:26:53Z","a":"x","name":"Dana Kowalski","born":{"year":19871203},"phone":"+49 30 1234567","contact":{"mail":"dana@acme.example","city":"Berlin-Mitte"},"text":"Dana Kowalski (+49 30 1234567) called","kept":"yes"}"#;
    let read = read_as(MINE, line);
    let row = read.events.row(0);
    let text = everything(&read);
    for gone in ["Kowalski", "19871203", "1234567", "dana@", "Mitte"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let user = row.user_ref.as_deref().unwrap_or_default();
    assert!(user.starts_with("hmac256:k1:"), "{user}");
    assert!(
        row.message.as_deref().is_some_and(|message| message.contains(user)),
        "one person has one fingerprint"
    );
    let unmapped = row.unmapped.as_deref().unwrap_or_default();
    assert!(unmapped.contains(r#""kept":"yes""#) && unmapped.contains("hmac256"), "{unmapped}");
    let noted = ["personal:name", "personal:born", "personal:phone", "personal:contact", "personal:message"];
    assert_eq!(row.redactions, noted);
}

#[test]
fn a_name_too_short_to_look_for_takes_the_original_with_it() {
    let read = read_as(MINE, r#"{"ts":"2026-03-14T09:26:53Z","a":"x","name":"Bo","text":"hello"}"#);
    let row = read.events.row(0);
    assert_eq!((row.raw.as_deref(), row.action.as_deref()), (None, Some("x")));
    assert_eq!(row.flags, ["raw_withheld"]);
}

#[test]
fn what_is_not_there_is_not_redacted() {
    let read = read_as(MINE, r#"{"ts":"2026-03-14T09:26:53Z","a":"x","name":null,"phone":""}"#);
    assert!(read.events.row(0).redactions.is_empty());
}
