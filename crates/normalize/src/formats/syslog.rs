//! The header of a syslog line: `<PRI>`, time stamp, host, program and pid; with and without PRI,
//! the stamp as RFC 3164 has it or as RFC 3339; or as RFC 5424 has it, with structured data.

mod structured;

pub(crate) use structured::{Parameter, parameters};

use event::RejectReason;

use super::Unreadable;
use crate::text::split_at_byte;

/// A syslog line taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) priority: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) program: Option<&'a str>,
    pub(crate) pid: Option<&'a str>,
    /// What kind of message it is, in RFC 5424.
    pub(crate) msgid: Option<&'a str>,
    /// The elements of structured data, in RFC 5424.
    pub(crate) structured: Option<&'a str>,
    pub(crate) message: &'a str,
    /// What `message repeated N times: [ ... ]` said; the message is then the one inside.
    pub(crate) repeated: Option<&'a str>,
}

/// The names under which a description asks for the header's parts.
pub(crate) const NAMES: [&str; 8] =
    ["priority", "timestamp", "host", "program", "pid", "msgid", "message", "repeated"];

impl<'a> Header<'a> {
    /// The header's parts in the order of their names.
    pub(crate) fn values(&self) -> [Option<&'a str>; 8] {
        [
            self.priority,
            self.timestamp,
            self.host,
            self.program,
            self.pid,
            self.msgid,
            Some(self.message),
            self.repeated,
        ]
    }
}

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
        let general =
            header.timestamp.is_none_or(|stamp| stamp.starts_with(|first: char| first.is_ascii_digit()));
        !general || header.priority.is_some() || header.program.is_some_and(is_program)
    })
}

/// Whether a line has structured data of somebody's own, which has an `@` in its name; `timeQuality`,
/// `origin` and `meta`, which RFC 5424 knows, are the daemon's word on the message.
pub(crate) fn is_structured(line: &str) -> bool {
    let structured =
        if line.starts_with('<') { split(line).and_then(|header| header.structured) } else { None };
    structured.is_some_and(|elements| parameters(elements).iter().any(|parameter| parameter.id.contains('@')))
}

/// Whether a line begins with a priority or with a stamp as only syslog has it.
pub(crate) fn is_stamped(line: &str) -> bool {
    let is_month = matches!(
        line.as_bytes(),
        [b'J', b'a', b'n', ..]
            | [b'J', b'u', b'n' | b'l', ..]
            | [b'F', b'e', b'b', ..]
            | [b'M', b'a', b'r' | b'y', ..]
            | [b'A', b'p', b'r', ..]
            | [b'A', b'u', b'g', ..]
            | [b'S', b'e', b'p', ..]
            | [b'O', b'c', b't', ..]
            | [b'N', b'o', b'v', ..]
            | [b'D', b'e', b'c', ..]
    );
    line.starts_with('<') || (is_month && stamp(line).is_some())
}

fn is_program(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/()@+-".contains(&byte);
    name.bytes().all(plain) && name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn split(line: &str) -> Option<Header<'_>> {
    let (priority, line) = match line.strip_prefix('<') {
        Some(rest) => {
            let (priority, rest) = split_at_byte(rest, b'>')?;
            let digits = (1..=3).contains(&priority.len()) && priority.bytes().all(|b| b.is_ascii_digit());
            digits.then_some((Some(priority), rest))?
        }
        None => (None, line),
    };
    if let (Some(priority), Some(rest)) = (priority, line.strip_prefix("1 ")) {
        return rfc_5424(priority, rest);
    }
    let (timestamp, rest) = stamp(line)?;
    let (host, rest) = split_at_byte(rest, b' ')?;
    if host.is_empty() {
        return None;
    }
    let (program, pid, message) = tag(rest);
    let (repeated, message) = repetition(message);
    let (timestamp, host) = (Some(timestamp), Some(host));
    Some(Header { priority, timestamp, host, program, pid, message, repeated, ..Header::default() })
}

