//! Every SQLSTATE that is answered, chosen here and nowhere else for what `query` refuses.

use query::{Advice, QueryError, Unknown};

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
        let advice = Advice::of(&text);
        let mut error = Self::new(code(&text, advice.unknown.as_ref()), text);
        error.position = advice
            .line_and_column
            .and_then(|(line, column)| statement.position(line, column))
            .or_else(|| statement.position_of(advice.unknown.as_ref()?.name()));
        error.hint = advice.hint;
        error
    }
}

/// Statements that would change something if they were run.
const WRITES: [&str; 20] = [
    "ALTER", "ANALYZE", "CALL", "CLUSTER", "COMMENT", "COPY", "CREATE", "DELETE", "DO", "DROP", "GRANT",
    "IMPORT", "INSERT", "LOCK", "MERGE", "REFRESH", "REINDEX", "REVOKE", "TRUNCATE", "UPDATE",
];

/// What kind of error a text of the planner is.
fn code(text: &str, unknown: Option<&Unknown>) -> &'static str {
    match unknown {
        Some(Unknown::Table(_)) => return "42P01",
        Some(Unknown::Column(_)) => return "42703",
        Some(Unknown::Function(_)) => return "42883",
        None => {}
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
        Some((_, code)) => code,
        None if text.contains("mbiguous") => "42702",
        None if mismatch => "42804",
        None if text.contains("not implemented") || text.contains("not supported") => "0A000",
        None => "42000",
    }
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
