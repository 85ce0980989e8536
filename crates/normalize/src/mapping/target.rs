//! A request line and a request target taken apart.

use std::borrow::Cow;

use crate::text::split_at_byte;

/// `POST /v1/sessions HTTP/1.1`.
pub(crate) struct RequestLine<'a> {
    pub(crate) method: Cow<'a, str>,
    pub(crate) target: Cow<'a, str>,
    pub(crate) protocol: Option<Cow<'a, str>>,
}

impl<'a> RequestLine<'a> {
    /// Takes a line apart; none where it is not a request, such as the bytes of a TLS handshake.
    pub(crate) fn of(line: &Cow<'a, str>) -> Option<Self> {
        match line {
            Cow::Borrowed(line) => RequestLine::split(line),
            Cow::Owned(line) => RequestLine::split(line).map(RequestLine::into_owned),
        }
    }

    fn split(line: &'a str) -> Option<Self> {
        let (method, rest) = split_at_byte(line, b' ')?;
        if !(3..=16).contains(&method.len()) || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let (target, protocol) = match rest.rsplit_once(' ') {
            Some((target, protocol)) if protocol.starts_with("HTTP/") => (target, Some(protocol)),
            _ => (rest, None),
        };
        if target.is_empty() {
            return None;
        }
        Some(Self { method: method.into(), target: target.into(), protocol: protocol.map(Cow::Borrowed) })
    }

    fn into_owned<'o>(self) -> RequestLine<'o> {
        let owned = |part: Cow<'_, str>| Cow::Owned(part.into_owned());
        RequestLine {
            method: owned(self.method),
            target: owned(self.target),
            protocol: self.protocol.map(owned),
        }
    }
}

/// A target's path and query: `/a?b` as well as `https://host/a?b`.
pub(crate) fn split_target(target: &str) -> (&str, Option<&str>) {
    let target = split_at_byte(target, b'#').map_or(target, |(before, _)| before);
    let (before, query) = match split_at_byte(target, b'?') {
        Some((before, query)) => (before, Some(query)),
        None => (target, None),
    };
    let url = if before.starts_with('/') { None } else { split_scheme(before) };
    let path = match url {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            rest.find('/').map_or("/", |slash| &rest[slash..])
        }
        _ => before,
    };
    (path, query.filter(|query| !query.is_empty()))
}

/// What stands on either side of the first `://`.
pub(super) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    // A searcher for three bytes costs more to make than most texts to look through.
    let is_mark = |at: &usize| text.as_bytes()[*at..].starts_with(b"://");
    let at = memchr::memchr_iter(b':', text.as_bytes()).find(is_mark)?;
    Some((&text[..at], &text[at + 3..]))
}

/// What `cut` makes of a text, borrowed for as long as the text is.
pub(crate) fn part<'a>(whole: &Cow<'a, str>, cut: impl for<'t> Fn(&'t str) -> &'t str) -> Cow<'a, str> {
    match whole {
        Cow::Borrowed(whole) => Cow::Borrowed(cut(whole)),
        Cow::Owned(whole) => Cow::Owned(cut(whole).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_has_three_parts() {
        let line = RequestLine::of(&"GET /a b?c HTTP/1.1".into()).expect("a request");
        assert_eq!(
            (&*line.method, &*line.target, line.protocol.as_deref()),
            ("GET", "/a b?c", Some("HTTP/1.1"))
        );
        assert!(RequestLine::of(&"\u{16}\u{3}\u{1}".into()).is_none());
        assert!(RequestLine::of(&"GET  HTTP/1.1".into()).is_none());
        let owned = RequestLine::of(&Cow::Owned("GET http://example.com".to_owned())).expect("a request");
        assert_eq!((&*owned.target, owned.protocol), ("http://example.com", None));
    }

    #[test]
    fn a_target_is_a_path_or_a_url() {
        assert_eq!(split_target("/a?b=c#d"), ("/a", Some("b=c")));
        assert_eq!(split_target("http://example.com?x"), ("/", Some("x")));
        assert_eq!(split_target("https://example.com:443/a/b"), ("/a/b", None));
        assert_eq!(split_target("/go?to=http://x/"), ("/go", Some("to=http://x/")));
    }
}
