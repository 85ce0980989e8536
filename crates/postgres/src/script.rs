//! The statements of a query's text, and where in it they are.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::error::SqlError;

/// Statements that may be sent at once.
const STATEMENTS_MAX: usize = 100;

/// One statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// Its text, from its first word to its last.
    pub(crate) text: String,
    /// What it is made of, without what only separates.
    pub(crate) tokens: Vec<Token>,
    /// Where each of these begins in the whole query, in letters from 1.
    positions: Vec<usize>,
}

impl Statement {
    /// Its first word, in upper case.
    pub(crate) fn verb(&self) -> String {
        self.word(0)
    }

    /// A word of it, in upper case; empty if there is none.
    pub(crate) fn word(&self, index: usize) -> String {
        match self.tokens.get(index) {
            Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_uppercase(),
            _ => String::new(),
        }
    }

    /// Where a line and a column of it, which count from 1, are in the whole query.
    pub(crate) fn position(&self, line: u64, column: u64) -> Option<usize> {
        let offset = offset_in_letters(&self.text, Location { line, column })?;
        Some(self.positions.first()? + offset)
    }

    /// Where a name first stands.
    pub(crate) fn position_of(&self, name: &str) -> Option<usize> {
        let is_it =
            |token: &Token| matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(name));
        let index = self.tokens.iter().position(is_it)?;
        self.positions.get(index).copied()
    }
}

/// Cuts a text into its statements. Those that are empty are left out.
pub(crate) fn read(sql: &str) -> Result<Vec<Statement>, SqlError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| {
        let position = offset_in_letters(sql, error.location).map(|offset| offset + 1);
        SqlError { position, ..SqlError::new("42601", error.message) }
    })?;
    let places = Places::of(sql, &tokens);
    let mut statements = Vec::new();
    let mut start = 0;
    for (end, token) in tokens.iter().enumerate() {
        if matches!(token.token, Token::SemiColon) {
            statements.extend(statement(sql, &tokens[start..end], &places.0[start..end]));
            start = end + 1;
        }
    }
    statements.extend(statement(sql, &tokens[start..], &places.0[start..]));
    match statements.len() > STATEMENTS_MAX {
        true => Err(SqlError::new("54000", format!("at most {STATEMENTS_MAX} statements are taken at once"))),
        false => Ok(statements),
    }
}

fn statement(sql: &str, tokens: &[TokenWithSpan], places: &[Place]) -> Option<Statement> {
    let meant = |token: &TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let kept = || tokens.iter().zip(places).filter(|(token, _)| meant(token));
    let (first, last) = (kept().next()?.1, kept().next_back()?.1);
    Some(Statement {
        text: sql.get(first.start_bytes..last.end_bytes)?.to_owned(),
        tokens: kept().map(|(token, _)| token.token.clone()).collect(),
        positions: kept().map(|(_, place)| place.start_letters + 1).collect(),
    })
}

/// Where a token is.
#[derive(Clone, Copy)]
struct Place {
    start_bytes: usize,
    start_letters: usize,
    end_bytes: usize,
}

/// Where each token is: one walk over the text, since tokens are in order.
struct Places(Vec<Place>);

impl Places {
    fn of(sql: &str, tokens: &[TokenWithSpan]) -> Self {
        let mut walk = Walk { rest: sql.chars(), bytes: 0, letters: 0, at: Location { line: 1, column: 1 } };
        let place = |token: &TokenWithSpan| {
            walk.until(token.span.start);
            let (start_bytes, start_letters) = (walk.bytes, walk.letters);
            walk.until(token.span.end);
            Place { start_bytes, start_letters, end_bytes: walk.bytes }
        };
        Self(tokens.iter().map(place).collect())
    }
}

struct Walk<'a> {
    rest: std::str::Chars<'a>,
    bytes: usize,
    letters: usize,
    at: Location,
}

impl Walk<'_> {
    /// Goes on to a place, or to the end.
    fn until(&mut self, place: Location) {
        while (self.at.line, self.at.column) < (place.line, place.column) {
            let Some(letter) = self.rest.next() else { return };
            self.bytes += letter.len_utf8();
            self.letters += 1;
            match letter {
                '\n' => self.at = Location { line: self.at.line + 1, column: 1 },
                _ => self.at.column += 1,
            }
        }
    }
}

fn offset_in_letters(sql: &str, place: Location) -> Option<usize> {
    let mut walk = Walk { rest: sql.chars(), bytes: 0, letters: 0, at: Location { line: 1, column: 1 } };
    walk.until(place);
    (place.line > 0).then_some(walk.letters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        read(sql).unwrap().into_iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn statements_end_at_semicolons_that_are_no_part_of_them() {
        let sql = "SELECT ';' AS \"a;b\" -- not; here\n ; ; /* nor; here */ SELECT 'ü;' ;";
        assert_eq!(texts(sql), ["SELECT ';' AS \"a;b\"", "SELECT 'ü;'"]);
        assert!(texts(" ;; -- nothing").is_empty());
    }

    #[test]
    fn places_are_counted_in_letters_of_the_whole() {
        let statements = read("SELECT 'ü';\nSELECT x FROM y").unwrap();
        assert_eq!(statements[1].position_of("x"), Some(20));
        assert_eq!(statements[1].position(1, 8), Some(20));
    }

    #[test]
    fn a_text_that_never_ends_is_an_error_with_its_place() {
        let error = read("SELECT 'abc").unwrap_err();
        assert_eq!((error.code, error.position), ("42601", Some(8)));
    }

    proptest! {
        #[test]
        fn any_text_is_statements_or_an_error(sql in "[-a-z'\"$;/* \n(),.0-9ü]{0,200}") {
            for statement in read(&sql).into_iter().flatten() {
                prop_assert!(sql.contains(&statement.text));
                prop_assert!(!statement.text.is_empty());
            }
        }
    }
}
