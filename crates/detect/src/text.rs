//! Text that goes into alerts: what a log says is cleaned before a person or a database reads it.

/// Removes control and direction-changing characters and cuts to `chars_max` characters.
pub(crate) fn clean(text: &str, chars_max: usize) -> String {
    if text.len() <= chars_max && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut cleaned: String = text.chars().filter(harmless).take(chars_max + 1).collect();
    if let Some((cut, _)) = cleaned.char_indices().nth(chars_max) {
        cleaned.truncate(cut);
        cleaned.push('…');
    }
    cleaned
}

/// A log's word in a title or description: at most 80 characters.
pub(crate) fn word(text: &str) -> String {
    clean(text, 80)
}

/// An SQL string literal.
pub(crate) fn sql(text: &str) -> String {
    format!("'{}'", clean(text, 512).replace('\'', "''"))
}

/// `1 failure`, `2 failures`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `400 ms`, `13.1 s`, `4 min`, `3.5 h`: how long, at a glance.
pub(crate) fn duration(ms: i64) -> String {
    match ms.abs() {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", tenths(ms, 1_000)),
        120_000..7_200_000 => format!("{} min", tenths(ms, 60_000)),
        7_200_000..172_800_000 => format!("{} h", tenths(ms, 3_600_000)),
        _ => format!("{} days", tenths(ms, 86_400_000)),
    }
}

fn tenths(ms: i64, unit: i64) -> String {
    let tenths = (ms * 10 + unit / 2) / unit;
    if tenths % 10 == 0 {
        format!("{}", tenths / 10)
    } else {
        format!("{}.{}", tenths / 10, (tenths % 10).abs())
    }
}

/// The longest prefix of at most `bytes_max` bytes that ends between characters.
pub(crate) fn prefix(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_text_cannot_break_a_line_or_a_literal() {
        assert_eq!(clean("a\u{1b}[31m\r\nb\u{202e}c", 80), "a[31mbc");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("abc", 3), "abc");
        assert_eq!(sql("o'hara'; DROP TABLE events --"), "'o''hara''; DROP TABLE events --'");
    }

    #[test]
    fn durations_read_well() {
        let said: Vec<_> = [400, 13_116, 20_000, 240_000, 12_600_000].into_iter().map(duration).collect();
        assert_eq!(said, ["400 ms", "13.1 s", "20 s", "4 min", "3.5 h"]);
    }
}
