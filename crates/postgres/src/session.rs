//! A connection once it is known who speaks: message after message, until somebody ends it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use alerting::Principal;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cancel::Seat;
use crate::command::Command;
use crate::error::SqlError;
use crate::extended::Prepared;
use crate::message::Message;
use crate::portal::Portal;
use crate::reply::{Replies, Transaction};
use crate::server::Shared;
use crate::startup::{BoxStream, Guest};
use crate::wire::{Wire, WireError};

/// A client that has come in.
pub(crate) struct Session {
    pub(crate) wire: Wire<BoxStream>,
    pub(crate) guest: Guest,
    pub(crate) shared: Arc<Shared>,
    pub(crate) seat: Seat,
    pub(crate) transaction: Transaction,
    pub(crate) statements: HashMap<String, Arc<Prepared>>,
    pub(crate) portals: HashMap<String, Portal>,
    /// Whether messages are skipped up to the next `Sync`, because one before it was wrong.
    skipping: bool,
    closing: watch::Receiver<bool>,
}

/// Why a message is not answered to its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The client is told, and goes on unless it is fatal.
    Sql(SqlError),
    /// There is nobody to tell.
    Wire(WireError),
    /// The client is gone.
    Gone,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sql(error) => f.write_str(&error.text),
            Self::Wire(error) => error.fmt(f),
            Self::Gone => f.write_str("the client is gone"),
        }
    }
}

impl From<SqlError> for Broken {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<WireError> for Broken {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Malformed(text) => Self::Sql(SqlError::malformed(text)),
            broken => Self::Wire(broken),
        }
    }
}

/// Whether there is more to come.
pub(crate) enum Next {
    More,
    Nothing,
}

impl Session {
    pub(crate) fn new(
        wire: Wire<BoxStream>,
        guest: Guest,
        shared: Arc<Shared>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let seat = shared.cancels.seat();
        Self {
            wire,
            guest,
            shared,
            seat,
            transaction: Transaction::None,
            statements: HashMap::new(),
            portals: HashMap::new(),
            skipping: false,
            closing,
        }
    }

    /// Answers until the client leaves or has to. Says why, if not by the client's wish.
    pub(crate) async fn run(mut self) -> Result<(), Broken> {
        self.guest.greet(&mut self.wire.output);
        self.wire.output.backend_key(self.seat.process, self.seat.secret);
        self.wire.output.ready(self.transaction);
        let ended = self.serve().await;
        if let Err(Broken::Sql(error)) = &ended {
            self.wire.output.error(error);
        }
        // What a client has asked for ends with it.
        self.portals.clear();
        self.wire.close().await;
        ended
    }

    async fn serve(&mut self) -> Result<(), Broken> {
        self.wire.send().await?;
        while let Some(message) = self.next().await? {
            self.seat.begin();
            let is_extended = message.is_extended();
            match self.answer(message).await {
                Ok(Next::More) => {}
                Ok(Next::Nothing) => return Ok(()),
                Err(Broken::Sql(error)) if !error.fatal => self.fail(&error, is_extended).await?,
                Err(broken) => return Err(broken),
            }
            self.wire.send_some().await?;
        }
        Ok(())
    }

    /// The next message. While none comes, what is due is done: portals end with their time, and so
    /// does a connection that says nothing.
    async fn next(&mut self) -> Result<Option<Message>, Broken> {
        let idle_until = Instant::now() + self.shared.config.idle_timeout;
        loop {
            let portal_ends = self.portals.values().filter_map(Portal::ends_at).min();
            let until = portal_ends.unwrap_or(idle_until).min(idle_until);
            let mut closing = self.closing.clone();
            tokio::select! {
                frame = self.wire.frame() => {
                    return match frame? {
                        Some(frame) => Ok(Some(Message::read(frame)?)),
                        None => Ok(None),
                    };
                }
                _ = closing.wait_for(|closing| *closing) => return Err(SqlError::stopping().into()),
                () = tokio::time::sleep_until(until) => {
                    let now = Instant::now();
                    self.portals.values_mut().for_each(|portal| portal.end_if_due(now));
                    if now >= idle_until {
                        let text = "the connection has said nothing for too long";
                        return Err(SqlError::fatal("57P05", text).into());
                    }
                }
            }
        }
    }

    async fn answer(&mut self, message: Message) -> Result<Next, Broken> {
        if self.skipping && !matches!(message, Message::Sync | Message::Terminate) {
            return Ok(Next::More);
        }
        match message {
            Message::Terminate => return Ok(Next::Nothing),
            Message::Query(sql) => self.simple_query(&sql).await?,
            Message::Parse { name, sql, types } => self.parse(name, &sql, &types)?,
            Message::Bind(bind) => self.bind(bind).await?,
            Message::Describe { what, name } => self.describe(what, &name).await?,
            Message::Execute { portal, rows_max } => self.execute(&portal, rows_max).await?,
            Message::Close { what, name } => self.close(what, &name),
            Message::Flush => self.wire.send().await?,
            Message::Sync => self.sync().await?,
            // Of a COPY that was refused already.
            Message::Copy => {}
            Message::Password(_) => {
                return Err(SqlError::malformed("nobody asked for a password").into());
            }
        }
        Ok(Next::More)
    }

