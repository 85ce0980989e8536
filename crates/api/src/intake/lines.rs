//! A body taken apart into lines.

use std::fmt;

use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::ApiError;

/// How a body holds its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One to a line of text.
    Lines,
    /// `application/json`: one array of them, one value, or values one after the other.
    Json,
}

impl Layout {
    /// The layout that a `Content-Type` header names; none if it is nothing that holds log lines.
    pub(crate) fn parse(header: Option<&str>) -> Option<Self> {
        let Some(header) = header else { return Some(Self::Lines) };
        let essence = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "text/plain"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/octet-stream" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// The lines of a body, in order, without their line ends and without empty ones.
pub(crate) fn split(body: &Bytes, layout: Layout, lines_max: usize) -> Result<Vec<Bytes>, ApiError> {
    let lines = match layout {
        Layout::Lines => text_lines(body, lines_max),
        Layout::Json => json_lines(body, lines_max)?,
    };
    if lines.is_empty() {
        return Err(ApiError::BadRequest("the body holds no lines".to_owned()));
    }
    if lines.len() > lines_max {
        return Err(ApiError::TooLarge(format!("the body holds more than {lines_max} lines")));
    }
    Ok(lines)
}

/// Stops one line past the limit, so that a body of line ends costs no memory.
fn text_lines(body: &Bytes, lines_max: usize) -> Vec<Bytes> {
    body.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .take(lines_max.saturating_add(1))
        .map(|line| body.slice_ref(line))
        .collect()
}

/// Many shippers call both an array and newline-delimited values `application/json`. What is
/// neither is passed on line by line: the normalizer rejects each with its reason and position.
fn json_lines(body: &Bytes, lines_max: usize) -> Result<Vec<Bytes>, ApiError> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        let not_an_array =
            |error| ApiError::BadRequest(format!("the body is not a valid JSON array: {error}"));
        let mut json = serde_json::Deserializer::from_slice(body);
        let mut lines = Vec::new();
        let all = json.deserialize_seq(Elements { body, lines: &mut lines, lines_max });
        if lines.len() <= lines_max {
            all.and_then(|()| json.end()).map_err(not_an_array)?;
        }
        return Ok(lines);
    }
    let values = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    let lines: Result<Vec<_>, _> =
        values.take(lines_max.saturating_add(1)).map(|value| Ok(one_line(body, value?))).collect();
    lines.or_else(|_: serde_json::Error| Ok(text_lines(body, lines_max)))
}

/// Collects the elements of an array; gives up one past the limit.
struct Elements<'a> {
    body: &'a Bytes,
    lines: &'a mut Vec<Bytes>,
    lines_max: usize,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of log lines")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(element) = array.next_element::<&RawValue>()? {
            self.lines.push(one_line(self.body, element));
            if self.lines.len() > self.lines_max {
                return Err(A::Error::custom("too many elements"));
            }
        }
        Ok(())
    }
}

/// A JSON value on one line. Line ends within JSON text can only stand between its tokens, where a
/// space means the same.
fn one_line(body: &Bytes, value: &RawValue) -> Bytes {
    let text = value.get().as_bytes();
    if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return body.slice_ref(text);
    }
    text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(layout: Layout, body: &str, expected: &[&str]) {
        let lines = split(&Bytes::copy_from_slice(body.as_bytes()), layout, 100).unwrap();
        assert_eq!(lines, expected);
    }

    #[test]
    fn text_is_split_at_line_ends() {
        check(Layout::Lines, "one\r\n\r\n\n two \nthree", &["one", " two ", "three"]);
    }

    #[test]
    fn a_json_array_is_one_line_an_element() {
        check(Layout::Json, " [ {\"a\":\n1},\"x\\ny\" , 3 ]", &["{\"a\": 1}", "\"x\\ny\"", "3"]);
    }

    #[test]
    fn json_values_may_be_spread_over_lines_or_follow_each_other() {
        check(Layout::Json, "{\n  \"a\": 1\n}\n", &["{   \"a\": 1 }"]);
        check(Layout::Json, "{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}", "{\"a\":2}"]);
    }

    #[test]
    fn duplicate_keys_and_odd_numbers_stay_as_they_were_written() {
        check(Layout::Json, "[{\"s\":401,\"s\":200,\"n\":1e400}]", &["{\"s\":401,\"s\":200,\"n\":1e400}"]);
    }

    #[test]
    fn broken_json_passes_line_by_line_for_the_normalizer_to_judge() {
        check(Layout::Json, "{\"a\":1}\n{\"a\":\n", &["{\"a\":1}", "{\"a\":"]);
    }

    #[test]
    fn a_broken_array_a_void_and_too_many_lines_are_refused() {
        for (layout, body) in
            [(Layout::Json, "[1,"), (Layout::Lines, "\n\r\n"), (Layout::Lines, "a\nb\nc\nd")]
        {
            assert!(split(&Bytes::from_static(body.as_bytes()), layout, 3).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_hundred_thousand_open_brackets_are_refused_not_followed() {
        let body = Bytes::from("[".repeat(100_000));
        assert!(split(&body, Layout::Json, 10).is_err());
    }
}
