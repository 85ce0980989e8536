//! A statement that is being answered: its rows, as many at a time as are asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use query::{Parameter, QueryAnswer};
use tokio::time::Instant;

use crate::error::SqlError;
use crate::extended::Prepared;
use crate::oid::{self, Column};
use crate::reply::Replies;
use crate::script::Statement;
use crate::session::{Broken, Session};
use crate::value::Rows;

/// Rows that are written at a time: what is written is a copy.
const ROWS_AT_A_TIME: usize = 256;

/// A prepared statement with values for its parameters.
pub(crate) struct Portal {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) formats: Vec<i16>,
    pub(crate) progress: Progress,
}

/// How far a portal is.
pub(crate) enum Progress {
    Bound,
    Answering(Box<Answer>),
    /// Its time was over before it was read to its end.
    TooLate,
    Done,
}

impl Portal {
    /// When it has to be done: until then it may keep others from asking.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        match &self.progress {
            Progress::Answering(answer) => Some(answer.ends_at),
            _ => None,
        }
    }

    pub(crate) fn end_if_due(&mut self, now: Instant) {
        if self.ends_at().is_some_and(|ends_at| ends_at <= now) {
            self.progress = Progress::TooLate;
        }
    }

    /// What it keeps in memory, by what the client sent for it.
    pub(crate) fn bytes(&self) -> usize {
        self.parameters.iter().map(|parameter| 32 + parameter.value.as_ref().map_or(0, String::len)).sum()
    }
}

/// Rows on their way.
pub(crate) struct Answer {
    pub(crate) columns: Vec<Column>,
    ends_at: Instant,
    answer: QueryAnswer,
    /// A batch that is not written to its end, and how far it is.
    rest: Option<(RecordBatch, usize)>,
    sent: usize,
}

/// Whether there are more rows than were asked for.
pub(crate) enum Sent {
    All(usize),
    Some,
}

impl Answer {
    /// The batch that rows are written from, and the first that is not yet.
    async fn batch(&mut self, statement: &Statement) -> Result<Option<(RecordBatch, usize)>, SqlError> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        match self.answer.batches.next().await {
            Some(Ok(batch)) => Ok(Some((batch, 0))),
            Some(Err(error)) => Err(SqlError::of_query(error, statement)),
            None if self.answer.truncated.load(Ordering::Acquire) => {
                Err(SqlError::too_many_rows(self.answer.rows_max))
            }
            None => Ok(None),
        }
    }
}

impl Session {
    /// Begins to answer a statement, within what its caller may see and the engine allows.
    pub(crate) async fn begin(
        &mut self,
        statement: &Statement,
        parameters: Vec<Parameter>,
    ) -> Result<Answer, Broken> {
        let principal = self.principal().await?;
        let engine = self.shared.query.clone();
        let begun = engine.query_with(&principal.scope, &statement.text, parameters);
        let answer = self.watched(begun).await?.map_err(|error| SqlError::of_query(error, statement))?;
        let columns = oid::columns(&answer.schema)?;
        Ok(Answer { columns, ends_at: answer.ends_at, answer, rest: None, sent: 0 })
    }

    /// Sends rows: all of them, or as many as are asked for.
    pub(crate) async fn send_rows(
        &mut self,
        answer: &mut Answer,
        statement: &Statement,
        formats: &[i16],
        rows_max: Option<usize>,
    ) -> Result<Sent, Broken> {
        let mut left = rows_max.unwrap_or(usize::MAX);
        loop {
            let Some((batch, from)) = self.watched(answer.batch(statement)).await?? else {
                return Ok(Sent::All(answer.sent));
            };
            if left == 0 {
                answer.rest = Some((batch, from));
                return Ok(Sent::Some);
            }
            let count = ROWS_AT_A_TIME.min(left).min(batch.num_rows() - from);
            let rows = Rows::of(&batch.slice(from, count), &answer.columns)?;
            for row in 0..rows.count() {
                rows.write(row, &answer.columns, formats, &mut self.wire.output);
                tokio::select! {
                    sent = self.wire.send_some() => sent?,
                    () = self.seat.cancelled() => return Err(SqlError::cancelled().into()),
                }
            }
            (left, answer.sent) = (left - count, answer.sent + count);
            if from + count < batch.num_rows() {
                answer.rest = Some((batch, from + count));
            }
        }
    }

    /// Says that a statement is done.
    pub(crate) fn complete(&mut self, statement: &Statement, rows: usize) {
        self.shared.metrics.answered("00000");
        tracing::debug!(token = self.guest.principal.name, rows, "answered");
        self.wire.output.complete(&match statement.verb().as_str() {
            "EXPLAIN" => "EXPLAIN".to_owned(),
            "SHOW" => "SHOW".to_owned(),
            _ => format!("SELECT {rows}"),
        });
    }
}
