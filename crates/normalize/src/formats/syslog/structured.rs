//! Structured data of RFC 5424: `[id name="value" name="value"][id …]`. In a value `\"`, `\\` and
//! `\]` are escaped.

use std::borrow::Cow;

/// One parameter of one element.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
}

/// How long the elements are that a text begins with, if it does.
pub(super) fn length(text: &str) -> Option<usize> {
    let mut rest = text;
    while rest.starts_with('[') {
        rest = element(rest, &mut |_| {})?;
    }
    (rest.len() < text.len()).then(|| text.len() - rest.len())
}

/// The parameters of all elements.
pub(crate) fn parameters(text: &str) -> Vec<Parameter<'_>> {
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some(after) = element(rest, &mut |parameter| parameters.push(parameter)) {
        rest = after;
    }
    parameters
}

/// Reads one element, and gives what follows it.
fn element<'a>(text: &'a str, found: &mut impl FnMut(Parameter<'a>)) -> Option<&'a str> {
    let text = text.strip_prefix('[')?;
    let end = text.find([' ', ']'])?;
    let (id, mut rest) = text.split_at(end);
    if id.is_empty() || id.contains(['"', '=']) {
        return None;
    }
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix(']') {
            return Some(after);
        }
        let (name, quoted) = rest.split_once("=\"")?;
        if name.is_empty() || name.contains([' ', ']', '"', '=']) {
            return None;
        }
        let end = end_of_value(quoted)?;
        found(Parameter { id, name, value: unescape(&quoted[..end]) });
        rest = &quoted[end + 1..];
    }
}

/// Where the quote stands that ends a value.
fn end_of_value(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.as_bytes().get(from..)?)?;
        if text.as_bytes()[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('\\', Some('"' | '\\' | ']')) => plain.extend(chars.next()),
            _ => plain.push(char),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_their_escapes() {
        let text = r#"[a@1 x="1" y="say \"hi\" \] \\ \n"][b][c z=""] rest"#;
        assert_eq!(length(text), Some(text.len() - " rest".len()));
        let found: Vec<_> =
            parameters(text).into_iter().map(|p| (p.id, p.name, p.value.into_owned())).collect();
        let expected = [("a@1", "x", "1"), ("a@1", "y", r#"say "hi" ] \ \n"#), ("c", "z", "")];
        assert_eq!(found, expected.map(|(id, name, value)| (id, name, value.to_owned())));
    }

    #[test]
    fn what_is_broken_is_none() {
        for text in
            ["", "x", "[", "[]", "[a", "[a b]", r#"[a b="]"#, r#"[a b="\"#, r#"[a b=c]"#, r#"[a ="c"]"#]
        {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
