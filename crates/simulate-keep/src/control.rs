//! ALERTING over a database in a file, in which there may be no room for a change half-way through.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use alerting::{Control, ControlError, Destination, DestinationConfig};
use event::{AlertChange, Positions};
use keep::alerting::{AlertingStage, ControlSink, start_at};
use pipeline::{Sink, SinkError};
use secrecy::SecretString;
use serde_json::json;
use simulate::{Attempt, Process, Role, metrics};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::runtime::Handle;

/// Where a change is written to, in this order; the last are its offsets.
const WRITTEN: [&str; 5] = ["alerts", "alert_changes", "notices", "threads", "positions"];

/// Few records at a time, so that there are many transactions.
const RECORDS_MAX: i64 = 3;

/// Who is told of alerts.
static DESTINATIONS: LazyLock<[Destination; 2]> = LazyLock::new(|| {
    let pager = json!({ "name": "pager", "kind": "pagerduty", "routing_key_env": "KEY" });
    let hook = json!({
        "name": "hook", "kind": "webhook", "url": "https://hook.example.com/", "secret_env": "SECRET",
    });
    [
        destination(pager, "0123456789abcdef0123456789abcdef"),
        destination(hook, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ]
});

fn destination(config: serde_json::Value, secret: &str) -> Destination {
    let config: DestinationConfig = serde_json::from_value(config).expect("it is a destination");
    Destination::new(&config, SecretString::from(secret)).expect("it is configured as it should be")
}

/// ALERTING, and the database that its processes share.
pub(crate) struct Alerting {
    path: PathBuf,
    runtime: Handle,
    /// Makes room in the database, or takes it away.
    room: SqlitePool,
    /// Every handle there ever was: a process that is killed tidies nothing up.
    opened: Mutex<Vec<Control>>,
}

impl Alerting {
    /// A new database.
    pub(crate) fn new(path: &Path, runtime: &Handle) -> Self {
        runtime.block_on(async {
            let first = open(path).await.expect("a database can be made");
            let options = SqliteConnectOptions::new().filename(path);
            let room = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
            let room = room.expect("it can be opened");
            for statement in room_can_be_taken() {
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&room).await.expect("it is SQL");
            }
            let opened = Mutex::new(vec![first]);
            Self { path: path.to_owned(), runtime: runtime.clone(), room, opened }
        })
    }

    /// The database, to see what is in it.
    pub(crate) fn control(&self) -> Control {
        self.opened()[0].clone()
    }

    /// Closes it for everybody.
    pub(crate) async fn close(&self) {
        let opened = std::mem::take(&mut *self.opened());
        for control in opened {
            control.close().await;
        }
        self.room.close().await;
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, Vec<Control>> {
        self.opened.lock().expect("no holder of this lock panics")
    }

    /// There is no room for the next row of a table; for every one if none is named.
    fn set_room(&self, none_in: Option<&str>) {
        let set = sqlx::query("UPDATE simulated_room SET none_in = $1").bind(none_in);
        self.runtime.block_on(set.execute(&self.room)).expect("there is room for this");
    }
}

/// A table says where there is no room; a trigger on each of those that a change is written to asks it.
fn room_can_be_taken() -> Vec<String> {
    let mut statements = vec![
        "CREATE TABLE simulated_room (none_in TEXT)".to_owned(),
        "INSERT INTO simulated_room VALUES (NULL)".to_owned(),
    ];
    statements.extend(WRITTEN.map(|table| {
        format!(
            "CREATE TRIGGER simulated_room_in_{table} BEFORE INSERT ON {table} \
             WHEN EXISTS (SELECT 1 FROM simulated_room WHERE none_in = '{table}') \
             BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
    }));
    statements
}

async fn open(path: &Path) -> Result<Control, ControlError> {
    let control = Control::open(path).await?;
    control.set_destinations(&*DESTINATIONS).await?;
    Ok(control)
}

impl Role for Alerting {
    fn name(&self) -> &'static str {
        "alerting"
    }

    fn reads(&self) -> fn(&str) -> bool {
        |topic| topic.ends_with(".alerts")
    }

    fn open<'a>(&'a self, process: &'a Process) -> Result<Attempt<'a>, String> {
        let control = self.runtime.block_on(open(&self.path)).map_err(|error| error.to_string())?;
        self.opened().push(control.clone());
        Ok(Box::new(move || {
            let start_at = start_at(control.clone(), self.runtime.clone());
            let source = process.source(self, start_at, RECORDS_MAX);
            let stage = AlertingStage::new(&process.topics().alerts, metrics());
            let (control, runtime) = (control.clone(), self.runtime.clone());
            let sink = ControlSink { control, runtime, clock: process.clock(), metrics: metrics() };
            process.run(source, stage, Roomless { sink, site: self, process })
        }))
    }
}

/// ALERTING's own sink, in whose database there is not always room.
struct Roomless<'a> {
    sink: ControlSink,
    site: &'a Alerting,
    process: &'a Process,
}

impl Sink<Vec<AlertChange>> for Roomless<'_> {
    fn deliver(&mut self, changes: Vec<AlertChange>, positions: &Positions) -> Result<bool, SinkError> {
        if positions.is_empty() {
            return self.sink.deliver(changes, positions);
        }
        let process = self.process;
        process.exposed_step();
        let none_in = process
            .happens(|mishaps| mishaps.disk_full)
            .then(|| WRITTEN[process.draw(WRITTEN.len() as u64) as usize]);
        if none_in.is_some() {
            self.site.set_room(none_in);
        }
        let delivered = self.sink.deliver(changes, positions);
        if none_in.is_some() {
            self.site.set_room(None);
        }
        process.tell(|| format!("writes alerts: {delivered:?}"));
        process.exposed_step();
        if delivered.is_ok() && process.happens(|mishaps| mishaps.commit_answer_lost) {
            return Err(SinkError::Interrupted("it was written, its answer lost".into()));
        }
        delivered
    }
}
