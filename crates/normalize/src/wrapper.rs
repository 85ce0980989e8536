//! What a container runtime puts in front of each line that it collects: `<stamp> stdout F <line>`.

use event::RejectReason;

use crate::formats::Unreadable;

/// The line inside its wrapper, with the wrapper's stamp, or as it is where it has none. A piece of a
/// line is refused: its other pieces stand in other records, and alone it may read as something that
/// it is not.
pub(crate) fn unwrapped(line: &str) -> Result<(&str, Option<&str>), Unreadable> {
    match inside(line) {
        None => Ok((line, None)),
        Some((true, inner)) => Ok((inner, line.split(' ').next())),
        Some((false, _)) => Err(Unreadable::new(
            RejectReason::PartialLine,
            "the container runtime cut the line, and this is a piece of it",
        )),
    }
}

/// What a wrapper holds, be it a line or a piece of one; the text itself where there is none.
pub(crate) fn contents(text: &str) -> &str {
    inside(text).map_or(text, |(_, inner)| inner)
}

/// Whether the line is whole, and the line.
fn inside(line: &str) -> Option<(bool, &str)> {
    let (stamp, rest) = line.split_once(' ')?;
    let digits = stamp.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if !digits || stamp.len() < "2026-03-14T09:26:53Z".len() || stamp.as_bytes()[10] != b'T' {
        return None;
    }
    let rest = rest.strip_prefix("stdout ").or_else(|| rest.strip_prefix("stderr "))?;
    let (tags, inner) = rest.split_once(' ').unwrap_or((rest, ""));
    match tags.split(':').next() {
        Some("F") => Some((true, inner.trim())),
        Some("P") => Some((false, inner)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_line_is_the_line_inside() {
        for (line, inner) in [
            ("2026-03-14T09:26:53.593035218Z stdout F {\"a\":1}", "{\"a\":1}"),
            ("2026-03-14T09:26:53.593035218+01:00 stderr F:x a b", "a b"),
            ("2026-03-14T09:26:53.593035218Z stdout F", ""),
            ("2026-03-14T09:26:53Z stdout X a", "2026-03-14T09:26:53Z stdout X a"),
            ("2026-03-14T09:26:53Z edge-1 sshd[1]: a", "2026-03-14T09:26:53Z edge-1 sshd[1]: a"),
            (" x", " x"),
        ] {
            assert_eq!(unwrapped(line).map(|(inner, _)| inner), Ok(inner));
        }
        let piece = unwrapped("2026-03-14T09:26:53.593035218Z stdout P {\"a\"").expect_err("a piece");
        assert_eq!(piece.reason, RejectReason::PartialLine);
    }
}
