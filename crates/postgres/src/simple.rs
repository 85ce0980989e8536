//! The simple protocol: a text of one or more statements, answered one after the other.

use bytes::BufMut;

use crate::command::Command;
use crate::error::SqlError;
use crate::oid::{Column, Kind, Scalar};
use crate::portal::Sent;
use crate::reply::{Bare, Replies};
use crate::script::{self, Statement};
use crate::session::{Broken, Session};

impl Session {
    pub(crate) async fn simple_query(&mut self, sql: &str) -> Result<(), Broken> {
        let limit = self.shared.query.limits().sql_bytes_max;
        check_length(sql, limit)?;
        let statements = script::read(sql)?;
        if statements.is_empty() {
            self.wire.output.bare(Bare::EmptyQuery);
        }
        for statement in &statements {
            self.simple_statement(statement).await?;
        }
        self.ready().await
    }

    async fn simple_statement(&mut self, statement: &Statement) -> Result<(), Broken> {
        let command = Command::of(statement)?;
        self.check_transaction(&command)?;
        if command != Command::Query {
            let (tag, shown) = self.obey(&command)?;
            if let (Command::Show(name), Some(value)) = (&command, shown) {
                self.wire.output.row_description(&[shown_column(name)], &[]);
                put_shown(&mut self.wire.output, &value);
            }
            self.wire.output.complete(tag);
            return Ok(());
        }
        let mut answer = self.begin(statement, Vec::new()).await?;
        self.wire.output.row_description(&answer.columns, &[]);
        if let Sent::All(rows) = self.send_rows(&mut answer, statement, &[], None).await? {
            self.complete(statement, rows);
        }
        Ok(())
    }
}

pub(crate) fn check_length(sql: &str, max: usize) -> Result<(), SqlError> {
    match sql.len() > max {
        true => Err(SqlError::new("54000", format!("query has {} bytes, at most {max} are read", sql.len()))),
        false => Ok(()),
    }
}

/// The column that `SHOW` answers.
pub(crate) fn shown_column(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Kind::One(Scalar::Text) }
}

pub(crate) fn put_shown(output: &mut impl Replies, value: &str) {
    output.message(b'D', |body| {
        body.put_u16(1);
        body.put_i32(i32::try_from(value.len()).expect("settings are short"));
        body.put_slice(value.as_bytes());
    });
}