/// `2026-03-14T09:26:53.589Z host program pid msgid [id name="value"] message`; `-` is nothing.
fn rfc_5424<'a>(priority: &'a str, line: &'a str) -> Option<Header<'a>> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = split_at_byte(rest, b' ').unwrap_or((rest, ""));
        rest = after;
        (!word.is_empty()).then_some(Some(word).filter(|word| *word != "-"))
    };
    let (timestamp, host, program, pid, msgid) = (word()?, word()?, word()?, word()?, word()?);
    if timestamp.is_some_and(|stamp| stamp.len() < 19 || stamp.as_bytes()[10] != b'T') {
        return None;
    }
    let (structured, message) = match rest.strip_prefix('-') {
        Some(after) => (None, after),
        None => match structured::length(rest) {
            Some(length) => (Some(&rest[..length]), &rest[length..]),
            // Whoever writes none at all, or broken ones, has at least a message.
            None => (None, rest),
        },
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    let (repeated, message) = repetition(message.strip_prefix('\u{feff}').unwrap_or(message));
    let priority = Some(priority);
    Some(Header { priority, timestamp, host, program, pid, msgid, structured, message, repeated })
}

fn stamp(line: &str) -> Option<(&str, &str)> {
    const RFC_3164: usize = "Mar 14 09:26:53".len();
    let bytes = line.as_bytes();
    if bytes.first()?.is_ascii_digit() {
        let (stamp, rest) = split_at_byte(line, b' ')?;
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
    let Some((tag, message)) = split_at_byte(rest, b':') else { return nothing };
    if tag.is_empty() || tag.len() > 64 || tag.bytes().any(|byte| byte == b' ') {
        return nothing;
    }
    let message = message.strip_prefix(' ').unwrap_or(message);
    match tag.strip_suffix(']').and_then(|tag| split_at_byte(tag, b'[')) {
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
        assert_eq!((plain.timestamp, plain.host), (Some("Mar  4 09:26:53"), Some("edge-1")));
        assert_eq!((plain.program, plain.pid), (Some("sshd"), Some("16378")));
        assert_eq!(plain.message, "Failed password for root");
        let with = format!("<38>{line}");
        assert_eq!(header(&with).expect("syslog"), Header { priority: Some("38"), ..plain });
    }

    #[test]
    fn the_stamp_may_be_rfc_3339_and_the_program_missing() {
        let read = header("2026-03-14T09:26:53.589+01:00 edge-1 last message lost").expect("syslog");
        assert_eq!((read.timestamp, read.program), (Some("2026-03-14T09:26:53.589+01:00"), None));
        assert_eq!(read.message, "last message lost");
    }

    #[test]
    fn a_repeated_message_is_the_message_inside() {
        let read =
            header("Mar 14 09:26:53 h sshd[1]: message repeated 5 times: [ Failed x]").expect("syslog");
        assert_eq!((read.repeated, read.message), (Some("5"), "Failed x"));
    }

    #[test]
    fn rfc_5424_has_structured_data() {
        let line =
            "<165>1 2026-03-14T09:26:53.589Z edge-1 app 2231 rejected [a@1 x=\"1 ]\"][b] \u{feff}it was";
        let read = header(line).expect("syslog");
        assert_eq!((read.program, read.pid, read.msgid), (Some("app"), Some("2231"), Some("rejected")));
        assert_eq!((read.structured, read.message), (Some("[a@1 x=\"1 ]\"][b]"), "it was"));
        assert!(is_structured(line));
    }

    #[test]
    fn rfc_5424_may_leave_out_everything() {
        let read = header("<0>1 - - - - - -").expect("syslog");
        assert_eq!(read, Header { priority: Some("0"), ..Header::default() });
        let read = header("<0>1 2026-03-14T09:26:53Z h sshd 1 - - Failed password").expect("syslog");
        assert_eq!((read.program, read.message), (Some("sshd"), "Failed password"));
        assert_eq!(header("<0>1 - - - - - [a b=\"").expect("syslog").message, "[a b=\"");
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
