//! ArcSight's Common Event Format: `CEF:0|vendor|product|version|id|name|severity|key=value …`,
//! bare or behind a syslog header.
//!
//! After "ArcSight Common Event Format Implementation Standard", version 26: in the header `\|` and
//! `\\` are escaped, in the extension `\=`, `\\`, `\n` and `\r`; a value may hold spaces.

use std::borrow::Cow;

use event::RejectReason;
use hashbrown::{HashMap, HashSet};

use super::{Unreadable, syslog};
use crate::fields::Value;

/// The names under which a description asks for the header's parts.
pub(crate) const HEADER: [&str; 7] =
    ["cef_version", "device_vendor", "device_product", "device_version", "signature_id", "name", "severity"];

/// The name under which a value is asked for whose key is `cs1` and whose label is `API Key ID`.
pub(crate) const LABEL: &str = "label.";

/// The names of what a syslog header in front says.
pub(crate) const SYSLOG_TIME: &str = "syslog.timestamp";
const SYSLOG_HOST: &str = "syslog.host";

type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Whether a line is in this format.
pub(crate) fn recognises(line: &str) -> bool {
    split(line).is_some()
}

/// Takes a line apart. `asks` says whether the description asks for a name.
pub(crate) fn read<'a>(line: &'a str, asks: impl Fn(&str) -> bool) -> Result<Members<'a>, Unreadable> {
    let unfit = |detail: &'static str| Unreadable::new(RejectReason::UnknownFormat, detail);
    let (before, rest) = split(line).ok_or_else(|| unfit("the line has no CEF header"))?;
    let mut header = Members::new();
    if let Ok(syslog) = syslog::header(before) {
        for (name, value) in [(SYSLOG_TIME, syslog.timestamp), (SYSLOG_HOST, syslog.host)] {
            header.extend(value.map(|value| (Cow::Borrowed(name), Value::Text(Cow::Borrowed(value)))));
        }
    }
    let mut rest = rest;
    for name in HEADER {
        let (value, after) =
            header_field(rest).ok_or_else(|| unfit("the CEF header has fewer than 7 fields"))?;
        header.push((Cow::Borrowed(name), Value::Text(value)));
        rest = after;
    }
    // The last of equal names counts: no extension can say that it is the header.
    let mut members = labelled(extension(rest), asks);
    members.append(&mut header);
    Ok(members)
}

/// What stands in front of `CEF:`, and what behind it.
fn split(line: &str) -> Option<(&str, &str)> {
    let at = memchr::memmem::find(line.as_bytes(), b"CEF:")?;
    let (before, rest) = (&line[..at], &line[at + "CEF:".len()..]);
    let version = rest.split('|').next()?;
    let numbered = (1..=2).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = before.is_empty() || syslog::header(before).is_ok();
    (numbered && is_first && rest.len() > version.len()).then_some((before, rest))
}

/// One field of the header, up to its `|`.
fn header_field(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = unescaped(text, 0, b'|')?;
    Some((unescape(text[..end].trim()), &text[end + 1..]))
}

/// Where a byte stands for itself at or behind `from`, without a backslash in front.
fn unescaped(text: &str, mut from: usize, byte: u8) -> Option<usize> {
    loop {
        let at = from + memchr::memchr2(byte, b'\\', text.as_bytes().get(from..)?)?;
        if text.as_bytes()[at] == byte {
            return Some(at);
        }
        from = at + 2;
    }
}

/// The keys and values of the extension. A key is a word between a space and `=`; an `=` behind
/// anything else, as in a URL whose writer forgot to escape it, belongs to the value.
fn extension(text: &str) -> Vec<(&str, Cow<'_, str>)> {
    let bytes = text.as_bytes();
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    let mut from = 0;
    while let Some(at) = unescaped(text, from, b'=') {
        let key_bytes = bytes[from..at].iter().rev().take_while(|byte| is_key_byte(**byte)).count();
        let start = at - key_bytes;
        from = at + 1;
        if key_bytes > 0 && (start == 0 || bytes[start - 1] == b' ') {
            if let Some(last) = found.last_mut() {
                last.2 = start;
            }
            found.push((&text[start..at], from, text.len()));
        }
    }
    found.into_iter().map(|(key, start, end)| (key, unescape(text[start..end].trim()))).collect()
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte)
}

