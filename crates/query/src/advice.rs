//! What to tell whoever wrote SQL that is wrong: where in it, and the nearest name where one is near.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::table_docs;

/// What the text of an error of the SQL amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// A name that is not known, if that is what is wrong.
    pub unknown: Option<Unknown>,
    /// Where the parser says that it is; both count from 1.
    pub line_and_column: Option<(u64, u64)>,
    /// What may help.
    pub hint: Option<String>,
}

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// There is no such table.
    Table(String),
    /// There is no such column.
    Column(String),
    /// There is no such function.
    Function(String),
}

impl Unknown {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Table(name) | Self::Column(name) | Self::Function(name) => name,
        }
    }
}

impl Advice {
    /// Reads what the planner says of a statement, the text of [`QueryError::Invalid`].
    ///
    /// [`QueryError::Invalid`]: crate::QueryError::Invalid
    pub fn of(text: &str) -> Self {
        let unknown = unknown(text);
        Self { line_and_column: line_and_column(text), hint: hint(text, unknown.as_ref()), unknown }
    }

    /// The letter of `sql` where it is, counted from 1.
    pub fn position(&self, sql: &str) -> Option<usize> {
        let place = match self.line_and_column {
            Some((line, column)) if line > 0 => Location { line, column },
            _ => place_of(sql, self.unknown.as_ref()?.name())?,
        };
        let before: usize =
            sql.split_inclusive('\n').take(usize::try_from(place.line).ok()? - 1).map(letters).sum();
        Some(before + usize::try_from(place.column).ok()?)
    }
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// Where a name first stands.
fn place_of(sql: &str, name: &str) -> Option<Location> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let is_it = |token: &Token| matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(name));
    tokens.iter().find(|token| is_it(&token.token)).map(|token| token.span.start)
}

fn unknown(text: &str) -> Option<Unknown> {
    let after = |words: &str| text.split_once(words).map(|(_, tail)| tail);
    let quoted = |tail: &str| {
        tail.trim_start_matches(['\'', '"', '`'])
            .split(['\'', '"', '`'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    if let Some(tail) = after("table '").filter(|tail| tail.contains("not found")) {
        return Some(Unknown::Table(last(&quoted(tail))));
    }
    if let Some(tail) = after("No field named ") {
        let end = tail.find([' ', ',', ';']).unwrap_or(tail.len());
        let name = last(tail[..end].trim_end_matches('.').trim_matches('"'));
        return Some(Unknown::Column(name.trim_matches('"').to_owned()));
    }
    after("Invalid function ").map(|tail| Unknown::Function(quoted(tail)))
}

/// `Line: 2, Column: 7` of the parser's errors.
fn line_and_column(text: &str) -> Option<(u64, u64)> {
    let (_, tail) = text.split_once("Line: ")?;
    let (line, tail) = tail.split_once(", Column: ")?;
    let digits = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
    Some((line.parse().ok()?, tail[..digits].parse().ok()?))
}

fn hint(text: &str, unknown: Option<&Unknown>) -> Option<String> {
    let near = match unknown {
        Some(Unknown::Table(name)) => nearest(name, table_docs::all().into_iter().map(|table| table.name)),
        _ if text.contains("Did you mean '") => {
            let (_, tail) = text.split_once("Did you mean '")?;
            tail.split('\'').next().map(str::to_owned)
        }
        Some(Unknown::Column(name)) => {
            let columns = table_docs::all().into_iter().flat_map(|table| table.columns);
            nearest(name, columns.map(|column| column.name))
        }
        _ => None,
    };
    near.map(|near| format!("did you mean {near}?"))
}

fn nearest(name: &str, names: impl Iterator<Item = &'static str>) -> Option<String> {
    let name = name.to_lowercase();
    let by_distance = names.map(|known| (distance(&name, known), known));
    let (distance, near) = by_distance.min()?;
    (distance <= 3.min(near.len() / 2 + 1)).then(|| near.to_owned())
}

/// How many letters must be put in, left out or changed. The names that are compared are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_is_where_the_parser_says() {
        let advice = Advice::of("SQL error: ParserError(\"Expected: x at Line: 2, Column: 6\")");
        assert_eq!(advice.position("SELECT 'ü'\nFORM events"), Some(17));
    }

    #[test]
    fn a_name_that_is_misspelt_is_known_by_its_neighbour() {
        let advice = Advice::of("table 'watchfire.public.evnts' not found");
        assert_eq!(advice.hint.as_deref(), Some("did you mean events?"));
        assert_eq!(advice.position("SELECT 'evnts' FROM evnts"), Some(21));
        let advice = Advice::of("No field named tennant. Valid fields are events.tenant.");
        assert_eq!(advice.hint.as_deref(), Some("did you mean tenant?"));
    }

    #[test]
    fn what_is_out_of_the_text_is_no_fault() {
        let advice = Advice::of("at Line: 7, Column: 3");
        assert_eq!(advice.position(""), Some(3));
        assert_eq!(Advice::of("anything"), Advice::default());
    }
}
