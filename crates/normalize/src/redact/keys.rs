//! Keys and tokens that are known by what their issuers put in front of them.

use super::{Hit, Kind};
use crate::fingerprint::fingerprint_len;

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

/// A key whose mark ends in an underscore or holds one.
pub(super) fn prefixed(text: &[u8], underscore: usize) -> Option<Hit> {
    // Most words in front of an underscore are told apart by their last two letters.
    if !matches!(
        text[..underscore],
        [.., b's' | b'r', b'k']
            | [.., b'S', b'K']
            | [.., b'e', b'c']
            | [.., b'E', b'C']
            | [.., b'h', b'p' | b'o' | b's' | b'u' | b'r']
            | [.., b'u', b'b']
    ) {
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

/// How a key begins, what follows, and how much of it at least.
type Word = (&'static [u8], fn(u8) -> bool, usize, Kind);

/// Keys that begin with letters alone.
const WORDS: [Word; 5] = [
    (b"AKIA", is_upper, 16, Kind::ApiKey),
    (b"ASIA", is_upper, 16, Kind::ApiKey),
    (b"AIza", is_word_byte, 30, Kind::ApiKey),
    (b"glpat-", is_word_byte, 16, Kind::Secret),
    (b"xox", is_word_byte, 12, Kind::Secret),
];

/// A key that begins at a word's border: `AKIA…`, `AIza…`, `xoxb-…`, `glpat-…`.
pub(super) fn word(text: &[u8], start: usize) -> Option<Hit> {
    let rest = &text[start..];
    // Most words that begin like one are told apart by their second letter.
    if !matches!(rest.get(1)?, b'K' | b'S' | b'I' | b'l' | b'o')
        || text[..start].last().is_some_and(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    let (prefix, in_key, min, kind) = WORDS.iter().find(|(prefix, ..)| rest.starts_with(prefix))?;
    let key = &rest[prefix.len()..];
    if *prefix == b"xox" && !matches!(key, [b'a'..=b'z', b'-', ..]) {
        return None;
    }
    let len = key.iter().take_while(|byte| in_key(**byte)).count();
    (len >= *min).then_some(Hit { start, end: start + prefix.len() + len, kind: *kind })
}

/// Whether a text is the id of a cloud's key: AWS calls it an identifier, and the secret is another.
pub(crate) fn is_cloud_key_id(text: &str) -> bool {
    let id = text.strip_prefix("AKIA").or_else(|| text.strip_prefix("ASIA"));
    id.is_some_and(|rest| rest.len() == 16 && rest.bytes().all(is_upper))
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// What stands between `-----BEGIN … PRIVATE KEY-----` and its end.
pub(super) fn private_key(text: &[u8], blank: usize) -> Option<Hit> {
    const LONGEST_KIND: usize = 32;
    let behind = text[blank + 1..].strip_prefix(b"PRIVATE KEY")?;
    let behind = behind.strip_prefix(b" BLOCK").unwrap_or(behind).strip_prefix(b"-----")?;
    let line = &text[blank.saturating_sub(LONGEST_KIND)..blank];
    memchr::memmem::find(line, b"-----BEGIN")?;
    let start = text.len() - behind.len();
    let key = &behind[..memchr::memchr(b'"', behind).unwrap_or(behind.len())];
    let end = start + memchr::memmem::find(key, b"-----END").unwrap_or(key.len());
    let key = &text[start..end];
    let done = key.is_empty() || fingerprint_len(key).is_some_and(|len| len == key.len());
    (!done).then_some(Hit { start, end, kind: Kind::Secret })
}
