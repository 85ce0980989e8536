//! The header of a syslog line: `<PRI>`, time stamp, host, program and pid; with and without PRI,
//! the stamp as RFC 3164 has it or as RFC 3339.

use event::RejectReason;

use super::Unreadable;

/// A syslog line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) priority: Option<&'a str>,
    pub(crate) timestamp: &'a str,
    pub(crate) host: &'a str,
    pub(crate) program: Option<&'a str>,
    pub(crate) pid: Option<&'a str>,
    pub(crate) message: &'a str,
    /// What `message repeated N times: [ ... ]` said; the message is then the one inside.
    pub(crate) repeated: Option<&'a str>,
}

/// The names under which a description asks for the header's parts.
pub(crate) const NAMES: [&str; 7] =
    ["priority", "timestamp", "host", "program", "pid", "message", "repeated"];

/// Takes a line apart.
pub(crate) fn header(line: &str) -> Result<Header<'_>, Unreadable> {
    split(line).ok_or_else(|| {
        Unreadable::new(RejectReason::UnknownFormat, "the line has no syslog time stamp and host")
    })
}

/// Whether a line says of itself that it is syslog. A stamp without a year does; an RFC 3339 stamp
/// is what lines of any kind begin with, so it takes a priority or the name of a program besides.
pub(crate) fn recognises(line: &str) -> bool {
    split(line).is_some_and(|header| {
        let general = header.timestamp.starts_with(|first: char| first.is_ascii_digit());
        !general || header.priority.is_some() || header.program.is_some_and(is_program)
    })
}

fn is_program(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/()@+-".contains(&byte);
    name.bytes().all(plain) && name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn split(line: &str) -> Option<Header<'_>> {
    let (priority, line) = match line.strip_prefix('<') {
        Some(rest) => {
            let (priority, rest) = rest.split_once('>')?;
            let digits = (1..=3).contains(&priority.len()) && priority.bytes().all(|b| b.is_ascii_digit());
            digits.then_some((Some(priority), rest))?
        }
        None => (None, line),
    };
    let (timestamp, rest) = stamp(line)?;
    let (host, rest) = rest.split_once(' ')?;
    if host.is_empty() {
        return None;
    }
    let (program, pid, message) = tag(rest);
    let (repeated, message) = repetition(message);
    Some(Header { priority, timestamp, host, program, pid, message, repeated })
}

fn stamp(line: &str) -> Option<(&str, &str)> {
    const RFC_3164: usize = "Mar 14 09:26:53".len();
    let bytes = line.as_bytes();
    if bytes.first()?.is_ascii_digit() {
        let (stamp, rest) = line.split_once(' ')?;
        return (stamp.len() >= 19 && stamp.as_bytes()[10] == b'T').then_some((stamp, rest));
    }
    let shape = bytes.len() > RFC_3164
        && bytes[..3].iter().all(u8::is_ascii_alphabetic)
        && bytes[3] == b' '
        && bytes[6] == b' '
        && bytes[9] == b':'
        && bytes[RFC_3164] == b' ';
    shape.then(|| (&line[..RFC_3164], &line[RFC_3164 + 1..]))
}

/// `program[pid]: message`; a program's name has no space and no colon.
fn tag(rest: &str) -> (Option<&str>, Option<&str>, &str) {
    let nothing = (None, None, rest);
    let Some((tag, message)) = rest.split_once(':') else { return nothing };
    if tag.is_empty() || tag.len() > 64 || tag.contains(' ') {
        return nothing;
    }
    let message = message.strip_prefix(' ').unwrap_or(message);
    match tag.strip_suffix(']').and_then(|tag| tag.split_once('[')) {
        Some((program, pid)) => (Some(program), Some(pid), message),
        None => (Some(tag), None, message),
    }
}

/// rsyslog folds equal messages into `message repeated N times: [ ... ]`.
fn repetition(message: &str) -> (Option<&str>, &str) {
    let inner = || {
        let (times, inner) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
        let times = (times.len() <= 6 && times.bytes().all(|b| b.is_ascii_digit())).then_some(times)?;
        Some((Some(times), inner.strip_suffix(']')?.trim_start()))
    };
    inner().unwrap_or((None, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_with_priority_and_without() {
        let line = "Mar  4 09:26:53 edge-1 sshd[16378]: Failed password for root";
        let plain = header(line).expect("syslog");
        assert_eq!((plain.timestamp, plain.host), ("Mar  4 09:26:53", "edge-1"));
        assert_eq!((plain.program, plain.pid), (Some("sshd"), Some("16378")));
        assert_eq!(plain.message, "Failed password for root");
        let with = format!("<38>{line}");
        assert_eq!(header(&with).expect("syslog"), Header { priority: Some("38"), ..plain });
    }

    #[test]
    fn the_stamp_may_be_rfc_3339_and_the_program_missing() {
        let read = header("2026-03-14T09:26:53.589+01:00 edge-1 last message lost").expect("syslog");
        assert_eq!((read.timestamp, read.program), ("2026-03-14T09:26:53.589+01:00", None));
        assert_eq!(read.message, "last message lost");
    }

    #[test]
    fn a_repeated_message_is_the_message_inside() {
        let read =
            header("Mar 14 09:26:53 h sshd[1]: message repeated 5 times: [ Failed x]").expect("syslog");
        assert_eq!((read.repeated, read.message), (Some("5"), "Failed x"));
    }

    #[test]
    fn a_stamp_and_a_word_are_no_syslog_yet() {
        for line in [
            "2026-03-14T09:26:53Z edge-1 sshd[1]: x",
            "2026-03-14T09:26:53Z edge-1 sudo: x",
            "<38>2026-03-14T09:26:53Z edge-1 last message lost",
            "Mar 14 09:26:53 edge-1 last message lost",
        ] {
            assert!(recognises(line), "{line}");
        }
        for line in [
            "2026-03-14T09:26:53Z stdout F {\"a\":1}",
            "2026-03-14T09:26:53Z stdout {\"a\":1}",
            "2026-03-14T09:26:53Z last message lost",
        ] {
            assert!(!recognises(line), "{line}");
        }
    }

    #[test]
    fn other_text_is_no_syslog() {
        for line in ["", "hello world", "<999999>Mar 14 09:26:53 h x", "Mär 14 09:26:53 h x: y", "{\"a\":1}"]
        {
            assert!(header(line).is_err(), "{line}");
        }
    }
}
