//! Regular expressions with named groups, tried in order; the first that fits names the fields
//! and says what the line means.

use regex::Regex;

use super::Place;
use crate::fields::Fields;
use crate::settings::Settings;

/// One expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    wanted: Wanted,
    /// The text that the expression begins with: cheaper to compare than to match.
    prefix: String,
    main: Find,
    /// What a line that fits means.
    pub(crate) settings: Settings,
}

/// A longer text is not searched: nobody says so much to say that a login failed.
const SEARCHED_BYTES_MAX: usize = 8_192;

/// What has to be so besides.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Programs whose messages it reads; of any program if empty.
    pub(crate) programs: Vec<String>,
    /// Expressions that are looked for anywhere in the text besides; the first that finds a field counts.
    pub(crate) finds: Vec<Find>,
    /// The fields that have to be found by those.
    pub(crate) needs: Vec<String>,
    /// Whether a line that fits is taken for one of the source.
    pub(crate) is_telling: bool,
}

/// An expression and where its named groups go.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    regex: Regex,
    /// By group number.
    groups: Vec<(usize, String, Place)>,
}

impl Find {
    /// Compiles an expression; `place` says where each named group goes.
    pub(crate) fn compile(
        expression: &str,
        mut place: impl FnMut(&str) -> Place,
    ) -> Result<Self, regex::Error> {
        let regex = Regex::new(expression)?;
        let groups = regex
            .capture_names()
            .enumerate()
            .filter_map(|(n, name)| name.map(|name| (n, name.to_owned(), place(name))))
            .collect();
        Ok(Self { regex, groups })
    }

    /// The names of its groups.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|(_, name, _)| name.as_str())
    }

    /// Adds what is found of fields that are not known yet; false if the text does not fit.
    fn look<'a>(&'a self, text: &'a str, known: &mut Vec<Known<'a>>) -> bool {
        if self.groups.is_empty() {
            return self.regex.is_match(text);
        }
        let Some(captures) = self.regex.captures(text) else { return false };
        for (group, name, place) in &self.groups {
            if let Some(found) = captures.get(*group)
                && !is_known(known, name)
            {
                known.push(Known { name, place, text: found.as_str() });
            }
        }
        true
    }
}

/// A field that was found.
struct Known<'a> {
    name: &'a str,
    place: &'a Place,
    text: &'a str,
}

fn is_known(known: &[Known<'_>], name: &str) -> bool {
    known.iter().any(|known| known.name == name)
}

impl Pattern {
    /// Compiles an expression; `place` says where each named group goes.
    pub(crate) fn compile(
        expression: &str,
        wanted: Wanted,
        settings: Settings,
        place: impl FnMut(&str) -> Place,
    ) -> Result<Self, regex::Error> {
        let main = Find::compile(expression, place)?;
        Ok(Self { wanted, prefix: literal_prefix(expression), main, settings })
    }

    /// The names of the fields that it may fill.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.main.names().chain(self.wanted.finds.iter().flat_map(Find::names))
    }

    /// Whether it is for this program's messages alone, or for those of it and others.
    pub(crate) fn is_of(&self, program: &str) -> bool {
        self.wanted.programs.iter().any(|known| known == program)
    }

    /// Whether a text fits that no program is known to have written, and is the source's.
    pub(crate) fn fits(&self, text: &str) -> bool {
        self.wanted.programs.is_empty() && self.wanted.is_telling && self.look(text).is_some()
    }

    /// Reads a text into the fields, if it fits.
    pub(crate) fn read<'a>(&'a self, program: Option<&str>, text: &'a str, fields: &mut Fields<'a>) -> bool {
        if !self.wanted.programs.is_empty() && !program.is_some_and(|name| self.is_of(name)) {
            return false;
        }
        let Some(known) = self.look(text) else { return false };
        known.into_iter().for_each(|known| known.place.put(known.text.into(), fields));
        true
    }

    /// What is found in a text, if it fits.
    fn look<'a>(&'a self, text: &'a str) -> Option<Vec<Known<'a>>> {
        let mut known = Vec::new();
        let is_too_long = !self.wanted.needs.is_empty() && text.len() > SEARCHED_BYTES_MAX;
        if is_too_long || !text.starts_with(&self.prefix) || !self.main.look(text, &mut known) {
            return None;
        }
        for find in &self.wanted.finds {
            if find.names().any(|name| !is_known(&known, name)) {
                find.look(text, &mut known);
            }
        }
        self.wanted.needs.iter().all(|name| is_known(&known, name)).then_some(known)
    }
}

/// What every text that fits an expression anchored with `^` begins with.
fn literal_prefix(expression: &str) -> String {
    let Some(rest) = expression.strip_prefix('^') else { return String::new() };
    if rest.contains('|') {
        return String::new();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || " :_/=<>@,;'\"-".contains(c);
    let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
    let repeats = rest[end..].starts_with(['?', '*', '+', '{']);
    // A count behind a character is about that character alone.
    rest[..end]
        .char_indices()
        .last()
        .map_or(String::new(), |(last, _)| rest[..if repeats { last } else { end }].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_start_of_an_expression_is_its_prefix() {
        assert_eq!(literal_prefix(r"^Failed password for (?<user>.*)"), "Failed password for ");
        assert_eq!(literal_prefix(r"^PAM: s?x"), "PAM: ");
        assert_eq!(literal_prefix(r"Failed"), "");
        assert_eq!(literal_prefix(r"^a|b"), "");
        assert_eq!(literal_prefix(r"^(a)"), "");
    }
}
