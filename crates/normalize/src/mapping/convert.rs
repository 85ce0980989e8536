//! What is done to a value on its way into a column.

use std::borrow::Cow;

use event::EventTime;

use super::target::{part, split_scheme, split_target};
use super::text_of;
use crate::address;
use crate::columns::Cell;
use crate::enrich::alpha2;
use crate::fields::Value;
use crate::fingerprint::Fingerprinter;
use crate::redact::{Kind, Secrets, Text, is_placeholder, redact};
use crate::stamp::StampFormat;
use crate::text::split_at_byte;
use crate::zone::Zone;

/// The ways to read a value; a description names one with `as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convert {
    /// As it is.
    Plain,
    /// An address in its one spelling.
    Ip,
    /// The address of `address:port`.
    EndpointIp,
    /// The port of `address:port`, for a column of numbers.
    EndpointPort,
    /// A country's code as ISO 3166-1 alpha-2.
    Country,
    /// The number of an autonomous system, also written `AS64500`, for a column of numbers.
    Asn,
    /// Degrees from the equator, north positive.
    Latitude,
    /// Degrees from Greenwich, east positive.
    Longitude,
    /// The host of an origin or URL, in lower case.
    Host,
    /// The path of a request target or URL.
    Path,
    /// The query of a request target or URL.
    Query,
    /// Lower case, and no bytes but letters, digits and `._-`.
    Word,
    /// A user; an e-mail address becomes a fingerprint.
    User,
    /// Something that identifies a session: only its fingerprint is kept.
    Session,
    /// A session token or its fingerprint: only the fingerprint is kept.
    Token,
    /// An API key: only its fingerprint is kept.
    ApiKey,
    /// Seconds with a fraction, for a column of milliseconds.
    Seconds,
    /// A moment, for a column of times.
    Stamp(StampFormat),
}

impl Convert {
    /// The names that descriptions use; those of time stamps come on top.
    pub(crate) const NAMES: [(&'static str, Convert); 16] = [
        ("ip", Self::Ip),
        ("endpoint_ip", Self::EndpointIp),
        ("endpoint_port", Self::EndpointPort),
        ("country", Self::Country),
        ("asn", Self::Asn),
        ("latitude", Self::Latitude),
        ("longitude", Self::Longitude),
        ("host", Self::Host),
        ("path", Self::Path),
        ("query", Self::Query),
        ("word", Self::Word),
        ("user", Self::User),
        ("session", Self::Session),
        ("token", Self::Token),
        ("api_key", Self::ApiKey),
        ("seconds", Self::Seconds),
    ];

    /// What kind of secret the value is, if only its fingerprint may be kept.
    pub(crate) fn secret(self) -> Option<Kind> {
        match self {
            Self::Session => Some(Kind::Session),
            Self::Token => Some(Kind::SessionToken),
            Self::ApiKey => Some(Kind::ApiKey),
            _ => None,
        }
    }

    /// Whether it makes a number or a time, which no column of text can hold.
    pub(crate) fn is_of_numbers(self) -> bool {
        matches!(
            self,
            Self::Seconds
                | Self::EndpointPort
                | Self::Asn
                | Self::Latitude
                | Self::Longitude
                | Self::Stamp(_)
        )
    }

    /// Reads a value for a column of text.
    pub(super) fn text<'a>(self, text: Cow<'a, str>, fingerprinter: &Fingerprinter) -> Converted<'a> {
        match self {
            Self::Plain
            | Self::Seconds
            | Self::EndpointPort
            | Self::Asn
            | Self::Latitude
            | Self::Longitude
            | Self::Stamp(_) => Converted::Text(text),
            Self::Ip => ip(text),
            Self::EndpointIp => ip(part(&text, |text| endpoint(text).0)),
            Self::Country => country(&text),
            Self::Host => host(&text),
            Self::Path => Converted::Text(part(&text, |text| split_target(text).0)),
            Self::Query => match part(&text, |text| split_target(text).1.unwrap_or_default()) {
                query if query.is_empty() => Converted::Nothing,
                query => Converted::Text(query),
            },
            Self::Word => Converted::Text(word(text, fingerprinter)),
            Self::User if !is_email(&text) => Converted::Text(text),
            Self::User => secret(text, Kind::Personal, fingerprinter, &[]),
            Self::Session => secret(text, Kind::Session, fingerprinter, &[]),
            Self::ApiKey => secret(text, Kind::ApiKey, fingerprinter, &["raw_key_received"]),
            Self::Token if is_token(&text) => {
                secret(text, Kind::SessionToken, fingerprinter, &["raw_token_received"])
            }
            Self::Token => {
                secret(text, Kind::SessionToken, fingerprinter, &["raw_token_received", "malformed_token"])
            }
        }
    }

    /// Reads a value for a column of numbers or times.
    pub(super) fn number<'a>(self, value: &Value<'a>, cell: Cell, near: Option<EventTime>) -> Converted<'a> {
        let unfit = Converted::Unfit("bad_field");
        match (cell, self) {
            (Cell::Time(_), Self::Stamp(format)) => {
                let near = near.unwrap_or_default();
                text_of(value)
                    .and_then(|text| format.read(&text, Some(Zone::UTC), near))
                    .map_or(unfit, Converted::Time)
            }
            (Cell::Int(_), Self::EndpointPort) => match text_of(value).as_deref().map(endpoint) {
                Some((_, Some(port))) => {
                    port.parse::<u16>().map_or(unfit, |port| Converted::Int(port.into()))
                }
                Some((_, None)) => Converted::Nothing,
                None => unfit,
            },
            (Cell::Int(_), Self::Seconds) => {
                seconds_ms(value).and_then(|millis| i32::try_from(millis).ok()).map_or(unfit, Converted::Int)
            }
            (Cell::Float(_), Self::Latitude) => degrees(value, 90.0).map_or(unfit, Converted::Float),
            (Cell::Float(_), _) => degrees(value, 180.0).map_or(unfit, Converted::Float),
            (Cell::Long(_), Self::Asn) => asn(value).map_or(unfit, Converted::Long),
            (Cell::Int(_), _) => {
                long(value).and_then(|number| i32::try_from(number).ok()).map_or(unfit, Converted::Int)
            }
            _ => long(value).map_or(unfit, Converted::Long),
        }
    }
}

