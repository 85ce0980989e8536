//! Examples: a few raw log lines, and what a detector must say of them.
//!
//! ```toml
//! [[examples]]
//! name = "somebody walks through ids"
//! source = "partner"
//! lines = [
//!     '{"v":1,"ts":"{+0s}","event":"session.started","partner_id":"prt_example"}',
//!     { times = 12, every = "5s", line = '{"v":1,"ts":"{+30s}","object_id":"o{n}"}' },
//! ]
//! raises = ["authz.bola_probe"]
//! ```
//!
//! In a line `{+90s}` is the moment so long after [`BEGIN`], in RFC 3339, and `{n}` counts the repetitions
//! from 0, of which each is `every` so long. A line arrives at the first moment that it names.

use std::collections::BTreeSet;

use event::{EventTime, Tenant};
use serde::Deserialize;
use toml::Value;

/// When every example begins: Monday, 2026-03-16T09:00:00Z.
pub const BEGIN: EventTime = EventTime(1_773_651_600_000);

/// Whose logs they are where an example does not say.
const PARTNER: &str = "prt_example";
/// An example of more lines is refused.
const LINES_MAX: usize = 20_000;
/// A longer time is refused: four hundred days.
const TIME_MAX_MS: i64 = 400 * 86_400_000;

/// Some lines, and what one detector must say of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The detector's name.
    pub detector: &'static str,
    /// Where it stands, as `FILE:LINE`.
    pub at: String,
    /// What it shows, in words.
    pub name: String,
    /// What the lines are: a source's name in `schemas/`.
    pub source: String,
    /// Whose logs they are.
    pub partner: Tenant,
    /// The classes that the detector must raise, each at least once, and no other; empty: nothing.
    pub raises: BTreeSet<String>,
    lines: Vec<Line>,
}

/// One line, so many times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    line: String,
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    every: Option<String>,
}

fn once() -> usize {
    1
}

/// An example as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    source: String,
    partner: Option<String>,
    lines: Vec<Value>,
    raises: BTreeSet<String>,
}

/// What is wrong with an example: a key in it, the problem and the cure.
pub(super) type Wrong = (String, String, String);

impl Example {
    /// Reads one that stands `at` a place of a file.
    pub(super) fn read(detector: &'static str, at: String, value: Value) -> Result<Self, Wrong> {
        let wrong =
            |key: &str, problem: &str, cure: &str| (key.to_owned(), problem.to_owned(), cure.to_owned());
        let cure = "write name, source, lines and raises; lines and raises are lists";
        let written: Written = value.try_into().map_err(|e: toml::de::Error| wrong("", e.message(), cure))?;
        let partner = Tenant::parse(written.partner.as_deref().unwrap_or(PARTNER))
            .map_err(|error| wrong("partner", &error.to_string(), "name a partner by its id"))?;
        let mut lines = Vec::with_capacity(written.lines.len());
        for (n, value) in written.lines.into_iter().enumerate() {
            let line = Line::read(value).map_err(|(problem, cure)| (format!("lines[{n}]"), problem, cure))?;
            lines.push(line);
        }
        let count = lines.iter().fold(0_usize, |count, line| count.saturating_add(line.times));
        if !(1..=LINES_MAX).contains(&count) {
            let cure = format!("write between 1 and {LINES_MAX}");
            return Err(wrong("lines", &format!("{count} lines are no example"), &cure));
        }
        let Written { name, source, raises, .. } = written;
        Ok(Self { detector, at, name, source, partner, raises, lines })
    }

    /// Its lines in the order in which they arrive, each with when it does.
    pub fn lines(&self) -> Vec<(EventTime, String)> {
        let mut lines: Vec<_> = self.lines.iter().flat_map(Line::repeated).collect();
        lines.sort_by_key(|(at, _)| *at);
        lines
    }
}

