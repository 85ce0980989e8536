//! The control plane's database: opening it, writing to it one at a time, reading beside that.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqlitePool};
use tokio::sync::watch;

use crate::token::TokenCache;
use crate::{Clock, ControlError};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// How many readers there may be beside the one writer.
const READERS_MAX: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The control plane: alerts, their change log, the outbox and API tokens in one database.
///
/// Cheap to clone. Writes go through one connection, because SQLite has one writer anyway and a
/// queue in front of it is fairer than a busy loop; readers see the last commit meanwhile.
#[derive(Clone)]
pub struct Control {
    writer: SqlitePool,
    readers: SqlitePool,
    newest: Arc<watch::Sender<i64>>,
    pub(crate) tokens: Arc<TokenCache>,
    pub(crate) clock: Clock,
    pub(crate) page_age_max: Option<TimeDelta>,
}

/// How old an alert may be and still page, if nothing else is said.
const PAGE_AGE_MAX: TimeDelta = TimeDelta::hours(24);

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("newest_sequence", &*self.newest.borrow()).finish_non_exhaustive()
    }
}

impl Control {
    /// Opens the database file, makes it if it is not there, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, ControlError> {
        make_private(path).map_err(|e| ControlError::Unusable(format!("open {}: {e}", path.display())))?;
        let options = options().filename(path).journal_mode(SqliteJournalMode::Wal);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // A full disk has SQLite roll back by itself. sqlx then finds nothing to roll back, and
            // takes the connection for one inside a transaction for ever: another takes its place.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        migrate(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true))
            .await?;
        Self::start(writer, readers).await
    }

    /// A database that lives as long as this value: for tests and trials.
    pub async fn in_memory() -> Result<Self, ControlError> {
        // One connection that never closes, because each connection would be a database of its own.
        let only = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options().filename(":memory:"))
            .await?;
        migrate(&only).await?;
        Self::start(only.clone(), only).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "here the clock comes in; with_clock puts another in its place"
    )]
    async fn start(writer: SqlitePool, readers: SqlitePool) -> Result<Self, ControlError> {
        let newest: i64 = sqlx::query_scalar("SELECT newest FROM sequences WHERE name = 'change'")
            .fetch_one(&readers)
            .await?;
        Ok(Self {
            writer,
            readers,
            newest: Arc::new(watch::Sender::new(newest)),
            tokens: Arc::default(),
            clock: Clock::new(Utc::now),
            page_age_max: Some(PAGE_AGE_MAX),
        })
    }

    /// What time it is here.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.wall()
    }

    /// Takes the time from `now` instead of the system.
    pub fn with_clock(mut self, now: fn() -> DateTime<Utc>) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Stores, but tells nobody of, an alert whose last event lies longer back than this when it is
    /// received; `None` tells of every one. A day if this is not called.
    pub fn with_page_age_max(mut self, age_max: Option<TimeDelta>) -> Self {
        self.page_age_max = age_max;
        self
    }

    /// Announces the newest number of the change log whenever it has risen.
    pub fn newest_sequence(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }

    /// Waits for readers and the writer to finish and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The pool to read from.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a transaction that will write. Dropping it takes everything back.
    pub(crate) async fn write(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, ControlError> {
        // A transaction that begins as a reader may be refused when it turns into a writer; one
        // that says so at once only waits its turn.
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Tells listeners how far the change log has come; called after the commit.
    pub(crate) fn announce(&self, sequence: i64) {
        self.newest.send_if_modified(|newest| {
            let risen = sequence > *newest;
            *newest = sequence.max(*newest);
            risen
        });
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
}

async fn migrate(pool: &SqlitePool) -> Result<(), ControlError> {
    MIGRATIONS.run(pool).await.map_err(|e| ControlError::damaged("migrations", e))
}

/// Alerts name people and addresses: a new file can be read by its owner alone.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// The next number of a sequence, inside the caller's transaction.
pub(crate) async fn next(connection: &mut SqliteConnection, sequence: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE sequences SET newest = newest + 1 WHERE name = $1 RETURNING newest")
        .bind(sequence)
        .fetch_one(connection)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_has_taken_back_by_itself_is_followed_by_others() {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::open(&dir.path().join("control.sqlite")).await.unwrap();
        let mut transaction = control.write().await.unwrap();
        // As when the disk is full: behind the back of whoever holds the transaction.
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
        assert!(transaction.rollback().await.is_err());
        control.write().await.unwrap().commit().await.unwrap();
    }
}
