//! Every SQLSTATE that is answered, chosen here and nowhere else for what `query` refuses.

use query::QueryError;

use crate::script::Statement;

/// Why a statement, or a connection, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
    /// The letter of the query where it is, counted from 1.
    pub(crate) position: Option<usize>,
    /// Whether the connection ends with it.
    pub(crate) fatal: bool,
}

impl SqlError {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), hint: None, position: None, fatal: false }
    }

    pub(crate) fn fatal(code: &'static str, text: impl Into<String>) -> Self {
        Self { fatal: true, ..Self::new(code, text) }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn severity(&self) -> &'static str {
        if self.fatal { "FATAL" } else { "ERROR" }
    }

    pub(crate) fn malformed(text: impl Into<String>) -> Self {
        Self::fatal("08P01", text)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new("57014", "canceling statement due to user request")
    }

    pub(crate) fn stopping() -> Self {
        Self::fatal("57P01", "this server is stopping").with_hint("connect again in a moment")
    }

    pub(crate) fn too_many_rows(rows_max: usize) -> Self {
        let text = format!("the answer has more than {rows_max} rows, the limit query.rows_max");
        Self::new("53400", text).with_hint("ask for fewer with WHERE or LIMIT, or add them up in SQL")
    }

    /// What `query` says of a statement.
    pub(crate) fn of_query(error: QueryError, statement: &Statement) -> Self {
        let text = error.to_string();
        match error {
            QueryError::Invalid(_) => Self::of_sql(text, statement),
            QueryError::Refused(_) if WRITES.contains(&statement.verb().as_str()) => {
                Self::new("25006", text).with_hint("this connection is read-only, and there is no other kind")
            }
            QueryError::Refused(_) => Self::new("42501", text),
            QueryError::TooLong { .. } => {
                Self::new("57014", format!("{text}, the limit query.time_max_seconds"))
                    .with_hint("ask for less, e.g. for fewer days")
            }
            QueryError::TooMuchMemory { .. } => {
                Self::new("53200", format!("{text}, the limit query.memory_max_mib"))
                    .with_hint("ask for less, e.g. for fewer groups or columns")
            }
            QueryError::Busy(_) => Self::new("53300", format!("{text}; the limit is query.concurrent_max"))
                .with_hint("one partner may have half of the places"),
            QueryError::Unavailable(cause) => {
                tracing::warn!(%cause, "the tables cannot be read");
                Self::new("58000", text)
            }
        }
    }

    /// What is wrong with the SQL itself, from what the planner says of it.
    fn of_sql(text: String, statement: &Statement) -> Self {
        let (code, named) = classified(&text);
        let mut error = Self::new(code, text);
        error.position = line_and_column(&error.text)
            .and_then(|(line, column)| statement.position(line, column))
            .or_else(|| named.as_deref().and_then(|name| statement.position_of(name)));
        if code == UNDEFINED_TABLE {
            error.hint =
                named.and_then(|name| nearest_table(&name)).map(|near| format!("did you mean {near}?"));
        } else if let Some((_, tail)) = error.text.split_once("Did you mean '") {
            let near = tail.split('\'').next().unwrap_or_default();
            error.hint = Some(format!("did you mean {near}?"));
        } else if code == UNDEFINED_COLUMN {
            error.hint =
                named.and_then(|name| nearest_column(&name)).map(|near| format!("did you mean {near}?"));
        }
        error
    }
}

/// Statements that would change something if they were run.
const WRITES: [&str; 20] = [
    "ALTER", "ANALYZE", "CALL", "CLUSTER", "COMMENT", "COPY", "CREATE", "DELETE", "DO", "DROP", "GRANT",
    "IMPORT", "INSERT", "LOCK", "MERGE", "REFRESH", "REINDEX", "REVOKE", "TRUNCATE", "UPDATE",
];

const UNDEFINED_TABLE: &str = "42P01";
const UNDEFINED_COLUMN: &str = "42703";

