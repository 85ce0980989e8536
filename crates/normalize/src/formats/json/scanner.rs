//! Reads ordinary JSON, and gives up on any other.
//!
//! Log lines are short and hold few values, so what a parser does around each value counts for more than
//! how many bytes it looks at in one go. Escapes and fractions are left to those who know how to read them.

use std::borrow::Cow;

use crate::fields::Value;

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning of a text. Control characters, also those that are allowed, are out of the ordinary.
    pub(super) fn new(text: &'a str, depth_max: usize) -> Option<Self> {
        // Without a way out in its middle, the loop takes many bytes at a time.
        let has_control = text.bytes().fold(false, |any, byte| any | (byte < 0x20));
        (!has_control).then_some(Self { text, at: 0, depth_left: depth_max })
    }

    /// Whether a byte comes next.
    pub(super) fn is_at(&self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    /// What comes next has to be the end.
    pub(super) fn end(mut self) -> Option<()> {
        self.blanks();
        (self.at == self.text.len()).then_some(())
    }

    /// Reads an object; `each` is given the key of each member, and has to read its value.
    pub(super) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Option<()>,
    ) -> Option<()> {
        self.inside(b'{', b'}', |scanner| {
            let key = scanner.string()?;
            scanner.blanks();
            scanner.take(b':')?;
            scanner.blanks();
            each(scanner, key)
        })
    }

    /// Reads a value of any kind.
    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Value::Text),
            b'{' => {
                let mut members = Vec::new();
                self.members(|scanner, key| {
                    members.push((key, scanner.value()?));
                    Some(())
                })?;
                Some(Value::Object(members))
            }
            b'[' => {
                let mut items = Vec::new();
                self.inside(b'[', b']', |scanner| {
                    items.push(scanner.value()?);
                    Some(())
                })?;
                Some(Value::List(items))
            }
            b't' => self.word("true", Value::True),
            b'f' => self.word("false", Value::False),
            b'n' => self.word("null", Value::Null),
            _ => self.number(),
        }
    }

    /// Reads what stands in brackets with commas in between.
    fn inside(&mut self, open: u8, close: u8, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(open)?;
        self.depth_left = self.depth_left.checked_sub(1)?;
        self.blanks();
        if !self.is_at(close) {
            loop {
                each(self)?;
                self.blanks();
                if self.is_at(close) {
                    break;
                }
                self.take(b',')?;
                self.blanks();
            }
        }
        self.depth_left += 1;
        self.take(close)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let mut len = plain(rest)?;
        self.at = start + len + 1;
        if rest[len] == b'"' {
            return Some(Cow::Borrowed(&self.text[start..start + len]));
        }
        while rest[len] == b'\\' {
            len += 2;
            len += plain(rest.get(len..)?)?;
        }
        self.at = start + len + 1;
        sonic_rs::from_str(&self.text[start - 1..self.at]).ok().map(Cow::Owned)
    }

    fn number(&mut self) -> Option<Value<'a>> {
        let rest = &self.text.as_bytes()[self.at..];
        let is_of_one = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().position(|byte| !is_of_one(byte)).unwrap_or(rest.len());
        let number = &self.text[self.at..self.at + len];
        self.at += len;
        let digits = number.strip_prefix('-').unwrap_or(number).as_bytes();
        let whole = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        // No zero stands in front, and none has a sign.
        let is_plain = match digits.first()? {
            b'0' => whole == 1 && number.len() == digits.len(),
            _ => (1..=18).contains(&whole),
        };
        match &digits[whole..] {
            _ if !is_plain => None,
            [] => number.parse().ok().map(Value::Int),
            [b'.', fraction @ ..] if is_digits(fraction) => number.parse().ok().map(Value::Float),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let is_it = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        is_it.then_some(value)
    }

    fn blanks(&mut self) {
        while self.is_at(b' ') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let is_it = self.is_at(byte);
        self.at += 1;
        is_it.then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// How many bytes stand in front of the first quote or backslash. Eight are looked at in one go: most texts
/// are over before a search for more would have begun.
fn plain(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, rest) = text.as_chunks();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest bit is that of the first.
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_over_at_the_first_quote_or_backslash(text in r#"[a!#\[\]"\\\x01é]{0,20}"#) {
            let at = text.bytes().position(|byte| matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(plain(text.as_bytes()), at);
        }
    }
}
