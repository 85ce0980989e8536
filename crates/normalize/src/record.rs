//! A record taken apart: one line, many lines, the elements of a JSON array, or what is in one
//! export request of OTLP.

mod otlp;

use std::borrow::Cow;

use otlp::Records;

/// Walks over the lines of one record. An array of JSON objects, on one line or spread over
/// several, gives its elements.
pub(crate) struct Lines<'a> {
    rest: Option<&'a [u8]>,
    array: Option<Elements<'a>>,
    request: Option<Records<'a>>,
    first: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(payload: &'a [u8]) -> Self {
        let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
        // The line feed that ends the last line does not begin another.
        let payload = payload.strip_suffix(b"\n").unwrap_or(payload);
        Self { rest: Some(payload), array: None, request: None, first: true }
    }

    /// What no call to `next` has given yet.
    pub(crate) fn remainder(&self) -> usize {
        self.rest.map_or(0, <[u8]>::len) + self.array.as_ref().map_or(0, |array| array.rest.len())
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Cow<'a, [u8]>> {
        if let Some(request) = &mut self.request {
            match request.next() {
                Some(record) => return Some(Cow::Owned(record)),
                None => self.request = None,
            }
        }
        let line = self.next_line()?;
        self.request = Records::of(line);
        let record = self.request.as_mut().and_then(Iterator::next);
        Some(record.map_or(Cow::Borrowed(line), Cow::Owned))
    }
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        if let Some(array) = &mut self.array {
            match array.next() {
                Some(element) => return Some(element),
                None => self.array = None,
            }
        }
        let rest = self.rest?;
        // Only the record's first array may span lines: looking for its end at every line that
        // begins like one would make a record of such lines quadratic.
        if std::mem::take(&mut self.first)
            && let Some((inside, after)) = array_of_objects(rest)
        {
            self.rest = (!after.is_empty()).then_some(after);
            return self.enter(inside);
        }
        let end = memchr::memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        self.rest = end.map(|at| &rest[at + 1..]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Files that begin with a mark of their byte order may have been put one behind the other.
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        match array_of_objects(line) {
            Some((inside, [])) => self.enter(inside),
            _ => Some(line),
        }
    }

    fn enter(&mut self, inside: &'a [u8]) -> Option<&'a [u8]> {
        let mut elements = Elements { rest: inside };
        let first = elements.next();
        self.array = Some(elements);
        first
    }
}

/// What is inside the brackets of an array that begins here and whose first element is an object,
/// and what follows it on later lines.
fn array_of_objects(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = bytes.trim_ascii_start().strip_prefix(b"[")?;
    if start.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let end = end_of(start, |byte, depth| byte == b']' && depth == 0)?;
    let after = start[end + 1..].trim_ascii_start();
    let newline_first = start[end + 1..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    matches!(newline_first, None | Some(b'\n')).then_some((&start[..end], after))
}

struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = end_of(self.rest, |byte, depth| byte == b',' && depth == 0);
        let (element, rest) = match end {
            Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(element)
    }
}

/// Where the byte stands that ends a piece of JSON, brackets and strings considered.
fn end_of(bytes: &[u8], ends: impl Fn(u8, usize) -> bool) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if ends(byte, depth) {
            return Some(at);
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => at = end_of_string(bytes, at + 1)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string that began before `at` ends: the place of its closing quote.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// A line of a record by its number, as `kafka_line` has it.
pub fn line_of(payload: &[u8], number: i32) -> Option<Vec<u8>> {
    Lines::of(payload).nth(usize::try_from(number).ok()?).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, lines: &[&str]) {
        let found: Vec<String> =
            Lines::of(payload.as_bytes()).map(|line| String::from_utf8_lossy(&line).into_owned()).collect();
        assert_eq!(found, lines);
    }

    #[test]
    fn a_record_holds_one_line_or_many() {
        check("a", &["a"]);
        check("a\n", &["a"]);
        check("a\r\nb\n\nc", &["a", "b", "", "c"]);
        check("", &[""]);
        check("\u{feff}a\n\u{feff}b", &["a", "b"]);
    }

    #[test]
    fn an_array_gives_its_elements() {
        check(r#"[{"a":"],"},{"b":[1,2]}]"#, &[r#"{"a":"],"}"#, r#"{"b":[1,2]}"#]);
        check("[\n {\"a\":1},\n {\"b\":2}\n]\nnext", &["\n {\"a\":1}", "\n {\"b\":2}\n", "next"]);
        check("x\n[{\"a\":1},{\"b\":2}]", &["x", r#"{"a":1}"#, r#"{"b":2}"#]);
        check("[{}]", &["{}"]);
        check("[{\"a\":1}]\n\nx", &["{\"a\":1}", "x"]);
    }

    #[test]
    fn what_only_looks_like_an_array_is_a_line() {
        check("[error] bad", &["[error] bad"]);
        check("[{\"a\":1}", &["[{\"a\":1}"]);
        check("[{\"a\":1}] tail", &["[{\"a\":1}] tail"]);
        check("[{\"a\":\"\\", &["[{\"a\":\"\\"]);
    }
}
