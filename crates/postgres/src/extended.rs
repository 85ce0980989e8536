//! The extended protocol: statements that are prepared, given values, described and run piece by piece.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::sql::sqlparser::tokenizer::Token;
use query::{Description, Parameter, ParameterType};

use crate::command::Command;
use crate::error::SqlError;
use crate::message::{Bind, Message, What};
use crate::oid;
use crate::parameter;
use crate::portal::{Answer, Portal, Progress, Sent};
use crate::reply::{Bare, Replies, format_of};
use crate::script::{self, Statement};
use crate::session::{Broken, Session};
use crate::simple::{check_length, put_shown, shown_column};

/// A statement that was prepared.
pub(crate) struct Prepared {
    /// `None` is a statement of nothing at all.
    statement: Option<Statement>,
    command: Command,
    /// What the client said the parameters are.
    declared: Vec<Option<ParameterType>>,
    /// What they are and what will be answered, once somebody wanted to know.
    described: Mutex<Option<Description>>,
}

impl Prepared {
    fn new(sql: &str, types: &[u32]) -> Result<Self, SqlError> {
        let mut statements = script::read(sql)?;
        if statements.len() > 1 {
            let text = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new("42601", text));
        }
        let statement = statements.pop();
        let command = statement.as_ref().map_or(Ok(Command::Noted("")), Command::of)?;
        let declared: Result<Vec<_>, SqlError> = types.iter().map(|oid| oid::parameter_type(*oid)).collect();
        let mut declared = declared?;
        let count = statement.as_ref().map_or(0, placeholders);
        declared.resize(declared.len().max(count), None);
        Ok(Self { statement, command, declared, described: Mutex::default() })
    }

    /// The types of the parameters, where they are known without asking the engine.
    fn known_types(&self) -> Option<Vec<ParameterType>> {
        match self.described() {
            Some(described) => Some(described.parameters),
            None => self.declared.iter().copied().collect(),
        }
    }

    fn described(&self) -> Option<Description> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bytes(&self) -> usize {
        // The tokens are a copy of the text in pieces.
        let text =
            self.statement.as_ref().map_or(0, |statement| statement.text.len() + 64 * statement.tokens.len());
        64 + text
    }
}

/// The highest number of a `$1`.
fn placeholders(statement: &Statement) -> usize {
    let number = |token: &Token| match token {
        Token::Placeholder(name) => name.strip_prefix('$')?.parse::<u16>().ok(),
        _ => None,
    };
    statement.tokens.iter().filter_map(number).max().unwrap_or(0).into()
}

impl Message {
    /// Whether it is of the extended protocol, where after an error everything is skipped up to `Sync`.
    pub(crate) fn is_extended(&self) -> bool {
        matches!(
            self,
            Self::Parse { .. }
                | Self::Bind(_)
                | Self::Describe { .. }
                | Self::Execute { .. }
                | Self::Close { .. }
        )
    }
}

