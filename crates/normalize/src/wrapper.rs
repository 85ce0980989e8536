//! What a container runtime puts in front of each line that it collects: `<stamp> stdout F <line>`.

use event::RejectReason;

use crate::formats::Unreadable;
use crate::text::split_at_byte;

/// A wrapped line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrapped<'l> {
    pub(crate) stamp: &'l str,
    /// `stdout` or `stderr`.
    pub(crate) stream: &'l str,
    pub(crate) line: &'l str,
}

/// The line inside its wrapper, if it has one. A piece of a line is refused: its other pieces stand
/// in other records, and alone it may read as something that it is not.
pub(crate) fn unwrapped(line: &str) -> Result<Option<Wrapped<'_>>, Unreadable> {
    match inside(line) {
        Some((wrapped, true)) => Ok(Some(wrapped)),
        Some((_, false)) => Err(Unreadable::new(
            RejectReason::PartialLine,
            "the container runtime cut the line, and this is a piece of it",
        )),
        None => Ok(None),
    }
}

/// What a wrapper holds, be it a line or a piece of one; the text itself where there is none.
pub(crate) fn contents(text: &str) -> &str {
    inside(text).map_or(text, |(wrapped, _)| wrapped.line)
}

/// A line or a piece of one, and whether it is whole.
fn inside(line: &str) -> Option<(Wrapped<'_>, bool)> {
    if !line.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (stamp, rest) = split_at_byte(line, b' ')?;
    if stamp.len() < "2026-03-14T09:26:53Z".len() || stamp.as_bytes()[10] != b'T' {
        return None;
    }
    let (stream, rest) = rest.split_once(' ').filter(|(stream, _)| matches!(*stream, "stdout" | "stderr"))?;
    let (tags, line) = rest.split_once(' ').unwrap_or((rest, ""));
    match tags.split(':').next() {
        Some("F") => Some((Wrapped { stamp, stream, line: line.trim() }, true)),
        Some("P") => Some((Wrapped { stamp, stream, line }, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_line_is_the_line_inside() {
        for (line, inner) in [
            ("2026-03-14T09:26:53.593035218Z stdout F {\"a\":1}", Some("{\"a\":1}")),
            ("2026-03-14T09:26:53.593035218+01:00 stderr F:x a b", Some("a b")),
            ("2026-03-14T09:26:53.593035218Z stdout F", Some("")),
            ("2026-03-14T09:26:53Z stdout X a", None),
            ("2026-03-14T09:26:53Z edge-1 sshd[1]: a", None),
            (" x", None),
        ] {
            assert_eq!(unwrapped(line).map(|wrapped| wrapped.map(|wrapped| wrapped.line)), Ok(inner));
        }
        let piece = unwrapped("2026-03-14T09:26:53.593035218Z stdout P {\"a\"").expect_err("a piece");
        assert_eq!(piece.reason, RejectReason::PartialLine);
    }
}
