//! Escapes undone, so that a secret cannot hide behind another spelling of its letters.

use std::borrow::Cow;

use crate::fields::write_json_inside;

/// A text in which every escape that stands for plain text is written plainly: `\u0073k_live_`
/// becomes `sk_live_`. What has to be escaped in JSON stays so.
pub(crate) fn plain_escapes(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (character, len) = escape(&rest[at..]);
        match character {
            Some(character) => write_json_inside(character.encode_utf8(&mut [0; 4]), &mut out),
            None => out.push_str(&rest[at..at + len]),
        }
        rest = &rest[at + len..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that an escape stands for, and how long the escape is.
fn escape(text: &str) -> (Option<char>, usize) {
    let bytes = text.as_bytes();
    let hex = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    match bytes.get(1) {
        Some(b'u') => match (hex(2, 6), bytes.get(6..8), hex(8, 12)) {
            (Some(high @ 0xd800..=0xdbff), Some(b"\\u"), Some(low @ 0xdc00..=0xdfff)) => {
                (char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12)
            }
            (Some(code), ..) => (char::from_u32(code), 6),
            (None, ..) => (None, 2),
        },
        Some(b'x') => match hex(2, 4) {
            Some(code @ 0x20..0x7f) => (char::from_u32(code), 4),
            _ => (None, 2),
        },
        Some(b'/') => (Some('/'), 2),
        Some(byte) if byte.is_ascii() => (None, 2),
        _ => (None, 1),
    }
}

/// A query value with `%HH` and `+` undone; as it is where that gives no text.
pub(crate) fn percent_decoded(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|hex| bytes[at] == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}
