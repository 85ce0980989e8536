//! What secrets look like, found in one pass.
//!
//! Few bytes can belong to a secret's mark: `_` in `sk_live_`, `=` and `:` behind a name, the `J`
//! of `eyJ`, the `//` of a URL, the blank behind `Bearer`. The pass stops at those alone. Runs of
//! 64 hex digits are found by looking at every 32nd byte.

use super::names::{NAME_BYTES_MAX, secret_name};
use super::{Hit, Kind, Text};
use crate::fingerprint::fingerprint_len;

/// Calls `on_hit` for each secret until it says to stop. Hits may overlap and come in any order.
pub(super) fn each_hit(text: &[u8], kind: Text, mut on_hit: impl FnMut(Hit) -> bool) {
    if !each_hex_run(text, &mut on_hit) {
        return;
    }
    let mut no_jwt_before = 0;
    let mut at = 0;
    while at < text.len() {
        let anchor = ANCHORS[text[at] as usize];
        if anchor == Anchor::None {
            at += 1;
            continue;
        }
        let hit = match anchor {
            Anchor::None => None,
            Anchor::Underscore => prefixed(text, at),
            Anchor::Equals => named(text, at, kind),
            // What stands behind `"name":` the parser has told apart.
            Anchor::Colon if kind == Text::Json && text[..at].ends_with(b"\"") => None,
            Anchor::Colon => named(text, at, kind),
            Anchor::Slash => url_password(text, at),
            Anchor::Blank => scheme_value(text, at),
            Anchor::J if at >= no_jwt_before => jwt(text, at, &mut no_jwt_before),
            Anchor::J => None,
        };
        at = match hit {
            Some(hit) if !on_hit(hit) => return,
            Some(hit) => hit.end.max(at + 1),
            None => at + 1,
        };
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Anchor {
    None,
    Underscore,
    Equals,
    Colon,
    Slash,
    Blank,
    J,
}

const ANCHORS: [Anchor; 256] = {
    let mut anchors = [Anchor::None; 256];
    anchors[b'_' as usize] = Anchor::Underscore;
    anchors[b'=' as usize] = Anchor::Equals;
    anchors[b':' as usize] = Anchor::Colon;
    anchors[b'/' as usize] = Anchor::Slash;
    anchors[b' ' as usize] = Anchor::Blank;
    anchors[b'J' as usize] = Anchor::J;
    anchors
};

/// Runs of 64 hex digits or more: session tokens, and whatever contains one. Says whether to go on.
fn each_hex_run(text: &[u8], on_hit: &mut impl FnMut(Hit) -> bool) -> bool {
    const RUN: usize = 64;
    const STEP: usize = 32;
    let mut at = STEP - 1;
    // Whatever is 64 long holds a place that is looked at.
    while at < text.len() {
        if !text[at].is_ascii_hexdigit() {
            at += STEP;
            continue;
        }
        let start = at - text[..at].iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let end = at + text[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if end - start >= RUN
            && !is_chain(text, start, end)
            && !on_hit(Hit { start, end, kind: Kind::SessionToken })
        {
            return false;
        }
        at = end + STEP;
    }
    true
}

/// Whether a run is a link of the chain that the handshake contract asks shippers for: the hash of
/// a line. Elsewhere `sha256:` in front of a token would be a way to have it kept.
fn is_chain(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[..start];
    end - start == 64
        && [&b"\"chain\":\"sha256:"[..], b"\"chain\": \"sha256:"].iter().any(|name| before.ends_with(name))
}

/// Marks that issuers put in front of their secrets. `key_live_` is the public id of a key.
const PREFIXES: [(&[u8], Kind); 14] = [
    (b"sk_live_", Kind::ApiKey),
    (b"sk_test_", Kind::ApiKey),
    (b"rk_live_", Kind::ApiKey),
    (b"rk_test_", Kind::ApiKey),
    (b"whsec_", Kind::WebhookSecret),
    (b"ghp_", Kind::Secret),
    (b"gho_", Kind::Secret),
    (b"ghs_", Kind::Secret),
    (b"ghu_", Kind::Secret),
    (b"ghr_", Kind::Secret),
    (b"github_pat_", Kind::Secret),
    (b"SK_LIVE_", Kind::ApiKey),
    (b"SK_TEST_", Kind::ApiKey),
    (b"WHSEC_", Kind::WebhookSecret),
];

fn prefixed(text: &[u8], underscore: usize) -> Option<Hit> {
    let before = text[..underscore].last()?;
    if !matches!(before, b'k' | b'c' | b'p' | b'o' | b's' | b'u' | b'r' | b'b' | b'K' | b'C') {
        return None;
    }
    PREFIXES.iter().find_map(|&(prefix, kind)| {
        let start =
            underscore - prefix.iter().position(|byte| *byte == b'_').filter(|at| *at <= underscore)?;
        let value = text[start..].strip_prefix(prefix)?;
        let len = value.iter().take_while(|byte| is_key_byte(**byte)).count();
        (len > 0).then_some(Hit { start, end: start + prefix.len() + len, kind })
    })
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'%')
}

/// `name=value`, `name: value`, `"name":"value"`, also inside a JSON string.
fn named(text: &[u8], separator: usize, kind_of_text: Text) -> Option<Hit> {
    let before = &text[..separator];
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let quoted = before.strip_suffix(b"\"").or(before.strip_suffix(b"'"));
    // What follows `token://` is a host. This comes before the value is looked for: a text of
    // nothing but such schemes has as many values as it has bytes, each up to its end.
    if text[separator] == b':' && quoted.is_none() && text[separator + 1..].starts_with(b"//") {
        return None;
    }
    let before = quoted.unwrap_or(before);
    let slashes = before.iter().rev().take(8).take_while(|byte| **byte == b'\\').count();
    let before = &before[..before.len() - slashes];
    let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let len = before.iter().rev().take(2 * NAME_BYTES_MAX).take_while(in_name).count();
    let (outside, name) = before.split_at(before.len() - len);
    let parameter = text[separator] == b'=' && matches!(outside.last(), Some(b'?' | b'&'));
    let kind = secret_name(name).or((parameter && name == b"key").then_some(Kind::ApiKey))?;
    let header = kind == Kind::Authorization || name.ends_with(b"ookie");
    let (start, end) = match kind_of_text {
        Text::Torn => {
            inside_brackets(text, separator + 1).unwrap_or_else(|| value_at(text, separator + 1, header))
        }
        _ => value_at(text, separator + 1, header),
    };
    let value = &text[start..end];
    // A fingerprint needs no redaction, and nor does what says that there is nothing.
    let harmless = value.is_empty()
        || [&b"null"[..], b"true", b"false", b"-", b"none", b"REDACTED", b"[redacted]"].contains(&value)
        || fingerprint_len(value).is_some_and(|len| len == value.len());
    (!harmless).then_some(Hit { start, end, kind })
}

/// Where the value that begins at `start` stands: inside its quotes, or up to what cannot be part
/// of it. The value of a header goes on to the end of the line.
fn value_at(text: &[u8], start: usize, header: bool) -> (usize, usize) {
    let blanks = text[start..].iter().take(2).take_while(|byte| **byte == b' ').count();
    let start = start + blanks;
    let slashes = text[start..].iter().take(8).take_while(|byte| **byte == b'\\').count();
    if let Some(quote @ (b'"' | b'\'')) = text.get(start + slashes) {
        let start = start + slashes + 1;
        return (start, end_of_quoted(text, start, *quote, slashes));
    }
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
    let blanks = text[start..].iter().take(2).take_while(|byte| **byte == b' ').count();
    let start = start + blanks;
    let close = match text.get(start)? {
        b'[' if !text[start..].starts_with(b"[redacted]") => b']',
        b'{' => b'}',
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

/// The password of `scheme://user:password@host`.
fn url_password(text: &[u8], slash: usize) -> Option<Hit> {
    if slash < 2 || &text[slash - 2..slash] != b":/" {
        return None;
    }
    let rest = &text[slash + 1..];
    let ends =
        |byte: &u8| matches!(byte, b'/' | b' ' | b'"' | b'\'' | b'<' | b'>' | b'?' | b'#' | b'\\' | b'\n');
    let authority = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..at])?;
    let hit = Hit { start: slash + 1 + colon + 1, end: slash + 1 + at, kind: Kind::Password };
    (hit.start < hit.end && &text[hit.start..hit.end] != b"[redacted]").then_some(hit)
}

/// Whether a word names a way to authorize, so that what follows it is a secret.
pub(super) fn is_scheme(word: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"digest", b"token", b"apikey"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// `Bearer <value>` and `Basic <value>`.
fn scheme_value(text: &[u8], blank: usize) -> Option<Hit> {
    let ends_like = |word: &[u8]| {
        text[..blank]
            .len()
            .checked_sub(word.len())
            .is_some_and(|at| text[at..blank].eq_ignore_ascii_case(word))
    };
    let bearer = match text[..blank].last()? {
        b'r' | b'R' => ends_like(b"bearer").then_some(true)?,
        b'c' | b'C' => ends_like(b"basic").then_some(false)?,
        _ => return None,
    };
    let start = blank + 1;
    let in_value = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._~+/=-%:".contains(byte);
    let len = text[start..].iter().take_while(in_value).count();
    let value = &text[start..start + len];
    // "Basic authentication" is prose; base64 of a user and a password is not all lower case.
    let coded = value.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || *byte == b'=');
    let secret = if bearer { len >= 8 || coded } else { len >= 6 && coded };
    let done = fingerprint_len(value).is_some_and(|done| done == len) || value == b"REDACTED";
    (secret && !done).then_some(Hit { start, end: start + len, kind: Kind::Authorization })
}

/// `eyJ….eyJ….…`: two parts at least, the third may be missing.
fn jwt(text: &[u8], j: usize, no_jwt_before: &mut usize) -> Option<Hit> {
    let start = j.checked_sub(2)?;
    if &text[start..j] != b"ey" {
        return None;
    }
    let part = |from: usize| {
        let in_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        from + text[from..].iter().take_while(in_part).count()
    };
    let mut end = part(start);
    *no_jwt_before = end;
    if text.get(end) != Some(&b'.') {
        return None;
    }
    let second = part(end + 1);
    if second < end + 5 {
        return None;
    }
    end = second;
    if text.get(end) == Some(&b'.') {
        end = part(end + 1);
    }
    Some(Hit { start, end, kind: Kind::Jwt })
}