/// What kind of error a text of the planner is, and the name that it is about.
fn classified(text: &str) -> (&'static str, Option<String>) {
    let after = |words: &str| text.split_once(words).map(|(_, tail)| tail);
    let quoted = |tail: &str| {
        tail.trim_start_matches(['\'', '"', '`']).split(['\'', '"', '`']).next().map(str::to_owned)
    };
    let word = |tail: &str| {
        let end = tail.find([' ', ',', ';']).unwrap_or(tail.len());
        tail[..end].trim_end_matches('.').trim_matches('"').to_owned()
    };
    if let Some(tail) = after("table '").filter(|tail| tail.contains("not found")) {
        let whole = quoted(tail).unwrap_or_default();
        let name = whole.rsplit('.').next().unwrap_or_default().to_owned();
        return (UNDEFINED_TABLE, Some(name));
    }
    if let Some(tail) = after("No field named ") {
        return (
            UNDEFINED_COLUMN,
            Some(word(tail).rsplit('.').next().unwrap_or_default().trim_matches('"').to_owned()),
        );
    }
    if let Some(tail) = after("Invalid function ") {
        return ("42883", quoted(tail));
    }
    let signs: [(&str, &'static str); 15] = [
        ("ParserError", "42601"),
        ("SQL error", "42601"),
        ("there is no statement", "42601"),
        ("there is no value for $", "08P01"),
        ("is no parameter", "42P02"),
        ("Placeholder", "42P18"),
        ("Cannot cast", "22P02"),
        ("Error parsing", "22007"),
        ("Parser error", "22P02"),
        ("Divide by zero", "22012"),
        ("verflow", "22003"),
        ("Cannot coerce", "42804"),
        ("Cannot infer common", "42804"),
        ("are planned", "54001"),
        ("are read", "54000"),
    ];
    let known = signs.iter().find(|(sign, _)| text.contains(sign));
    let mismatch =
        text.contains("coerc") || text.contains("type_coercion") || text.contains("No function matches");
    match known {
        Some((_, code)) => (code, None),
        None if text.contains("mbiguous") => ("42702", None),
        None if mismatch => ("42804", None),
        None if text.contains("not implemented") || text.contains("not supported") => ("0A000", None),
        None => ("42000", None),
    }
}

/// `Line: 2, Column: 7` of the parser's errors.
fn line_and_column(text: &str) -> Option<(u64, u64)> {
    let (_, tail) = text.split_once("Line: ")?;
    let (line, tail) = tail.split_once(", Column: ")?;
    let digits = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
    Some((line.parse().ok()?, tail[..digits].parse().ok()?))
}

fn nearest_table(name: &str) -> Option<String> {
    nearest(name, query::QueryEngine::tables_doc().into_iter().map(|table| table.name))
}

fn nearest_column(name: &str) -> Option<String> {
    let tables = query::QueryEngine::tables_doc();
    nearest(name, tables.into_iter().flat_map(|table| table.columns).map(|column| column.name))
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
    use crate::script;

    fn of(sql: &str, text: &str) -> SqlError {
        let statement = script::read(sql).unwrap().remove(0);
        SqlError::of_query(QueryError::Invalid(text.to_owned()), &statement)
    }

    #[test]
    fn a_syntax_error_is_where_the_parser_says() {
        let error =
            of("SELECT 1\nFORM events", "SQL error: ParserError(\"Expected: x at Line: 2, Column: 6\")");
        assert_eq!((error.code, error.position), ("42601", Some(15)));
    }

    #[test]
    fn a_table_that_is_misspelt_is_known_by_its_neighbour() {
        let error = of("SELECT * FROM evnts", "table 'watchfire.public.evnts' not found");
        assert_eq!((error.code, error.position), ("42P01", Some(15)));
        assert_eq!(error.hint.as_deref(), Some("did you mean events?"));
    }

    #[test]
    fn what_writes_is_refused_as_read_only() {
        let refused = |sql: &str| {
            let statement = script::read(sql).unwrap().remove(0);
            SqlError::of_query(QueryError::Refused("no".to_owned()), &statement).code
        };
        assert_eq!(refused("insert into events values (1)"), "25006");
        assert_eq!(refused("SELECT * FROM df_settings"), "42501");
    }
}
