//! Which keys a JSON line has, of those that sources are recognised by: one pass for all of them.

use hashbrown::HashMap;
use memchr::memmem::Finder;

use super::has_key;
use crate::schema::{Recognise, Source};

/// The keys that the sources ask for, each with a number.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    numbers: HashMap<Box<str>, usize>,
    finders: Vec<Finder<'static>>,
    longest: usize,
    /// By source, in the order in which they are tried. None where it goes by something else, or
    /// where a key has a quote in it: those the pass does not find.
    pub(super) asked: Vec<Option<Asked>>,
}

/// What a source asks for, in numbers.
#[derive(Debug)]
pub(super) struct Asked {
    all: Vec<usize>,
    any: Vec<usize>,
}

impl Asked {
    /// Whether a line with these keys may be of the source.
    pub(super) fn has(&self, present: &[bool]) -> bool {
        self.all.iter().all(|key| present[*key])
            && (self.any.is_empty() || self.any.iter().any(|key| present[*key]))
    }
}

impl Keys {
    /// The keys of some sources, in the order in which they are tried.
    pub(crate) fn of(sources: &[Source]) -> Self {
        let mut keys = Self::default();
        for source in sources {
            let asked = keys.ask(&source.recognise);
            keys.asked.push(asked);
        }
        keys
    }

    fn ask(&mut self, recognise: &Recognise) -> Option<Asked> {
        let Recognise::Keys { all, any } = recognise else { return None };
        let mut numbers =
            |keys: &[Finder<'static>]| keys.iter().map(|key| self.number(key)).collect::<Option<Vec<_>>>();
        Some(Asked { all: numbers(all)?, any: numbers(any)? })
    }

    fn number(&mut self, finder: &Finder<'static>) -> Option<usize> {
        let quoted = std::str::from_utf8(finder.needle()).ok()?;
        let key = quoted.strip_prefix('"')?.strip_suffix('"').filter(|key| !key.contains('"'))?;
        if let Some(number) = self.numbers.get(key) {
            return Some(*number);
        }
        let number = self.finders.len();
        self.numbers.insert(key.into(), number);
        self.finders.push(finder.clone());
        self.longest = self.longest.max(key.len());
        Some(number)
    }

    /// By number, whether the line has the key somewhere, in quotes and with a colon behind it.
    pub(super) fn present(&self, line: &str) -> Vec<bool> {
        let mut present = vec![false; self.finders.len()];
        for colon in memchr::memchr_iter(b':', line.as_bytes()) {
            let Some((before, key)) = self.key_before(&line[..colon]) else { continue };
            let Some(&number) = self.numbers.get(key) else { continue };
            // `"a"a":` has the key once, and no colon behind it: a search takes no quote twice.
            let is_doubtful = before.strip_suffix(key).is_some_and(|before| before.ends_with('"'));
            present[number] |= !is_doubtful || has_key(line, &self.finders[number]);
        }
        present
    }

    /// What stands in the quotes at the end of a text, and what in front of them.
    fn key_before<'l>(&self, text: &'l str) -> Option<(&'l str, &'l str)> {
        // Most colons follow a quote at once, or stand in a stamp or an address.
        let text = match text.as_bytes().last()? {
            b'"' => text,
            last if last.is_ascii_alphanumeric() => return None,
            _ => text.trim_end(),
        };
        let text = text.strip_suffix('"')?;
        let reach = text.len().saturating_sub(self.longest + 1);
        let quote = reach + text.as_bytes()[reach..].iter().rposition(|byte| *byte == b'"')?;
        Some((&text[..quote], &text[quote + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 6] = ["a", "bb", "a b", "é", "", "a\\"];

    #[track_caller]
    fn check(line: &str) {
        let quoted = |key: &&str| Finder::new(&format!("\"{key}\"")).into_owned();
        let all: Vec<Finder<'static>> = KEYS.iter().map(quoted).collect();
        let mut keys = Keys::default();
        keys.ask(&Recognise::Keys { all: all.clone(), any: Vec::new() }).expect("no key has a quote in it");
        let one_by_one: Vec<bool> = all.iter().map(|key| has_key(line, key)).collect();
        assert_eq!(keys.present(line), one_by_one, "{line}");
    }

    #[test]
    fn a_key_is_found_at_every_depth_and_with_blanks_before_its_colon() {
        check(r#"{"a":{"bb" : [{"é":1}]}}"#);
        check("{\"a b\"\u{a0}\n:1}");
    }

    #[test]
    fn no_quote_is_taken_twice() {
        check(r#"{"a"a":1}"#);
        check(r#"{"a"a"a":1}"#);
        check(r#"{"a"a"a"a":1}"#);
        check(r#"""":"#);
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_search_for_each_finds(
            line in r#"(\{|"|:|,|a|b|é| |\\|"a"|"bb":|"a b" :|""){0,24}"#,
        ) {
            check(&line);
        }
    }
}
