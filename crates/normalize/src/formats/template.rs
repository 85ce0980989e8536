//! A template as nginx and Apache users write it: `$remote_addr - $remote_user [$time_local] ...`.
//!
//! What stands between two variables ends the first, so a line is read by looking for a few
//! bytes, not by a regular expression.

use std::borrow::Cow;

use event::RejectReason;
use memchr::memmem::Finder;

use super::{Place, Unreadable};
use crate::fields::Fields;

/// A compiled template.
#[derive(Debug)]
pub(crate) struct Template {
    lead: String,
    variables: Vec<Variable>,
    /// Where to put what stands behind the last variable; nowhere means such a line does not fit.
    tail: Option<Place>,
    /// Whether `\xHH` in a value stands for a byte.
    hex_escapes: bool,
}

#[derive(Debug)]
struct Variable {
    place: Place,
    /// How many bytes it has, where that is fixed.
    width: Option<usize>,
    /// What ends it; empty at the line's end.
    until: String,
    /// Looks for what ends it.
    end: Finder<'static>,
    /// Whether it stands in quotes, so that a quote inside it is written `\"`.
    quoted: bool,
    /// Whether it holds no space, as in `${host:word}`.
    is_word: bool,
}

/// What a variable is written as: `$name`, `${name:26}` of so many bytes, `${name:word}` without a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Open,
    Width(usize),
    Word,
}

/// A variable's name and extent, and the text behind it.
type Part = (String, Extent, String);

/// Takes a template apart: the text before the first variable, then each variable.
pub(crate) fn parts(template: &str) -> Result<(String, Vec<Part>), &'static str> {
    let mut pieces = template.split('$');
    let lead = pieces.next().unwrap_or_default().to_owned();
    let mut variables = Vec::new();
    for piece in pieces {
        let (name, until) = match piece.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or("close the brace of ${name}")?,
            None => {
                let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                piece.split_at(end.unwrap_or(piece.len()))
            }
        };
        let (name, extent) = match name.split_once(':') {
            Some((name, "word")) => (name, Extent::Word),
            Some((name, width)) => {
                let width = width.parse().map_err(|_| "write a width as ${name:26}, or ${name:word}")?;
                (name, Extent::Width(width))
            }
            None => (name, Extent::Open),
        };
        if name.is_empty() {
            return Err("write a variable as $name or ${name}");
        }
        variables.push((name.to_owned(), extent, until.to_owned()));
    }
    let is_fixed = |extent: &Extent| matches!(extent, Extent::Width(_));
    if variables.iter().rev().skip(1).any(|(_, extent, until)| until.is_empty() && !is_fixed(extent)) {
        return Err("put some text between two variables, or give the first a width");
    }
    if variables.is_empty() { Err("name at least one $variable") } else { Ok((lead, variables)) }
}

impl Template {
    /// How many variables it has.
    pub(crate) fn variables(&self) -> usize {
        self.variables.len()
    }

    /// Compiles a template; `place` says where each variable goes.
    pub(crate) fn compile(
        template: &str,
        tail: Option<Place>,
        hex_escapes: bool,
        mut place: impl FnMut(&str) -> Place,
    ) -> Result<Self, &'static str> {
        let (lead, parts) = parts(template)?;
        let mut before_ends_in_quote = lead.ends_with('"');
        let mut variables = Vec::with_capacity(parts.len());
        for (name, extent, until) in parts {
            let quoted = before_ends_in_quote && until.starts_with('"');
            before_ends_in_quote = until.ends_with('"');
            let is_word = extent == Extent::Word;
            let width = if let Extent::Width(width) = extent { Some(width) } else { None };
            let end = Finder::new(&until).into_owned();
            variables.push(Variable { place: place(&name), width, until, end, quoted, is_word });
        }
        Ok(Self { lead, variables, tail, hex_escapes })
    }

    /// Reads a line.
    pub(crate) fn read<'a>(&'a self, line: &'a str, slots: usize) -> Result<Fields<'a>, Unreadable> {
        let mut fields = Fields::with_slots(slots);
        match self.fill(line, &mut fields) {
            Some(()) => Ok(fields),
            None => Err(Unreadable::new(
                RejectReason::UnknownFormat,
                "the line does not fit the source's template",
            )),
        }
    }

    /// Whether a line fits.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.walk(line, |_, _| {}).is_some()
    }

    fn fill<'a>(&'a self, line: &'a str, fields: &mut Fields<'a>) -> Option<()> {
        let tail = self.walk(line, |variable, text| variable.place.put(self.unescape(text), fields))?;
        if let (Some(place), false) = (&self.tail, tail.is_empty()) {
            place.put(self.unescape(tail), fields);
        }
        Some(())
    }

    fn walk<'a>(&'a self, line: &'a str, mut found: impl FnMut(&'a Variable, &'a str)) -> Option<&'a str> {
        let mut rest = line.strip_prefix(self.lead.as_str())?;
        for (n, variable) in self.variables.iter().enumerate() {
            let end = variable.length(rest, self.variables.get(n + 1))?;
            found(variable, &rest[..end]);
            rest = rest[end..].strip_prefix(variable.until.as_str())?;
        }
        (rest.is_empty() || self.tail.is_some()).then(|| rest.trim())
    }

    fn unescape<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.hex_escapes || memchr::memchr(b'\\', text.as_bytes()).is_none() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(unescape_hex(text))
    }
}

