//! Values in a fixed order between delimiters: CSV, tabs, bars. Quoting is that of RFC 4180.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, ReaderBuilder};
use event::RejectReason;

use super::{Place, Unreadable};
use crate::fields::Fields;

/// A line with more values than this is not read.
const VALUES_MAX: usize = 256;

/// The order of a line's values, and what stands between them.
#[derive(Debug)]
pub(crate) struct Delimited {
    delimiter: u8,
    places: Vec<Place>,
    /// Where those go that are too many, or none where such a line is refused.
    rest: Option<Place>,
}

impl Delimited {
    pub(crate) fn new(delimiter: u8, places: Vec<Place>, rest: Option<Place>) -> Self {
        Self { delimiter, places, rest }
    }

    /// How many values a line has at least.
    pub(crate) fn values(&self) -> usize {
        self.places.len()
    }

    /// Whether a line has as many values as it should.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.split(line).is_some()
    }

    /// Takes a line apart.
    pub(crate) fn read<'a>(&'a self, line: &'a str, slots: usize) -> Result<Fields<'a>, Unreadable> {
        let values = self.split(line).ok_or_else(|| {
            Unreadable::new(
                RejectReason::UnknownFormat,
                "the line has another number of values than its source",
            )
        })?;
        let mut fields = Fields::with_slots(slots);
        let (named, more) = values.split_at(self.places.len());
        for (place, value) in self.places.iter().zip(named) {
            place.put(Cow::Owned(value.clone()), &mut fields);
        }
        if let (Some(rest), false) = (&self.rest, more.is_empty()) {
            rest.put(Cow::Owned(more.join(" ")), &mut fields);
        }
        Ok(fields)
    }

    fn split(&self, line: &str) -> Option<Vec<String>> {
        // A reader that is cloned has lost its tables.
        let mut reader = ReaderBuilder::new().delimiter(self.delimiter).build();
        let mut input = line.as_bytes();
        let (mut text, mut ends) = (vec![0; line.len()], [0; VALUES_MAX]);
        let (mut text_len, mut count) = (0, 0);
        loop {
            let (result, read, written, ended) =
                reader.read_record(input, &mut text[text_len..], &mut ends[count..]);
            (input, text_len, count) = (&input[read..], text_len + written, count + ended);
            match result {
                // Nothing more comes: the next call ends the line.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return None,
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        let is_right = count == self.places.len() || (count > self.places.len() && self.rest.is_some());
        let starts = std::iter::once(0).chain(ends[..count].iter().copied());
        let values = starts.zip(&ends[..count]).map(|(start, end)| &text[start..*end]);
        is_right.then(|| values.map(|value| String::from_utf8_lossy(value).into_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(delimiter: u8, line: &str, keeps_rest: bool) -> Option<Vec<(String, String)>> {
        let places = ["time", "user", "did"].map(|name| Place::Rest(name.to_owned())).to_vec();
        let rest = keeps_rest.then(|| Place::Rest("rest".to_owned()));
        let delimited = Delimited::new(delimiter, places, rest);
        assert_eq!(delimited.fits(line), delimited.read(line, 0).is_ok());
        let fields = delimited.read(line, 0).ok()?;
        let text = |value: &crate::fields::Value<'_>| {
            crate::mapping::text_of(value).unwrap_or_default().into_owned()
        };
        Some(fields.rest.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    #[track_caller]
    fn check(delimiter: u8, line: &str, expected: [&str; 3]) {
        let found = read(delimiter, line, false).expect("three values");
        let found: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn values_stand_between_delimiters_and_may_be_quoted() {
        check(b',', "1,dana,login", ["1", "dana", "login"]);
        check(b',', r#"1,"Kowalski, ""Dana""",login"#, ["1", "Kowalski, \"Dana\"", "login"]);
        check(b'\t', "1\tdana kim\tlogin, again", ["1", "dana kim", "login, again"]);
        check(b'|', "1||ü", ["1", "", "ü"]);
    }

    #[test]
    fn a_line_with_too_few_or_too_many_is_refused_unless_the_rest_is_kept() {
        for line in ["", "1,2", "1,2,3,4"] {
            assert_eq!(read(b',', line, false), None, "{line}");
        }
        let kept = read(b',', "1,2,3,4,5", true).expect("more than three");
        assert_eq!(kept.last(), Some(&("rest".to_owned(), "4 5".to_owned())));
        assert_eq!(read(b',', &",".repeat(10_000), true), None, "more than anybody names");
        assert_eq!(read(b',', "1,\"2,3", false), None, "a quote that does not end");
    }
}
