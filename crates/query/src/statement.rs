//! Reads SQL and refuses what is not reading.

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;
use datafusion::sql::sqlparser::dialect::GenericDialect;

use crate::QueryError;
use crate::bounds::{check_operators, check_relations};

/// How deep brackets and sub-queries may nest.
const NESTING_MAX: usize = 50;

/// The one statement that `sql` holds, if it only reads.
pub(crate) fn parse(sql: &str) -> Result<Statement, QueryError> {
    check_operators(sql)?;
    let statements = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(NESTING_MAX)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = statements.map_err(|cause| QueryError::Invalid(cause.strip_backtrace()))?;
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => {
            check(&statement)?;
            Ok(statement)
        }
        (None, _) => Err(QueryError::Invalid("there is no statement".to_owned())),
        (Some(_), _) => Err(QueryError::Refused("only one statement is run at a time".to_owned())),
    }
}

fn check(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(sql) => match &**sql {
            Sql::Query(_) => check_relations(sql),
            Sql::ExplainTable { .. } | Sql::ShowTables { .. } | Sql::ShowColumns { .. } => Ok(()),
            other => Err(not_a_read(other)),
        },
        Statement::Explain(explain) if explain.options.analyze || explain.options.verbose => {
            Err(QueryError::Refused("EXPLAIN is only available without ANALYZE and VERBOSE".to_owned()))
        }
        Statement::Explain(explain) => match &*explain.statement {
            Statement::Statement(sql) if matches!(**sql, Sql::Query(_)) => check_relations(sql),
            other => Err(not_a_read(other)),
        },
        other => Err(not_a_read(other)),
    }
}

/// Names the statement by its first word.
pub(crate) fn not_a_read(statement: &dyn std::fmt::Display) -> QueryError {
    let text = statement.to_string();
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    QueryError::Refused(format!(
        "{word} is not available: only SELECT, WITH, VALUES, EXPLAIN, DESCRIBE, SHOW TABLES and SHOW COLUMNS are"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_allowed() {
        for sql in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a;",
            "VALUES (1)",
            "EXPLAIN SELECT 1",
            "DESCRIBE events",
            "SHOW TABLES",
            "SHOW COLUMNS FROM events",
        ] {
            assert!(parse(sql).is_ok(), "{sql}: {:?}", parse(sql).err());
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for sql in [
            "CREATE TABLE a AS SELECT 1",
            "CREATE VIEW a AS SELECT 1",
            "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
            "COPY events TO '/tmp/x.csv'",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "INSERT INTO events VALUES (1)",
            "DELETE FROM events",
            "UPDATE events SET tenant = 'x'",
            "DROP TABLE events",
            "SET datafusion.execution.target_partitions = 1",
            "RESET datafusion.execution.target_partitions",
            "SHOW ALL",
            "PREPARE a AS SELECT 1",
            "EXECUTE a",
            "BEGIN",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN VERBOSE SELECT 1",
            "EXPLAIN INSERT INTO events VALUES (1)",
            "SELECT 1; SELECT 2",
        ] {
            let answer = parse(sql);
            assert!(
                matches!(answer, Err(QueryError::Refused(_) | QueryError::Invalid(_))),
                "{sql}: {answer:?}"
            );
        }
    }

    #[test]
    fn a_refusal_names_the_word() {
        let refused = parse("DROP TABLE events").expect_err("refused");
        assert!(refused.to_string().starts_with("DROP is not available"), "{refused}");
    }
}