impl Variable {
    /// How long the value at the front of `rest` is.
    fn length(&self, rest: &str, next: Option<&Variable>) -> Option<usize> {
        if let Some(width) = self.width {
            return rest.is_char_boundary(width).then_some(width);
        }
        if self.until.is_empty() {
            return Some(rest.len());
        }
        let bytes = rest.as_bytes();
        let mut from = 0;
        loop {
            let at = from + self.end.find(&bytes[from..])?;
            let escaped =
                self.quoted && bytes[..at].iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1;
            if self.is_word && bytes[..at].contains(&b' ') {
                return None;
            }
            if !escaped && next.is_none_or(|next| next.stands_at(rest, at + self.until.len())) {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// Whether a variable of fixed width can begin here. A client can write the text that ends
    /// one value into the value before it, e.g. ` [` into its user name; it then is not followed
    /// by a time stamp's width and its bracket.
    fn stands_at(&self, rest: &str, at: usize) -> bool {
        self.width
            .is_none_or(|width| rest.get(at + width..).is_some_and(|behind| behind.starts_with(&*self.until)))
    }
}

/// Decodes `\xHH` and `\"`, `\\`; what is then not UTF-8 is replaced.
fn unescape_hex(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        rest = match (byte, after) {
            (b'\\', [b'x', a, b, behind @ ..]) if hex(&[*a, *b]).is_some_and(|byte| byte != 0) => {
                bytes.extend(hex(&[*a, *b]));
                behind
            }
            (b'\\', [escaped @ (b'"' | b'\\'), behind @ ..]) => {
                bytes.push(*escaped);
                behind
            }
            _ => {
                bytes.push(byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"$addr - $user [${time:26}] "$request" $status $bytes "$referrer" "$agent""#;

    fn read(template: &str, line: &str) -> Option<Vec<(String, String)>> {
        let template =
            Template::compile(template, None, true, |name| Place::Rest(name.to_owned())).expect("a template");
        let fields = template.read(line, 0).ok()?;
        Some(
            fields
                .rest
                .iter()
                .map(|(name, value)| match value {
                    crate::fields::Value::Text(text) => (name.to_string(), text.to_string()),
                    other => panic!("{other:?}"),
                })
                .collect(),
        )
    }

    #[track_caller]
    fn check(line: &str, name: &str, value: &str) {
        let found = read(COMBINED, line).expect("fits");
        assert!(found.contains(&(name.to_owned(), value.to_owned())), "{found:?}");
    }

    #[test]
    fn values_stand_between_the_templates_text() {
        let line = r#"192.0.2.1 - - [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 5 "-" "curl""#;
        check(line, "addr", "192.0.2.1");
        check(line, "time", "14/Mar/2026:09:26:53 +0000");
        check(line, "agent", "curl");
    }

    #[test]
    fn a_user_name_cannot_forge_the_time() {
        let line = r#"192.0.2.1 - a [01/Jan/2001:00:00:00 +0000] b [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 5 "-" "curl""#;
        check(line, "time", "14/Mar/2026:09:26:53 +0000");
        check(line, "user", "a [01/Jan/2001:00:00:00 +0000] b");
    }

    #[test]
    fn quotes_and_bytes_may_be_escaped() {
        let line = r#"192.0.2.1 - - [14/Mar/2026:09:26:53 +0000] "GET /\x22a HTTP/1.1" 200 5 "-" "a \" 1 \"b\xC3\xA9""#;
        check(line, "request", "GET /\"a HTTP/1.1");
        check(line, "agent", "a \" 1 \"bé");
    }

    #[test]
    fn a_word_holds_no_space() {
        let line = r#"192.0.2.1 - - [14/Mar/2026:09:26:53 +0000] "GET / HTTP/1.1" 200 5 "-" "curl""#;
        assert!(read(COMBINED, line).is_some());
        let before = format!("Mar 14 09:26:53 h nginx: {line}");
        assert!(read(COMBINED, &before).is_some());
        assert_eq!(read(&COMBINED.replace("$addr", "${addr:word}"), &before), None);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(read(COMBINED, "hello"), None);
        assert_eq!(read("$a b", "x b tail"), None);
        assert!(parts("$a$b").is_err() && parts("text").is_err() && parts("${a").is_err());
    }
}
