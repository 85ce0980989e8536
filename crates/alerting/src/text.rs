//! Making text safe for somebody else's screen. Log data is written by attackers too.

/// Control characters (line breaks and terminal escapes among them) and characters that turn
/// the direction of text become the replacement character.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

/// The first `chars` characters; an ellipsis says that there was more.
pub(crate) fn shorten(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_turns_the_text_is_replaced() {
        assert_eq!(clean("a\r\nb\u{1b}[2Jc\u{202e}d\0e"), "a\u{fffd}\u{fffd}b\u{fffd}[2Jc\u{fffd}d\u{fffd}e");
        assert_eq!(clean("<script> {{7*7}} Zoë 漢字"), "<script> {{7*7}} Zoë 漢字");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }
}
