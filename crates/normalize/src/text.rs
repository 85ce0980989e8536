//! Bytes to text: what is not UTF-8 and what is NUL is replaced, and said so.

use std::borrow::Cow;

/// The mark that stands for what could not be read.
const REPLACEMENT: &str = "\u{fffd}";

/// A line as text, and whether anything in it had to be replaced.
pub(crate) struct Readable<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) invalid_utf8: bool,
    pub(crate) nul_byte: bool,
}

/// Reads bytes as text.
pub(crate) fn readable(bytes: &[u8]) -> Readable<'_> {
    // Nearly every line is valid, and checking that is quicker than walking over its characters.
    let valid = std::str::from_utf8(bytes);
    let invalid_utf8 = valid.is_err();
    let text = valid.map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
    let nul_byte = memchr::memchr(0, bytes).is_some();
    let text = if nul_byte { Cow::Owned(text.replace('\0', REPLACEMENT)) } else { text };
    Readable { text, invalid_utf8, nul_byte }
}

/// What stands on either side of the first of an ASCII byte. Texts are short and this is asked of every
/// line many times over: the searcher of `split_once` costs more to begin than most take to look through.
pub(crate) fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    debug_assert!(byte.is_ascii(), "any other is a piece of a character");
    memchr::memchr(byte, text.as_bytes()).map(|at| (&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_replaced_and_said_so() {
        let read = readable(b"caf\xe9\0!");
        assert_eq!(read.text, "caf\u{fffd}\u{fffd}!");
        assert!(read.invalid_utf8 && read.nul_byte);
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(readable("grüß".as_bytes()).text, Cow::Borrowed("grüß")));
    }
}
