//! What is said about the connection and not to the tables: `SET`, `SHOW`, `BEGIN` and their like.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::SqlError;
use crate::script::Statement;

/// A statement by who answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The engine: everything that is not below.
    Query,
    Begin,
    Commit,
    Rollback,
    /// `SAVEPOINT`, `RELEASE`, and what else there is to say of a transaction; the tag it ends with.
    Noted(&'static str),
    Set {
        name: String,
        value: String,
    },
    Reset(Option<String>),
    Show(String),
    DiscardAll,
    /// A prepared statement to forget; all of them if `None`.
    Deallocate(Option<String>),
}

impl Command {
    pub(crate) fn of(statement: &Statement) -> Result<Self, SqlError> {
        let next = statement.word(1);
        Ok(match statement.verb().as_str() {
            "BEGIN" => Self::Begin,
            "START" if next == "TRANSACTION" => Self::Begin,
            "COMMIT" | "END" => Self::Commit,
            "ROLLBACK" | "ABORT" if statement.tokens.iter().any(|token| is_word(token, "TO")) => {
                Self::Noted("ROLLBACK")
            }
            "ROLLBACK" | "ABORT" => Self::Rollback,
            "SAVEPOINT" => Self::Noted("SAVEPOINT"),
            "RELEASE" => Self::Noted("RELEASE"),
            "UNLISTEN" => Self::Noted("UNLISTEN"),
            "DISCARD" => Self::DiscardAll,
            "CLOSE" if next == "ALL" => Self::Noted("CLOSE CURSOR ALL"),
            "DEALLOCATE" => deallocate(statement),
            "SET" => set(statement)?,
            "RESET" if next == "ALL" => Self::Reset(None),
            "RESET" => Self::Reset(Some(name(&statement.tokens[1..]))),
            "SHOW" if !matches!(next.as_str(), "TABLES" | "COLUMNS" | "ALL") => show(statement),
            "PREPARE" | "EXECUTE" | "DECLARE" | "FETCH" | "MOVE" | "CLOSE" | "LISTEN" | "NOTIFY" => {
                let text = format!("{} is not available", statement.verb());
                return Err(SqlError::new("0A000", text).with_hint(
                    "the protocol's own prepared statements and portals are: most drivers use them",
                ));
            }
            _ => Self::Query,
        })
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn deallocate(statement: &Statement) -> Command {
    let rest = &statement.tokens[1..];
    let rest = if rest.first().is_some_and(|token| is_word(token, "PREPARE")) { &rest[1..] } else { rest };
    match rest {
        [all] if is_word(all, "ALL") => Command::Deallocate(None),
        name => Command::Deallocate(Some(self::name(name))),
    }
}

fn show(statement: &Statement) -> Command {
    let rest = &statement.tokens[1..];
    let words: Vec<String> = (1..statement.tokens.len()).map(|index| statement.word(index)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["TRANSACTION", "ISOLATION", "LEVEL"] => Command::Show("transaction_isolation".to_owned()),
        ["TIME", "ZONE"] => Command::Show("TimeZone".to_owned()),
        ["SESSION", "AUTHORIZATION"] => Command::Show("session_authorization".to_owned()),
        _ => Command::Show(name(rest)),
    }
}

fn set(statement: &Statement) -> Result<Command, SqlError> {
    let mut rest = &statement.tokens[1..];
    if rest.first().is_some_and(|token| is_word(token, "SESSION") || is_word(token, "LOCAL"))
        && !rest.get(1).is_some_and(|token| is_word(token, "CHARACTERISTICS"))
    {
        rest = &rest[1..];
    }
    let words: Vec<bool> = ["TIME", "TRANSACTION", "NAMES", "CHARACTERISTICS", "AUTHORIZATION", "ROLE"]
        .iter()
        .map(|word| rest.iter().take(2).any(|token| is_word(token, word)))
        .collect();
    let [time, transaction, names, characteristics, authorization, role] = words[..] else {
        return Ok(Command::Noted("SET"));
    };
    if (transaction || characteristics)
        && rest.windows(2).any(|pair| is_word(&pair[0], "READ") && is_word(&pair[1], "WRITE"))
    {
        return Err(SqlError::new("25006", "this connection is read-only, and there is no other kind"));
    }
    if authorization || role && rest.first().is_some_and(|token| is_word(token, "ROLE")) {
        return Err(SqlError::new("42501", "who you are is said by the token that you came with"));
    }
    if transaction || characteristics || time && rest.get(1).is_some_and(|token| is_word(token, "ZONE")) {
        return Ok(Command::Noted("SET"));
    }
    if names && rest.first().is_some_and(|token| is_word(token, "NAMES")) {
        return Ok(Command::Set { name: "client_encoding".to_owned(), value: value(&rest[1..]) });
    }
    let ends = |token: &Token| matches!(token, Token::Eq) || is_word(token, "TO");
    let Some(end) = rest.iter().position(ends) else {
        return Err(SqlError::new("42601", "SET takes a name and a value: SET name = value"));
    };
    Ok(Command::Set { name: name(&rest[..end]), value: value(&rest[end + 1..]) })
}

/// A name, which may have several parts.
fn name(tokens: &[Token]) -> String {
    tokens.iter().map(value_of).collect()
}

/// A value, which may be a list.
fn value(tokens: &[Token]) -> String {
    let parts: Vec<String> = tokens.iter().map(value_of).collect();
    parts.concat().replace(',', ", ")
}

fn value_of(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    fn of(sql: &str) -> Result<Command, &'static str> {
        Command::of(&script::read(sql).unwrap()[0]).map_err(|error| error.code)
    }

    #[test]
    fn what_clients_say_at_the_beginning_is_understood() {
        let set = |name: &str, value: &str| Ok(Command::Set { name: name.into(), value: value.into() });
        assert_eq!(of("SET extra_float_digits = 3"), set("extra_float_digits", "3"));
        assert_eq!(of("set session application_name to 'a b'"), set("application_name", "a b"));
        assert_eq!(of("SET search_path TO public, \"X\""), set("search_path", "public, X"));
        assert_eq!(of("SET NAMES 'utf8'"), set("client_encoding", "utf8"));
        assert_eq!(of("SET TIME ZONE 'Europe/Berlin'"), Ok(Command::Noted("SET")));
        let isolation = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
        assert_eq!(of(isolation), Ok(Command::Noted("SET")));
        assert_eq!(of("SHOW transaction isolation level"), Ok(Command::Show("transaction_isolation".into())));
        assert_eq!(of("BEGIN READ ONLY"), Ok(Command::Begin));
        assert_eq!(of("start transaction"), Ok(Command::Begin));
        assert_eq!(of("ROLLBACK TO SAVEPOINT a"), Ok(Command::Noted("ROLLBACK")));
        assert_eq!(of("DISCARD ALL"), Ok(Command::DiscardAll));
        assert_eq!(of("DEALLOCATE \"s1\""), Ok(Command::Deallocate(Some("s1".into()))));
    }

    #[test]
    fn what_would_change_who_asks_or_what_may_be_written_is_refused() {
        assert_eq!(of("SET ROLE admin"), Err("42501"));
        assert_eq!(of("SET SESSION AUTHORIZATION 'x'"), Err("42501"));
        assert_eq!(of("SET TRANSACTION READ WRITE"), Err("25006"));
        assert_eq!(of("DECLARE c CURSOR FOR SELECT 1"), Err("0A000"));
    }

    #[test]
    fn the_rest_is_for_the_engine() {
        for sql in ["SELECT 1", "SHOW TABLES", "INSERT INTO events VALUES (1)", "nonsense"] {
            assert_eq!(of(sql), Ok(Command::Query));
        }
    }
}