impl Line {
    fn read(value: Value) -> Result<Self, (String, String)> {
        let line = match value {
            Value::String(line) => Self { line, times: 1, every: None },
            other => other.try_into::<Line>().map_err(|error| {
                let cure = "write a text, or { times = 10, every = \"5s\", line = \"...\" }";
                (error.message().to_owned(), cure.to_owned())
            })?,
        };
        let every = line.every.as_deref().map(|every| duration_ms(every).is_some());
        if every == Some(false) || line.times > LINES_MAX {
            return Err((
                "every or times makes no sense".to_owned(),
                format!("write a time such as 90s, 5m, 2h or 1d, and no more than {LINES_MAX} times"),
            ));
        }
        Ok(line)
    }

    fn repeated(&self) -> impl Iterator<Item = (EventTime, String)> {
        let every_ms = self.every.as_deref().and_then(duration_ms).unwrap_or_default();
        (0..self.times).map(move |n| {
            let later_ms = every_ms.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX)).min(TIME_MAX_MS);
            self.filled(n, BEGIN + later_ms)
        })
    }

    /// The line with its moments, counted from `begin`, and its number.
    fn filled(&self, n: usize, begin: EventTime) -> (EventTime, String) {
        let (mut text, mut arrives) = (String::with_capacity(self.line.len()), None);
        let mut rest = self.line.as_str();
        while let Some((before, behind)) = rest.split_once('{') {
            text.push_str(before);
            rest = behind;
            let Some((inside, after)) = behind.split_once('}') else {
                text.push('{');
                continue;
            };
            if let Some(later_ms) = inside.strip_prefix('+').and_then(duration_ms) {
                let moment = begin + later_ms;
                arrives = arrives.or(Some(moment));
                text.push_str(&moment.to_rfc3339());
                rest = after;
            } else if inside == "n" {
                text.push_str(&n.to_string());
                rest = after;
            } else {
                text.push('{');
            }
        }
        text.push_str(rest);
        (arrives.unwrap_or(begin), text)
    }
}

/// `500ms`, `90s`, `5m`, `2h` or `1d`.
fn duration_ms(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ms).filter(|ms| *ms <= TIME_MAX_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example(lines: &str) -> Result<Example, Wrong> {
        let text = format!("name = \"n\"\nsource = \"partner\"\nraises = []\nlines = {lines}");
        let value = Value::Table(toml::from_str(&text).unwrap());
        Example::read("probing", "rules/probing.toml:3".to_owned(), value)
    }

    #[test]
    fn a_line_is_filled_with_moments_and_its_number_and_arrives_at_the_first() {
        let lines = example(
            r#"[{ times = 2, every = "5s", line = '{"ts":"{+90s}","o":"{n}","x":{"y":1}}' }, "plain"]"#,
        );
        let lines: Vec<_> = lines.unwrap().lines().into_iter().map(|(at, line)| (at - BEGIN, line)).collect();
        assert_eq!(
            lines,
            [
                (0, "plain".to_owned()),
                (90_000, r#"{"ts":"2026-03-16T09:01:30.000Z","o":"0","x":{"y":1}}"#.to_owned()),
                (95_000, r#"{"ts":"2026-03-16T09:01:35.000Z","o":"1","x":{"y":1}}"#.to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_no_example_is_told_with_its_key_and_a_cure() {
        let wrong = |lines: &str| example(lines).unwrap_err();
        assert_eq!(wrong("[]").0, "lines");
        assert_eq!(wrong("[7]").0, "lines[0]");
        assert_eq!(wrong("['a', { line = 'b', each = '5s' }]").0, "lines[1]");
        assert!(wrong("[{ line = 'b', every = 'often' }]").2.contains("90s"));
        assert!(wrong("[{ line = 'b', times = 20001 }]").2.contains("20000"));
        assert_eq!(wrong("[{ line = 'b', times = 20000 }, 'c']").1, "20001 lines are no example");
    }

    proptest! {
        #[test]
        fn no_line_brings_the_reader_down(line in "(\\{\\+?[0-9]{0,20}(ms|s|m|h|d|n)?\\}?|\\PC){0,8}", times in 0..5_usize) {
            let every = Some("400d".to_owned());
            let _filled: Vec<_> = Line { line, times, every }.repeated().collect();
        }
    }
}
