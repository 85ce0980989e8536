//! `key=value` in any order, as logfmt and many appliances write it.
//!
//! Where pairs stand between blanks a value with blanks in it is quoted; where something else stands
//! between them it goes on to that. A word that is no pair is kept with the others as `rest`.

use std::borrow::Cow;

use crate::fields::Value;

type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The name of what is no pair.
pub(crate) const REST: &str = "rest";

/// Pairs of a line that are read; what follows them is `rest`.
const PAIRS_MAX: usize = 512;

/// A key that is longer is none.
const KEY_BYTES_MAX: usize = 128;

/// What stands between pairs, and within them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) between: u8,
    pub(crate) within: u8,
}

impl Pairs {
    /// The pairs of a line, in order.
    pub(crate) fn read<'a>(self, line: &'a str) -> Members<'a> {
        let mut members = Members::new();
        let (mut words, mut rest) = (Vec::new(), line);
        while let Some(start) = rest.find(|c: char| c != char::from(self.between) && c != ' ') {
            rest = &rest[start..];
            if members.len() == PAIRS_MAX {
                words.push(rest.trim_end());
                break;
            }
            match self.pair(rest) {
                Some((key, value, after)) => {
                    members.push((Cow::Borrowed(key), Value::Text(value)));
                    rest = after;
                }
                None => {
                    let end = memchr::memchr(self.between, rest.as_bytes()).unwrap_or(rest.len());
                    words.push(rest[..end].trim_end());
                    rest = &rest[end..];
                }
            }
        }
        if !words.is_empty() {
            members.push((Cow::Borrowed(REST), Value::Text(Cow::Owned(words.join(" ")))));
        }
        members
    }

    /// Whether a line begins with a pair. What has one further on may be anything.
    pub(crate) fn begin(self, line: &str) -> bool {
        self.pair(line).is_some()
    }

    /// A pair that a text begins with, and what follows it.
    fn pair<'a>(self, text: &'a str) -> Option<(&'a str, Cow<'a, str>, &'a str)> {
        let within = memchr::memchr(self.within, &text.as_bytes()[..text.len().min(KEY_BYTES_MAX + 2)])?;
        let key = text[..within].trim_end();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@/[]".contains(&byte);
        if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.bytes().all(plain) {
            return None;
        }
        let behind = &text[within + 1..];
        let behind = if self.between == b' ' { behind } else { behind.trim_start_matches(' ') };
        if let Some((value, after)) = quoted(behind) {
            return Some((key, value, after));
        }
        let end = memchr::memchr(self.between, behind.as_bytes()).unwrap_or(behind.len());
        Some((key, Cow::Borrowed(behind[..end].trim_end()), &behind[end..]))
    }
}

/// A value in quotes, without them, and what follows. A quote that does not end is none.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let quote = *text.as_bytes().first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let inside = &text[1..];
    let mut at = 0;
    loop {
        at += memchr::memchr2(quote, b'\\', inside.as_bytes().get(at..)?)?;
        if inside.as_bytes()[at] == quote {
            break;
        }
        at += 2;
    }
    let (value, after) = (&inside[..at], &inside[at + 1..]);
    if memchr::memchr(b'\\', value.as_bytes()).is_none() {
        return Some((Cow::Borrowed(value), after));
    }
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    Some((Cow::Owned(out), after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOGFMT: Pairs = Pairs { between: b' ', within: b'=' };

    fn read(pairs: Pairs, line: &str) -> Vec<(String, String)> {
        let text = |value: &Value<'_>| crate::mapping::text_of(value).unwrap_or_default().into_owned();
        pairs.read(line).iter().map(|(key, value)| (key.to_string(), text(value))).collect()
    }

    #[track_caller]
    fn check(pairs: Pairs, line: &str, expected: &[(&str, &str)]) {
        let found = read(pairs, line);
        let found: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn pairs_stand_between_blanks_and_values_may_be_quoted() {
        check(
            LOGFMT,
            r#"ts=1 user=dana  msg="logged \"in\"" ok="#,
            &[("ts", "1"), ("user", "dana"), ("msg", "logged \"in\""), ("ok", "")],
        );
        check(LOGFMT, "a='b c' d=e=f", &[("a", "b c"), ("d", "e=f")]);
        check(LOGFMT, "<14> gate: a=1 went well", &[("a", "1"), ("rest", "<14> gate: went well")]);
        check(LOGFMT, "a=\"no end", &[("a", "\"no"), ("rest", "end")]);
    }

    #[test]
    fn between_other_delimiters_a_value_may_hold_blanks() {
        let pairs = Pairs { between: b';', within: b':' };
        check(
            pairs,
            "user: Dana K; ip: 203.0.113.9;; done",
            &[("user", "Dana K"), ("ip", "203.0.113.9"), ("rest", "done")],
        );
    }

    #[test]
    fn no_line_has_pairs_without_end() {
        let found = read(LOGFMT, &"a=1 ".repeat(10_000));
        assert_eq!(found.len(), PAIRS_MAX + 1);
        assert_eq!(read(LOGFMT, &format!("{}=1", "k".repeat(200)))[0].0, REST);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_without_a_panic(line in "\\PC{0,80}", between in 0_u8..128, within in 0_u8..128) {
            Pairs { between, within }.read(&line);
        }
    }
}