    /// Tells what was wrong. The simple protocol goes on at once, the extended one at the next `Sync`.
    async fn fail(&mut self, error: &SqlError, is_extended: bool) -> Result<(), Broken> {
        self.shared.metrics.answered(error.code);
        tracing::debug!(token = self.guest.principal.name, code = error.code, "a statement was refused");
        self.wire.output.error(error);
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
        match is_extended {
            true => self.skipping = true,
            false => self.ready().await?,
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), Broken> {
        self.skipping = false;
        self.ready().await
    }

    pub(crate) async fn ready(&mut self) -> Result<(), Broken> {
        if self.transaction == Transaction::None {
            self.portals.clear();
        }
        self.wire.output.ready(self.transaction);
        Ok(self.wire.send().await?)
    }

    /// Who asks, as far as they still may: a token may be revoked at any time.
    pub(crate) async fn principal(&mut self) -> Result<Principal, SqlError> {
        let token = self.guest.token.expose().trim();
        match self.shared.control.verify_token(token).await {
            Ok(Some(principal)) => Ok(principal),
            Ok(None) => Err(SqlError::fatal("28P01", "this token was revoked or has expired")),
            Err(error) => {
                tracing::warn!(%error, "tokens cannot be looked up");
                Err(SqlError::new("58000", "tokens cannot be looked up at the moment"))
            }
        }
    }

    /// Waits for something that a query does, unless the client is gone or wants it no more.
    pub(crate) async fn watched<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Broken> {
        tokio::select! {
            done = work => Ok(done),
            () = self.seat.cancelled() => Err(SqlError::cancelled().into()),
            () = self.wire.gone() => Err(Broken::Gone),
        }
    }

    /// In a transaction that has failed there is nothing but its end.
    pub(crate) fn check_transaction(&self, command: &Command) -> Result<(), SqlError> {
        match (self.transaction, command) {
            (Transaction::Failed, Command::Commit | Command::Rollback | Command::Noted("ROLLBACK")) => Ok(()),
            (Transaction::Failed, _) => {
                let text = "current transaction is aborted, commands ignored until end of transaction block";
                Err(SqlError::new("25P02", text))
            }
            _ => Ok(()),
        }
    }

    /// Does what a command says about the connection; gives the tag that it ends with, and what `SHOW`
    /// shows.
    pub(crate) fn obey(&mut self, command: &Command) -> Result<(&'static str, Option<String>), SqlError> {
        let settings = &mut self.guest.settings;
        let tag = match command {
            Command::Query => return Err(SqlError::new("XX000", "a query is for the engine")),
            Command::Begin => {
                if self.transaction == Transaction::Open {
                    self.wire.output.warning("there is already a transaction in progress");
                }
                self.transaction = Transaction::Open;
                "BEGIN"
            }
            Command::Commit | Command::Rollback => {
                let failed = self.transaction == Transaction::Failed;
                self.transaction = Transaction::None;
                if failed || *command == Command::Rollback { "ROLLBACK" } else { "COMMIT" }
            }
            Command::Noted("ROLLBACK") => {
                self.transaction = Transaction::Open;
                "ROLLBACK"
            }
            Command::Noted(tag) => tag,
            Command::Set { name, value } => {
                settings.set(name, value)?;
                if name.eq_ignore_ascii_case("application_name") {
                    self.wire.output.parameter_status("application_name", value);
                }
                "SET"
            }
            Command::Reset(Some(name)) => {
                settings.reset(name);
                "RESET"
            }
            Command::Reset(None) => {
                settings.reset_all();
                "RESET"
            }
            Command::Show(name) if name.eq_ignore_ascii_case("session_authorization") => {
                return Ok(("SHOW", Some(self.guest.principal.name.clone())));
            }
            Command::Show(name) => return Ok(("SHOW", Some(settings.get(name)?.to_owned()))),
            Command::DiscardAll => {
                settings.reset_all();
                self.statements.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Command::Deallocate(Some(name)) => {
                if self.statements.remove(name).is_none() {
                    let text = format!("prepared statement \"{name}\" does not exist");
                    return Err(SqlError::new("26000", text));
                }
                "DEALLOCATE"
            }
            Command::Deallocate(None) => {
                self.statements.clear();
                "DEALLOCATE ALL"
            }
        };
        Ok((tag, None))
    }
}