impl Session {
    pub(crate) fn parse(&mut self, name: String, sql: &str, types: &[u32]) -> Result<(), Broken> {
        check_length(sql, self.shared.query.limits().sql_bytes_max)?;
        if !name.is_empty() && self.statements.contains_key(&name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new("42P05", text).into());
        }
        let prepared = Prepared::new(sql, types)?;
        self.check_transaction(&prepared.command)?;
        self.statements.remove(&name);
        self.check_room(prepared.bytes() + name.len())?;
        self.statements.insert(name, Arc::new(prepared));
        self.wire.output.bare(Bare::ParseComplete);
        Ok(())
    }

    /// Whether one more statement or portal of so many bytes may be kept.
    fn check_room(&self, bytes: usize) -> Result<(), SqlError> {
        let config = &self.shared.config;
        let count = self.statements.len() + self.portals.len();
        let of_statements = self.statements.iter().map(|(name, prepared)| name.len() + prepared.bytes());
        let of_portals = self.portals.iter().map(|(name, portal)| name.len() + portal.bytes());
        let held: usize = of_statements.chain(of_portals).sum();
        if count < config.prepared_max && held + bytes <= config.prepared_bytes_max {
            return Ok(());
        }
        let text = format!(
            "at most {} statements and portals of {} bytes are kept",
            config.prepared_max, config.prepared_bytes_max
        );
        Err(SqlError::new("53400", text).with_hint("close those that are not used any more"))
    }

    fn statement(&self, name: &str) -> Result<Arc<Prepared>, SqlError> {
        self.statements
            .get(name)
            .cloned()
            .ok_or_else(|| SqlError::new("26000", format!("prepared statement \"{name}\" does not exist")))
    }

    pub(crate) async fn bind(&mut self, bind: Bind) -> Result<(), Broken> {
        let prepared = self.statement(&bind.statement)?;
        self.check_transaction(&prepared.command)?;
        let parameters = self.parameters(&prepared, &bind).await?;
        let known = bind.formats.iter().chain(&bind.result_formats).all(|format| matches!(format, 0 | 1));
        if !known {
            return Err(SqlError::new("22023", "a format is 0 for text or 1 for binary").into());
        }
        self.portals.remove(&bind.portal);
        let portal = Portal { prepared, parameters, formats: bind.result_formats, progress: Progress::Bound };
        self.check_room(portal.bytes() + bind.portal.len())?;
        self.portals.insert(bind.portal, portal);
        self.wire.output.bare(Bare::BindComplete);
        Ok(())
    }

    async fn parameters(&mut self, prepared: &Prepared, bind: &Bind) -> Result<Vec<Parameter>, Broken> {
        let types = match prepared.known_types() {
            Some(types) => types,
            None => self.description(prepared).await?.parameters,
        };
        if types.len() != bind.values.len() {
            let (given, wanted) = (bind.values.len(), types.len());
            let text = format!("{given} values were given, and the statement takes {wanted}");
            return Err(SqlError::new("08P01", text).into());
        }
        let read = types.iter().zip(&bind.values).enumerate().map(|(index, (kind, value))| {
            parameter::read(*kind, value.as_deref(), format_of(&bind.formats, index) == 1, index + 1)
        });
        Ok(read.collect::<Result<_, SqlError>>()?)
    }

    /// What a statement takes and answers.
    async fn description(&mut self, prepared: &Prepared) -> Result<Description, Broken> {
        if let Some(described) = prepared.described() {
            return Ok(described);
        }
        let nothing =
            || Description { parameters: Vec::new(), schema: arrow::datatypes::Schema::empty().into() };
        let (Some(statement), Command::Query) = (&prepared.statement, &prepared.command) else {
            return Ok(nothing());
        };
        let principal = self.principal().await?;
        let engine = self.shared.query.clone();
        let describe = engine.describe(&principal.scope, &statement.text, prepared.declared.clone());
        let described =
            self.watched(describe).await?.map_err(|error| SqlError::of_query(error, statement))?;
        *prepared.described.lock().unwrap_or_else(PoisonError::into_inner) = Some(described.clone());
        Ok(described)
    }

    pub(crate) async fn describe(&mut self, what: What, name: &str) -> Result<(), Broken> {
        match what {
            What::Statement => {
                let prepared = self.statement(name)?;
                let described = self.description(&prepared).await?;
                let columns = oid::columns(&described.schema)?;
                let oids: Vec<u32> = described.parameters.iter().copied().map(oid::parameter_oid).collect();
                self.wire.output.parameter_description(&oids);
                match (&prepared.command, columns.is_empty()) {
                    (Command::Show(name), _) => self.wire.output.row_description(&[shown_column(name)], &[]),
                    (_, true) => self.wire.output.bare(Bare::NoData),
                    (_, false) => self.wire.output.row_description(&columns, &[]),
                }
                Ok(())
            }
            What::Portal => self.describe_portal(name).await,
        }
    }

    /// A portal is begun to be described: then it is known what it answers, and not only likely.
    async fn describe_portal(&mut self, name: &str) -> Result<(), Broken> {
        let mut portal = self.take_portal(name)?;
        match (&portal.prepared.command, &portal.prepared.statement) {
            (Command::Show(setting), _) => {
                self.wire.output.row_description(&[shown_column(setting)], &portal.formats);
            }
            (Command::Query, Some(_)) => {
                let answer = self.answer_of(&mut portal).await?;
                self.wire.output.row_description(&answer.columns, &portal.formats);
                portal.progress = Progress::Answering(answer);
            }
            _ => self.wire.output.bare(Bare::NoData),
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    /// Takes a portal away; one that fails does not come back.
    fn take_portal(&mut self, name: &str) -> Result<Portal, SqlError> {
        self.portals
            .remove(name)
            .ok_or_else(|| SqlError::new("34000", format!("portal \"{name}\" does not exist")))
    }

    /// The rows of a portal from where it is, which are begun with if they have not been.
    async fn answer_of(&mut self, portal: &mut Portal) -> Result<Box<Answer>, Broken> {
        match std::mem::replace(&mut portal.progress, Progress::Done) {
            Progress::Answering(answer) => return Ok(answer),
            Progress::Bound => {}
            Progress::TooLate => {
                let seconds = self.shared.query.limits().time.as_secs_f64();
                let text =
                    format!("the portal was not read within {seconds} s, the limit query.time_max_seconds");
                return Err(SqlError::new("57014", text).into());
            }
            Progress::Done => {
                return Err(SqlError::new("55000", "the portal was run to its end already").into());
            }
        }
        let prepared = Arc::clone(&portal.prepared);
        let Some(statement) = &prepared.statement else {
            return Err(SqlError::new("55000", "there is nothing to run").into());
        };
        let answer = self.begin(statement, portal.parameters.clone()).await?;
        if let Some(described) = prepared.described()
            && !described.schema.fields().is_empty()
            && oid::columns(&described.schema)? != answer.columns
        {
            return Err(SqlError::new("0A000", "cached plan must not change result type").into());
        }
        Ok(Box::new(answer))
    }

    pub(crate) async fn execute(&mut self, name: &str, rows_max: i32) -> Result<(), Broken> {
        let mut portal = self.take_portal(name)?;
        let prepared = Arc::clone(&portal.prepared);
        self.check_transaction(&prepared.command)?;
        let Some(statement) = &prepared.statement else {
            self.wire.output.bare(Bare::EmptyQuery);
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        };
        if prepared.command != Command::Query {
            let (tag, shown) = self.obey(&prepared.command)?;
            if let Some(value) = shown {
                put_shown(&mut self.wire.output, &value);
            }
            self.wire.output.complete(tag);
            return Ok(());
        }
        let mut answer = self.answer_of(&mut portal).await?;
        let rows_max = usize::try_from(rows_max).ok().filter(|rows| *rows > 0);
        match self.send_rows(&mut answer, statement, &portal.formats, rows_max).await? {
            Sent::All(rows) => self.complete(statement, rows),
            Sent::Some => {
                self.wire.output.bare(Bare::PortalSuspended);
                portal.progress = Progress::Answering(answer);
            }
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    pub(crate) fn close(&mut self, what: What, name: &str) {
        match what {
            What::Statement => drop(self.statements.remove(name)),
            What::Portal => drop(self.portals.remove(name)),
        }
        self.wire.output.bare(Bare::CloseComplete);
    }
}
