//! Text from elsewhere as a terminal may show it: a record, a key or a client's name must not move
//! the cursor, change the title, or look like something that it is not.

use std::fmt::Write;

use serde::Serialize;

/// Bytes as text. What is not UTF-8 becomes `\xNN`; what would act on a terminal, or hide, becomes
/// `\n`, `\t` or `\u{…}`.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if acts(letter) {
                text.extend(letter.escape_default());
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("a String takes every write");
        }
    }
    text
}

/// JSON in one line, in which nothing acts on a terminal either.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<String> {
    let json = serde_json::to_string(value)?;
    if !json.contains(acts) {
        return Ok(json);
    }
    let mut line = String::with_capacity(json.len());
    // Outside of its strings JSON has no such letters, and inside them this means the same.
    for letter in json.chars() {
        if acts(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(line, "\\u{unit:04x}")?;
            }
        } else {
            line.push(letter);
        }
    }
    Ok(line)
}

/// Control characters, those that turn the direction of text, and those that nobody sees.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_spelled_out() {
        for (bytes, shown) in [
            (&b"plain \\ \"text\""[..], "plain \\ \"text\""),
            ("größer als 世界".as_bytes(), "größer als 世界"),
            (b"\x1b[2J\x1b]0;title\x07", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            (b"a\r\nb\tc\x7f", "a\\r\\nb\\tc\\u{7f}"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("user\u{202e}gpj.exe".as_bytes(), "user\\u{202e}gpj.exe"),
            (b"\xff\x9b", "\\xff\\x9b"),
        ] {
            assert_eq!(printable(bytes), shown);
        }
    }

    #[test]
    fn json_stays_what_it_is_and_acts_on_no_terminal() {
        for text in ["\x1b[2J", "\u{9b}31m \u{7f}", "\u{202e}", "\u{e0041}", "a\nb", "plain"] {
            let line = json_line(&[text]).unwrap();
            assert!(!line.contains(acts), "{line:?}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&line).unwrap(), [text]);
        }
    }
}