/// Names the custom fields, `cs1` and its like, by their labels: `API Key ID` as `label.apikeyid`
/// where the description asks for that, else as the label has it.
fn labelled<'a>(extension: Vec<(&'a str, Cow<'a, str>)>, asks: impl Fn(&str) -> bool) -> Members<'a> {
    let keys: HashSet<&str> = extension.iter().map(|(key, _)| *key).collect();
    let (labels, values): (Vec<_>, Vec<_>) = extension
        .into_iter()
        .partition(|(key, _)| key.strip_suffix("Label").is_some_and(|key| keys.contains(key)));
    let labels: HashMap<&str, Cow<'a, str>> =
        labels.into_iter().map(|(key, label)| (&key[..key.len() - "Label".len()], label)).collect();
    let named = |(key, value): (&'a str, Cow<'a, str>)| {
        let Some(label) = labels.get(key).filter(|label| !label.is_empty()) else {
            return (Cow::Borrowed(key), Value::Text(value));
        };
        let plain: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{LABEL}{}", plain.to_ascii_lowercase());
        (if asks(&name) { Cow::Owned(name) } else { label.clone() }, Value::Text(value))
    };
    values.into_iter().map(named).collect()
}

fn unescape(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, chars.clone().next()) {
            ('\\', Some(escaped @ ('\\' | '|' | '=' | 'n' | 'r'))) => {
                plain.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    other => other,
                });
                chars.next();
            }
            _ => plain.push(char),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<(String, String)> {
        let members = read(line, |name| name == "label.apikeyid").expect("CEF");
        let text = |value: &Value<'_>| crate::mapping::text_of(value).expect("text").into_owned();
        members.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    #[track_caller]
    fn check(line: &str, name: &str, value: &str) {
        let found = found(line);
        assert!(found.contains(&(name.to_owned(), value.to_owned())), "{found:?}");
    }

    #[test]
    fn the_header_and_the_extension_are_read() {
        let line =
            r"CEF:0|Ex\|ample|Gate\\way|7.2|429-RL|Rate limit|5|src=203.0.113.24 msg=a b\=c d=e act=blocked";
        check(line, "device_vendor", "Ex|ample");
        check(line, "device_product", r"Gate\way");
        check(line, "severity", "5");
        check(line, "msg", "a b=c");
        check(line, "d", "e");
        check(line, "act", "blocked");
    }

    #[test]
    fn a_value_may_hold_spaces_and_a_url_that_nobody_escaped() {
        let line = "CEF:1|a|b|c|d|e|3|request=https://x.example/p?a=1&b=2 requestMethod=GET msg=two words";
        check(line, "request", "https://x.example/p?a=1&b=2");
        check(line, "requestMethod", "GET");
        check(line, "msg", "two words");
    }

    #[test]
    fn custom_fields_are_named_by_their_labels() {
        let line = "CEF:0|a|b|c|d|e|3|cs1=key_live_7Hq2 cs1Label=API Key ID cn1=7 cn1Label=Retry count cs2=x";
        check(line, "label.apikeyid", "key_live_7Hq2");
        check(line, "Retry count", "7");
        check(line, "cs2", "x");
        assert!(!found(line).iter().any(|(name, _)| name.ends_with("Label")));
    }

    #[test]
    fn it_may_stand_behind_a_syslog_header() {
        for header in [
            "<134>1 2026-03-14T09:26:53.589Z waf-1 CEF - - - ",
            "<134>Mar 14 09:26:53 waf-1 ",
            "Mar 14 09:26:53 waf-1 ",
        ] {
            let line = format!("{header}CEF:0|a|b|c|d|e|3|src=192.0.2.1");
            check(&line, "src", "192.0.2.1");
            check(&line, SYSLOG_HOST, "waf-1");
        }
    }

    #[test]
    fn other_text_is_no_cef() {
        for line in ["", "CEF:", "CEF:x|a", "hello CEF:0|a|b|c|d|e|3|", "CEF:0"] {
            assert!(!recognises(line), "{line}");
        }
        assert!(read("CEF:0|a|b", |_| false).is_err());
    }
}
