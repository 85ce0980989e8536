//! Regular expressions with named groups, tried in order; the first that fits names the fields
//! and says what the line means.

use regex::Regex;

use super::Place;
use crate::fields::Fields;
use crate::settings::Settings;

/// One expression.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Programs whose messages it reads; of any program if empty.
    pub(crate) programs: Vec<String>,
    /// The text that the expression begins with: cheaper to compare than to match.
    prefix: String,
    regex: Regex,
    /// By group number.
    groups: Vec<(usize, Place)>,
    /// What a line that fits means.
    pub(crate) settings: Settings,
}

impl Pattern {
    /// Compiles an expression; `place` says where each named group goes.
    pub(crate) fn compile(
        expression: &str,
        programs: Vec<String>,
        settings: Settings,
        mut place: impl FnMut(&str) -> Place,
    ) -> Result<Self, regex::Error> {
        let regex = Regex::new(expression)?;
        let groups = regex
            .capture_names()
            .enumerate()
            .filter_map(|(n, name)| name.map(|name| (n, place(name))))
            .collect();
        Ok(Self { programs, prefix: literal_prefix(expression), regex, groups, settings })
    }

    /// Whether a text fits that no program is known to have written.
    pub(crate) fn fits(&self, text: &str) -> bool {
        self.programs.is_empty() && text.starts_with(&self.prefix) && self.regex.is_match(text)
    }

    /// Reads a text into the fields, if it fits.
    pub(crate) fn read<'a>(&'a self, program: Option<&str>, text: &'a str, fields: &mut Fields<'a>) -> bool {
        if !text.starts_with(&self.prefix) {
            return false;
        }
        if !self.programs.is_empty() && !program.is_some_and(|name| self.programs.iter().any(|p| p == name)) {
            return false;
        }
        if self.groups.is_empty() {
            return self.regex.is_match(text);
        }
        let Some(captures) = self.regex.captures(text) else { return false };
        for (group, place) in &self.groups {
            if let Some(found) = captures.get(*group) {
                place.put(found.as_str().into(), fields);
            }
        }
        true
    }
}

/// The names of an expression's groups.
pub(crate) fn group_names(expression: &str) -> Result<Vec<String>, regex::Error> {
    let regex = Regex::new(expression)?;
    Ok(regex.capture_names().flatten().map(str::to_owned).collect())
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
