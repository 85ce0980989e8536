//! Secrets by the name in front of them: `name=value`, `"name": "value"`, `--name value`.

use super::names::{NAME_BYTES_MAX, secret_name};
use super::{Hit, Kind, Text};
use crate::fingerprint::fingerprint_len;

/// How many blanks may stand between a name and its value.
const BLANKS_MAX: usize = 16;

/// What stands behind a secret's name and is none. PAM writes `passwd:chauthtok`, MySQL whether a
/// password was used.
const HARMLESS: [&[u8]; 10] =
    [b"null", b"true", b"false", b"-", b"none", b"REDACTED", b"[redacted]", b"chauthtok", b"YES", b"NO"];

/// How often a separator may be percent-encoded.
const ENCODINGS_MAX: usize = 4;

/// `name=value`, `name: value`, `"name":"value"`, also inside a JSON string.
pub(super) fn named(text: &[u8], separator: usize, kind_of_text: Text) -> Option<Hit> {
    let blanks = text[..separator].iter().rev().take(BLANKS_MAX).take_while(|byte| **byte == b' ').count();
    let before = &text[..separator - blanks];
    let quoted = before.strip_suffix(b"\"").or(before.strip_suffix(b"'"));
    // What follows `token://` is a host. This comes before the value is looked for: a text of
    // nothing but such schemes has as many values as it has bytes, each up to its end.
    if text[separator] == b':' && quoted.is_none() && text[separator + 1..].starts_with(b"//") {
        return None;
    }
    let before = quoted.unwrap_or(before);
    let slashes = before.iter().rev().take(8).take_while(|byte| **byte == b'\\').count();
    let (outside, name) = split_name(&before[..before.len() - slashes]);
    let equals = text[separator] == b'=';
    let parameter = equals && matches!(outside.last(), Some(b'?' | b'&'));
    let kind = secret_name(name).or((parameter && name == b"key").then_some(Kind::ApiKey))?;
    let header = kind == Kind::Authorization || name.ends_with(b"ookie") || name.ends_with(b"ookies");
    let arrow = equals && text.get(separator + 1) == Some(&b'>');
    let start = separator + 1 + usize::from(arrow);
    let (start, end) = match kind_of_text {
        _ if parameter => (start, end_of_parameter(text, start)),
        Text::Torn => inside_brackets(text, start).unwrap_or_else(|| value_at(text, start, header)),
        _ => value_at(text, start, header),
    };
    secret(text, start, end, kind)
}

/// `name%3Dvalue`: a URL that is a parameter of another, as in `?next=%2Fcb%3Faccess_token%3D…`.
pub(super) fn encoded(text: &[u8], percent: usize) -> Option<Hit> {
    let start = encoded_end(text, percent, b"3d")?;
    let (outside, name) = split_name(&text[..percent]);
    // The digits of the `%3F` in front of the name look like a part of it.
    let name = match outside.last() {
        Some(b'%') => {
            let mut name = name;
            for _ in 0..ENCODINGS_MAX {
                name = name.strip_prefix(b"25").unwrap_or(name);
            }
            name.get(2..)?
        }
        _ => name,
    };
    let kind = secret_name(name).or((name == b"key").then_some(Kind::ApiKey))?;
    let mut end = start;
    while end < text.len() && !ends_parameter(text, end) {
        if text[end] == b'%' && encoded_end(text, end, b"26").or(encoded_end(text, end, b"23")).is_some() {
            break;
        }
        end += 1;
    }
    secret(text, start, end, kind)
}

/// Where an escape ends that stands for one byte, however often it was encoded: `%26`, `%2526`.
fn encoded_end(text: &[u8], percent: usize, hex: &[u8; 2]) -> Option<usize> {
    let mut at = percent + 1;
    for _ in 0..ENCODINGS_MAX {
        if text.get(at..at + 2)?.eq_ignore_ascii_case(hex) {
            return Some(at + 2);
        }
        at += text[at..].starts_with(b"25").then_some(2)?;
    }
    None
}

/// `--password value`, and the password of `-u user:password` as curl takes it.
pub(super) fn option(text: &[u8], dash: usize) -> Option<Hit> {
    if !matches!(text[..dash].last(), None | Some(b' ' | b'\t' | b'"' | b'\'')) {
        return None;
    }
    let start = dash + text[dash..].iter().take(2).take_while(|byte| **byte == b'-').count();
    let len = text[start..].iter().take(2 * NAME_BYTES_MAX).take_while(|byte| in_name(byte)).count();
    let (name, blank) = (&text[start..start + len], start + len);
    if text.get(blank) != Some(&b' ') {
        return None;
    }
    let of_user = matches!(name, b"u" | b"U" | b"user" | b"proxy-user");
    let kind = if of_user { Kind::Password } else { secret_name(name)? };
    let (start, end) = match value_at(text, blank, false) {
        // A value in quotes ends with them, any other is one word of the command.
        (start, end) if matches!(text[start - 1], b'"' | b'\'') => (start, end),
        (start, _) => (start, end_of_word(text, start)),
    };
    let value = &text[start..end];
    if of_user {
        let colon = memchr::memchr(b':', value)?;
        return (!value[colon..].starts_with(b"://")).then(|| secret(text, start + colon + 1, end, kind))?;
    }
    (!value.starts_with(b"-")).then(|| secret(text, start, end, kind))?
}

