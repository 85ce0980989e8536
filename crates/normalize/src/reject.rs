//! What is kept of a line that could not be read.

use event::RawLog;
use event::ids::tagged;

use crate::fingerprint::Fingerprinter;
use crate::formats::json;
use crate::limits::Limits;
use crate::mapping::withhold;
use crate::redact::{Secrets, Text, plain_escapes, redact};
use crate::wrapper::contents;

/// How much of a line is looked at to make an excerpt, in bytes for each character kept.
const WINDOW: usize = 4;

/// A reject's id, from the place of its line.
pub(crate) fn id(raw: &RawLog<'_>, line: i32) -> String {
    tagged(
        "rej_",
        &[raw.topic.as_bytes(), &raw.partition.to_be_bytes(), &raw.offset.to_be_bytes(), &line.to_be_bytes()],
    )
}

/// The beginning of a line, its secrets redacted, what is not UTF-8 replaced.
pub(crate) fn excerpt(bytes: &[u8], limits: &Limits, fingerprinter: &Fingerprinter) -> String {
    let chars_max = limits.excerpt_chars_max;
    let window = &bytes[..bytes.len().min(chars_max * WINDOW)];
    let text = String::from_utf8_lossy(without_torn_end(bytes, window)).replace('\0', "\u{fffd}");
    let (kind, secrets) = match secrets(bytes, limits, fingerprinter) {
        Some(secrets) => (Text::Prose, secrets),
        None if contents(text.trim_start()).starts_with(['{', '[']) => (Text::Torn, Secrets::default()),
        None => (Text::Prose, Secrets::default()),
    };
    if secrets.beyond_search() {
        return "[withheld: the line's secrets cannot be told from its other words]".to_owned();
    }
    let plain = plain_escapes(&text);
    let clean = redact(&plain, kind, &secrets, fingerprinter, |_, _| {});
    clean.chars().take(chars_max).collect()
}

/// What a line that is JSON, though not what its source should be, holds under secrets' names.
fn secrets(bytes: &[u8], limits: &Limits, fingerprinter: &Fingerprinter) -> Option<Secrets> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= limits.line_bytes_max)?;
    let text = contents(text.trim());
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut value = json::parse(text, limits.depth_max).ok()?;
    let mut secrets = Secrets::default();
    withhold("", &mut value, None, fingerprinter, &mut |kind, raw| secrets.add(kind, raw));
    Some(secrets)
}

/// A secret that is cut in two is known by nothing, so the piece that the cut left goes too.
fn without_torn_end<'a>(bytes: &[u8], window: &'a [u8]) -> &'a [u8] {
    if window.len() == bytes.len() {
        return window;
    }
    let breaks = |byte: &u8| matches!(byte, b' ' | b'"' | b'\n' | b'\t' | b',' | b'&' | b';' | b'\'');
    window.iter().rposition(breaks).map_or(&[], |at| &window[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt_of(text: &str) -> String {
        let fingerprinter = Fingerprinter::new("k1", b"a pepper for the tests").expect("long enough");
        excerpt(text.as_bytes(), &Limits::default(), &fingerprinter)
    }

    #[test]
    fn a_secret_at_the_cut_leaves_nothing_behind() {
        let token = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
        for before in 0..80 {
            let text = format!("{} {token} tail", "x".repeat(2_048 * WINDOW - before));
            assert!(!excerpt_of(&text).contains(&token[..16]), "{before}");
            let text = format!("{} {token} tail", "x".repeat(2_048 - before));
            assert!(!excerpt_of(&text).contains(&token[..16]), "{before}");
        }
    }

    #[test]
    fn an_excerpt_is_short_and_readable() {
        assert_eq!(excerpt_of("{\"a\":\0"), "{\"a\":\u{fffd}");
        assert_eq!(excerpt_of(&"ab ".repeat(100_000)).chars().count(), 2_048);
        assert_eq!(excerpt_of(&"0".repeat(100_000)), "");
    }
}
