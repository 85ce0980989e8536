//! What secrets look like, found in one pass.
//!
//! Few bytes can belong to a secret's mark: `_` in `sk_live_`, `=`, `:` and `%3D` behind a name, the
//! `J` of `eyJ`, the `//` of a URL, the blank behind `Bearer`, the dash of `--password`, the first
//! letters of some keys. The pass stops at those alone, and only where the bytes next to them fit
//! (see `anchors`). Runs of 64 hex digits are found by looking at every 32nd byte.

use super::anchors::{Anchor, next_anchor};
use super::keys::{prefixed, private_key, word};
use super::named::{encoded, named, option};
use super::{Hit, Kind, Text};
use crate::fingerprint::fingerprint_len;

/// Calls `on_hit` for each secret until it says to stop. Hits may overlap and come in any order.
pub(super) fn each_hit(text: &[u8], kind: Text, mut on_hit: impl FnMut(Hit) -> bool) {
    if !each_hex_run(text, &mut on_hit) {
        return;
    }
    let (mut no_jwt_before, mut from) = (0, 0);
    while let Some((at, anchor)) = next_anchor(text, from, kind) {
        from = match hit_at(text, at, anchor, kind, &mut no_jwt_before) {
            Some(hit) if !on_hit(hit) => return,
            Some(hit) => hit.end.max(at + 1),
            None => at + 1,
        };
    }
}

/// The secret whose mark stands at a place, if it is one.
fn hit_at(text: &[u8], at: usize, anchor: Anchor, kind: Text, no_jwt_before: &mut usize) -> Option<Hit> {
    match anchor {
        Anchor::Underscore => prefixed(text, at),
        Anchor::Separator => named(text, at, kind),
        Anchor::Slash => url_password(text, at),
        Anchor::Blank => scheme_value(text, at).or_else(|| private_key(text, at)),
        Anchor::Dash => option(text, at),
        Anchor::Percent => encoded(text, at),
        Anchor::Word => word(text, at),
        Anchor::J if at >= *no_jwt_before => jwt(text, at, no_jwt_before),
        Anchor::J => None,
    }
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What kind of mark a byte is, whatever stands next to it.
    fn alone(byte: u8) -> Option<Anchor> {
        Some(match byte {
            b'_' => Anchor::Underscore,
            b'=' | b':' => Anchor::Separator,
            b'/' => Anchor::Slash,
            b' ' => Anchor::Blank,
            b'-' => Anchor::Dash,
            b'%' => Anchor::Percent,
            b'A' | b'g' | b'x' => Anchor::Word,
            b'J' => Anchor::J,
            _ => return None,
        })
    }

    proptest! {
        #[test]
        fn where_no_mark_may_stand_there_is_no_secret(
            text in r#"([_=:/ \-%AgxJ"'\\]|sk_live_|token|key|PRIVATE KEY-----|-----BEGIN |earer |asic |a1Z9|%3D|25|ey|glpat|KIA0123456789ABCDEF|--?|//u:p@h){0,20}"#,
        ) {
            let text = text.as_bytes();
            for (at, byte) in text.iter().enumerate() {
                let found = next_anchor(text, at, Text::Prose);
                let here = found.filter(|(place, _)| *place == at).map(|(_, anchor)| anchor);
                match (here, alone(*byte)) {
                    (None, Some(anchor)) => {
                        prop_assert_eq!(hit_at(text, at, anchor, Text::Prose, &mut 0), None);
                    }
                    (here, alone) => prop_assert!(here == alone),
                }
            }
        }
    }
}