/// A hit, unless there is nothing to hide.
fn secret(text: &[u8], start: usize, end: usize, kind: Kind) -> Option<Hit> {
    let value = &text[start..end];
    // A fingerprint needs no redaction, and nor does what says that there is nothing.
    let harmless = value.is_empty()
        || HARMLESS.contains(&value)
        || fingerprint_len(value).is_some_and(|len| len == value.len());
    (!harmless).then_some(Hit { start, end, kind })
}

fn in_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The name at the end of a text, and what stands in front of it.
fn split_name(before: &[u8]) -> (&[u8], &[u8]) {
    let len = before.iter().rev().take(2 * NAME_BYTES_MAX).take_while(|byte| in_name(byte)).count();
    before.split_at(before.len() - len)
}

/// Where the value of a URL's parameter ends. Clients put nearly any byte there.
fn end_of_parameter(text: &[u8], start: usize) -> usize {
    let end = (start..text.len()).find(|at| ends_parameter(text, *at)).unwrap_or(text.len());
    // The backslash in front of a quote belongs to the quote.
    let slashes = match text.get(end) {
        Some(b'"' | b'\'') => text[start..end].iter().rev().take_while(|byte| **byte == b'\\').count(),
        _ => 0,
    };
    end - slashes
}

fn ends_parameter(text: &[u8], at: usize) -> bool {
    match text[at] {
        b'&' | b'#' | b' ' | b'\t' | b'\n' | b'\r' | b'"' => true,
        // `?password=it's` goes on, `'https://x?token=y'` does not.
        b'\'' => !text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

/// Where a word of a command line ends.
fn end_of_word(text: &[u8], start: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\\');
    text[start..].iter().position(ends).map_or(text.len(), |at| start + at)
}

/// Where the value that begins at `start` stands: inside its quotes, or up to what cannot be part
/// of it. The value of a header goes on to the end of the line.
fn value_at(text: &[u8], start: usize, header: bool) -> (usize, usize) {
    let start = behind_blanks(text, start, |byte| matches!(byte, b' ' | b'\t'));
    let slashes = text[start..].iter().take(8).take_while(|byte| **byte == b'\\').count();
    if let Some(quote @ (b'"' | b'\'')) = text.get(start + slashes) {
        let start = start + slashes + 1;
        return (start, end_of_quoted(text, start, *quote, slashes));
    }
    // `password=(hunter2)`: the bracket that ends every other value begins this one.
    let start = if text[start..].starts_with(b"(") { start + 1 } else { start };
    let ends = |byte: u8| match byte {
        b'"' | b'\n' | b'\r' | b'\\' => true,
        b' ' | b'\t' | b'&' | b'\'' | b';' | b',' | b'<' | b'>' | b')' | b'}' | b'|' | b'#' | b'`' => !header,
        b'{' | b'[' | b'(' => !header,
        _ => false,
    };
    let rest = &text[start..];
    if rest.starts_with(b"[redacted]") {
        return (start, start + b"[redacted]".len());
    }
    (start, start + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len()))
}

/// In JSON that no parser takes, whatever is in the brackets behind a secret's name is one.
fn inside_brackets(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let start = behind_blanks(text, start, u8::is_ascii_whitespace);
    let close = match text.get(start)? {
        b'[' if !text[start..].starts_with(b"[redacted]") => b']',
        b'{' => b'}',
        // Any white space may stand there, line feeds, too.
        b'"' => return Some((start + 1, end_of_quoted(text, start + 1, b'"', 0))),
        _ => return None,
    };
    let end = memchr::memchr(close, &text[start..]).map_or(text.len(), |at| start + at);
    Some((start + 1, end))
}

/// The closing quote has as many backslashes in front as the opening one.
fn end_of_quoted(text: &[u8], start: usize, quote: u8, slashes: usize) -> usize {
    let mut from = start;
    while let Some(at) = memchr::memchr(quote, &text[from..]) {
        let at = from + at;
        let before = text[start..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if before <= slashes {
            return at - before;
        }
        from = at + 1;
    }
    text.len()
}

fn behind_blanks(text: &[u8], start: usize, blank: impl Fn(&u8) -> bool) -> usize {
    start + text[start..].iter().take(BLANKS_MAX).take_while(|byte| blank(byte)).count()
}
