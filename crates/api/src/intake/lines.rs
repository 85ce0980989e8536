//! A body taken apart into lines.

use std::fmt;

use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Reservation;
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
            | "application/octet-stream"
            // What `curl --data-binary` says of whatever it sends.
            | "application/x-www-form-urlencoded" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// The most lines of one body, and the most bytes of one line.
#[derive(Clone, Copy)]
pub(crate) struct LineLimits {
    pub(crate) lines_max: usize,
    pub(crate) line_bytes_max: usize,
}

/// The lines of a body, in order, without their line ends and without empty ones. What they take, and
/// the records that they will be copied into, is booked on `held`.
pub(crate) fn split(
    body: &Bytes,
    layout: Layout,
    limits: LineLimits,
    held: &mut Reservation,
) -> Result<Vec<Bytes>, ApiError> {
    if !held.grow(body.len()) {
        return Err(ApiError::intake_full());
    }
    let mut lines = Lines { lines: Vec::new(), limits, held };
    match layout {
        Layout::Lines => text_lines(body, &mut lines)?,
        Layout::Json => json_lines(body, &mut lines)?,
    }
    if lines.lines.is_empty() {
        return Err(ApiError::BadRequest("the body holds no lines".to_owned()));
    }
    Ok(lines.lines)
}

/// Takes lines as long as there may be more of them, and books what it needs before it grows: two
/// hundred thousand lines of one byte are 0.4 MB of text and 6.4 MB of [`Bytes`].
struct Lines<'a> {
    lines: Vec<Bytes>,
    limits: LineLimits,
    held: &'a mut Reservation,
}

const GROW_BY_MIN: usize = 64;

impl Lines<'_> {
    /// Takes a line; `number` counts from 1 where it stands in the body.
    fn push(&mut self, number: usize, line: Bytes) -> Result<(), ApiError> {
        let LineLimits { lines_max, line_bytes_max } = self.limits;
        if line.len() > line_bytes_max {
            let bytes = line.len();
            return Err(ApiError::TooLarge(format!(
                "line {number} has {bytes} bytes, and at most {line_bytes_max} are taken; no line of this body is stored"
            )));
        }
        if self.lines.len() >= lines_max {
            return Err(ApiError::TooLarge(format!("the body holds more than {lines_max} lines")));
        }
        if self.lines.len() == self.lines.capacity() {
            let more = self.lines.len().max(GROW_BY_MIN).min(lines_max - self.lines.len());
            if !self.held.grow(more * size_of::<Bytes>()) {
                return Err(ApiError::intake_full());
            }
            self.lines.reserve_exact(more);
        }
        self.lines.push(line);
        Ok(())
    }
}

fn text_lines(body: &Bytes, lines: &mut Lines<'_>) -> Result<(), ApiError> {
    for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            lines.push(number, body.slice_ref(line))?;
        }
    }
    Ok(())
}

/// Many shippers call both an array and newline-delimited values `application/json`. What is
/// neither is passed on line by line: the normalizer rejects each with its reason and position.
fn json_lines(body: &Bytes, lines: &mut Lines<'_>) -> Result<(), ApiError> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        let mut json = serde_json::Deserializer::from_slice(body);
        let mut refused = None;
        let all = json.deserialize_seq(Elements { body, lines, refused: &mut refused });
        return match refused {
            Some(refusal) => Err(refusal),
            None => all.and_then(|()| json.end()).map_err(|error| {
                ApiError::BadRequest(format!("the body is not a valid JSON array: {error}"))
            }),
        };
    }
    let values = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    for (number, value) in (1..).zip(values) {
        match value {
            Ok(value) => lines.push(number, one_line(body, value))?,
            Err(_) => {
                lines.lines.clear();
                return text_lines(body, lines);
            }
        }
    }
    Ok(())
}

/// Takes the elements of an array as lines, and notes why it took no more of them.
struct Elements<'a, 'b> {
    body: &'a Bytes,
    lines: &'a mut Lines<'b>,
    refused: &'a mut Option<ApiError>,
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of log lines")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(element) = array.next_element::<&RawValue>()? {
            number += 1;
            if let Err(refusal) = self.lines.push(number, one_line(self.body, element)) {
                *self.refused = Some(refusal);
                return Err(A::Error::custom("refused"));
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
    use event::Tenant;

    use super::*;
    use crate::shares::Shares;

    fn try_split(
        layout: Layout,
        body: &str,
        lines_max: usize,
        memory: usize,
    ) -> Result<Vec<Bytes>, ApiError> {
        let limits = LineLimits { lines_max, line_bytes_max: 100_000 };
        let mut held = Shares::new(memory, memory).open(Tenant::parse("acme").unwrap());
        split(&Bytes::copy_from_slice(body.as_bytes()), layout, limits, &mut held)
    }

    fn check(layout: Layout, body: &str, expected: &[&str]) {
        assert_eq!(try_split(layout, body, 100, 1 << 20).unwrap(), expected);
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
            assert!(try_split(layout, body, 3, 1 << 20).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_hundred_thousand_open_brackets_are_refused_not_followed() {
        assert!(try_split(Layout::Json, &"[".repeat(100_000), 10, 1 << 20).is_err());
    }

    #[test]
    fn short_lines_cost_what_they_take_in_memory() {
        let (lines, bytes) = (10_000, 20_000);
        for (layout, body) in [(Layout::Lines, "1\n".repeat(lines)), (Layout::Json, "1\n".repeat(lines))] {
            let enough = bytes + 2 * lines * 32;
            assert!(try_split(layout, &body, lines, enough).is_ok(), "{layout:?}");
            let refused = try_split(layout, &body, lines, bytes + lines * 32 - 1);
            assert!(matches!(refused, Err(ApiError::TooManyRequests { .. })), "{layout:?}");
        }
    }

    #[test]
    fn a_line_too_long_is_named_by_its_number_in_the_body() {
        let long = "9".repeat(100_001);
        for (layout, body) in [
            (Layout::Lines, format!("one\n\n{long}\nfour")),
            (Layout::Json, format!("[1, 2, {long}, 4]")),
            (Layout::Json, format!("1\n2\n{long}\n")),
        ] {
            let refusal = try_split(layout, &body, 10, 1 << 20).unwrap_err();
            assert!(matches!(&refusal, ApiError::TooLarge(why) if why.starts_with("line 3 ")), "{refusal}");
        }
    }
}