/// What a value became.
pub(super) enum Converted<'a> {
    /// There is nothing to put into the column, and nothing wrong.
    Nothing,
    /// The source put a word such as `REDACTED` in the secret's place: the same for all of them.
    Placeholder,
    Text(Cow<'a, str>),
    Int(i32),
    Long(i64),
    Float(f64),
    Time(EventTime),
    /// The value must not be kept; this is.
    Secret {
        stand_in: String,
        kind: Kind,
        raw: Cow<'a, str>,
        flags: Vec<&'static str>,
    },
    /// The value does not fit its column; the flag says how.
    Unfit(&'static str),
}

/// Whether a text has the shape of a session token: 64 lower-case hex digits.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text may be an e-mail address: something on either side of an `@`.
fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(before, behind)| !before.is_empty() && !behind.is_empty())
}

fn secret<'a>(
    text: Cow<'a, str>,
    kind: Kind,
    fingerprinter: &Fingerprinter,
    flags: &[&'static str],
) -> Converted<'a> {
    if Fingerprinter::is_fingerprint(&text) {
        return Converted::Text(text);
    }
    if is_placeholder(&text) {
        return Converted::Placeholder;
    }
    Converted::Secret { stand_in: fingerprinter.fingerprint(&text), kind, raw: text, flags: flags.to_vec() }
}

fn ip(text: Cow<'_, str>) -> Converted<'_> {
    let Some(address) = address::parse(&text) else { return Converted::Unfit("bad_ip") };
    // Dotted v4 has one spelling, which the parser insists on; for the others it is made.
    let canonical =
        address.is_ipv4() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    Converted::Text(if canonical { text } else { Cow::Owned(address.to_string()) })
}

/// `192.0.2.1:443` and `[2001:db8::1]:443` taken apart; an address alone has no port.
fn endpoint(text: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (address, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}

fn country<'a>(code: &str) -> Converted<'a> {
    let Some(country) = alpha2(code) else { return Converted::Unfit("unknown_country") };
    Converted::Text(Cow::Owned(country.map(char::from).into_iter().collect()))
}

fn asn(value: &Value<'_>) -> Option<i64> {
    let text = text_of(value)?;
    let number = text.trim().trim_start_matches(['A', 'S', 'a', 's']).parse::<u32>().ok()?;
    (number > 0).then_some(i64::from(number))
}

fn host<'a>(text: &Cow<'a, str>) -> Converted<'a> {
    let host = part(text, host_of);
    if host.is_empty() || host.len() > 255 {
        return Converted::Unfit("bad_host");
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Converted::Text(Cow::Owned(host.to_ascii_lowercase()));
    }
    Converted::Text(host)
}

fn host_of(text: &str) -> &str {
    let rest = split_scheme(text).map_or(text, |(_, rest)| rest);
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let authority = memchr::memrchr(b'@', authority.as_bytes()).map_or(authority, |at| &authority[at + 1..]);
    let host = match authority.starts_with('[') {
        true => split_at_byte(authority, b']').map_or(authority, |(host, _)| host.trim_start_matches('[')),
        false => split_at_byte(authority, b':').map_or(authority, |(host, _)| host),
    };
    host.trim_end_matches('.')
}

fn word<'a>(text: Cow<'a, str>, fingerprinter: &Fingerprinter) -> Cow<'a, str> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if text.len() <= 64 && text.bytes().all(plain) {
        return text;
    }
    // In small letters, or without its end, a secret is not known for one any more.
    let text = redact(&text, Text::Prose, &Secrets::default(), fingerprinter, |_, _| {});
    let lower = text.chars().take(64).map(|c| c.to_ascii_lowercase());
    Cow::Owned(lower.map(|c| if c.is_ascii() && plain(c as u8) { c } else { '_' }).collect())
}

fn long(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn seconds_ms(value: &Value<'_>) -> Option<i64> {
    let seconds = fraction(value)?;
    (0.0..1e9).contains(&seconds).then_some((seconds * 1_000.0).round() as i64)
}

fn degrees(value: &Value<'_>, most: f64) -> Option<f64> {
    fraction(value).filter(|degrees| degrees.abs() <= most)
}

fn fraction(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(convert: Convert, text: &str) -> String {
        let fingerprinter = Fingerprinter::new("k1", b"a pepper for the tests").expect("long enough");
        match convert.text(text.into(), &fingerprinter) {
            Converted::Text(text) => text.into_owned(),
            Converted::Secret { stand_in, flags, .. } => format!("{} {}", &stand_in[..11], flags.join(" ")),
            Converted::Nothing => "nothing".to_owned(),
            Converted::Placeholder => "placeholder".to_owned(),
            Converted::Unfit(flag) => flag.to_owned(),
            _ => "a number".to_owned(),
        }
    }

    #[test]
    fn a_host_is_taken_out_of_an_origin() {
        for (from, host) in [
            ("https://Shop.Acme.example", "shop.acme.example"),
            ("https://shop.acme.example:8443/a?b", "shop.acme.example"),
            ("https://user@evil.example.", "evil.example"),
            ("shop.acme.example", "shop.acme.example"),
            ("null", "null"),
            ("https://[2001:db8::1]/", "2001:db8::1"),
            ("https://", "bad_host"),
        ] {
            assert_eq!(text(Convert::Host, from), host, "{from}");
        }
    }

    #[test]
    fn a_token_becomes_a_fingerprint_and_says_how_it_came() {
        let token = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
        assert_eq!(text(Convert::Token, token), "hmac256:k1: raw_token_received");
        assert_eq!(text(Convert::Token, &token[1..]), "hmac256:k1: raw_token_received malformed_token");
        let fingerprint = "hmac256:k3:2dedb0c9e14eb74b93ba3e8670b03563";
        assert_eq!(text(Convert::Token, fingerprint), fingerprint);
    }

    #[test]
    fn what_stands_for_any_secret_is_the_fingerprint_of_none() {
        for text_in_place in ["REDACTED", "[redacted]", "***", "xxxxxxxx", "<hidden>", " ", "(masked)"] {
            for convert in [Convert::Token, Convert::ApiKey, Convert::Session] {
                assert_eq!(text(convert, text_in_place), "placeholder", "{text_in_place}");
            }
        }
    }

    #[test]
    fn an_address_has_one_spelling_or_is_bad() {
        assert_eq!(text(Convert::Ip, "::FFFF:192.0.2.1"), "192.0.2.1");
        assert_eq!(text(Convert::Ip, "0177.0.0.1"), "bad_ip");
    }

    #[test]
    fn an_endpoint_is_an_address_and_perhaps_a_port() {
        for (from, address, port) in [
            ("192.0.2.1:443", "192.0.2.1", Some("443")),
            ("192.0.2.1", "192.0.2.1", None),
            ("[2001:db8::1]:443", "2001:db8::1", Some("443")),
            ("2001:db8::1", "2001:db8::1", None),
            ("-", "-", None),
        ] {
            assert_eq!(endpoint(from), (address, port));
        }
        assert_eq!(text(Convert::EndpointIp, "198.51.100.77:41230"), "198.51.100.77");
        assert_eq!(text(Convert::EndpointIp, "edge-1:41230"), "bad_ip");
    }

    #[test]
    fn a_user_is_kept_and_an_email_is_not() {
        assert_eq!(text(Convert::User, "usr_81273"), "usr_81273");
        assert_eq!(text(Convert::User, "dana@acme.example"), "hmac256:k1: ");
        assert_eq!(text(Convert::User, "@"), "@");
    }
}
