//! The query engine: takes SQL and a scope, gives the rows that both allow.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use event::Scope;
use store::Tables;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::answer::{Deadline, StopOnDrop, stream};
use crate::catalog::Catalog;
use crate::gate::Gate;
use crate::parameters::{Parameter, ParameterType};
use crate::run::{Asked, Outlet, run};
use crate::secrets::Fingerprinting;
use crate::session::Sessions;
use crate::stoppable::Stop;
use crate::{Description, QueryAnswer, QueryError, TableDoc, describe, table_docs, threads};

/// Batches that wait for a slow reader before the query does.
const BATCHES_AHEAD: usize = 2;

/// What a query may use.
#[derive(Clone, Copy, Debug)]
pub struct QueryLimits {
    /// From the call to the last row.
    pub time: Duration,
    /// Rows in an answer; there may be more, and the answer says so.
    pub rows_max: usize,
    /// Memory that all queries share. Half of it is divided evenly between the places, the other half
    /// goes to whoever asks first. Beyond its part of it a query's sorts and groups spill to disk, if
    /// there is a folder for it, and what cannot spill fails.
    pub memory_bytes: usize,
    /// Queries at a time. One partner may have half of these places, and all partners all but one.
    pub concurrent: usize,
    /// Length of the SQL.
    pub sql_bytes_max: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            rows_max: 100_000,
            memory_bytes: 256 * 1024 * 1024,
            concurrent: 4,
            sql_bytes_max: 64 * 1024,
        }
    }
}

/// Runs queries on threads of its own, so that a costly one does not hold up the stages. Clones
/// are cheap and share the threads and the limits.
#[derive(Clone)]
pub struct QueryEngine {
    shared: Arc<Shared>,
    fingerprinting: Option<Fingerprinting>,
    catalog: Option<Arc<Catalog>>,
}

struct Shared {
    sessions: Arc<Sessions>,
    limits: QueryLimits,
    gate: Arc<Gate>,
    runtime: Option<Runtime>,
}

impl QueryEngine {
    /// An engine over the tables. `spill_dir` is a folder for what does not fit in memory.
    pub fn new(tables: Tables, limits: QueryLimits, spill_dir: Option<PathBuf>) -> Result<Self, QueryError> {
        let unavailable = |cause: std::io::Error| QueryError::Unavailable(cause.into());
        if let Some(folder) = &spill_dir {
            std::fs::create_dir_all(folder).map_err(unavailable)?;
        }
        let runtime = threads::start(limits.concurrent).map_err(unavailable)?;
        let sessions = Sessions::new(tables, limits, spill_dir).map_err(QueryError::from_planning)?;
        let gate = Gate::new(limits.concurrent);
        Ok(Self {
            shared: Arc::new(Shared { sessions: Arc::new(sessions), limits, gate, runtime: Some(runtime) }),
            fingerprinting: None,
            catalog: None,
        })
    }

    /// Lets SQL ask for `fingerprint('raw token')`, which is made this way: the value that
    /// normalization puts in a token's place.
    #[must_use]
    pub fn with_fingerprint(mut self, make: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.fingerprinting = Some(Fingerprinting(Arc::new(make)));
        self
    }

    /// Lets SQL read constant tables and call functions beside its own, e.g. what a database's
    /// clients look into before they ask.
    #[must_use]
    pub fn with_catalog(mut self, catalog: Catalog) -> Self {
        self.catalog = Some(Arc::new(catalog));
        self
    }

    /// What a query may use.
    pub fn limits(&self) -> QueryLimits {
        self.shared.limits
    }

    /// Answers a query with the rows that `scope` allows. The time limit counts from here to the
    /// last row; dropping the answer stops the query.
    pub async fn query(&self, scope: &Scope, sql: &str) -> Result<QueryAnswer, QueryError> {
        self.query_with(scope, sql, Vec::new()).await
    }

    /// The same with a value for each `$1`, `$2`, ... of the text.
    pub async fn query_with(
        &self,
        scope: &Scope,
        sql: &str,
        parameters: Vec<Parameter>,
    ) -> Result<QueryAnswer, QueryError> {
        let limits = self.shared.limits;
        self.check_length(sql)?;
        let place = self.shared.gate.enter(scope)?;
        let deadline = self.deadline();
        let (begun, beginning) = oneshot::channel();
        let (sender, parts) = mpsc::channel(BATCHES_AHEAD);
        let truncated = Arc::new(AtomicBool::new(false));
        let stop = Stop::default();
        let outlet =
            Outlet { begun, parts: sender, truncated: Arc::clone(&truncated), stop: stop.clone(), place };
        let asked = self.asked(scope, sql);
        let task = self.shared.runtime().spawn(run(asked, parameters, limits, outlet));
        let task = StopOnDrop { task: task.abort_handle(), stop };
        match timeout_at(deadline.at, beginning).await {
            Err(_) => Err(QueryError::TooLong { limit: limits.time }),
            Ok(Err(_)) => Err(QueryError::engine_failed()),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Ok(Ok(schema))) => {
                let batches = stream(parts, deadline, task);
                Ok(QueryAnswer {
                    schema,
                    batches,
                    truncated,
                    rows_max: limits.rows_max,
                    ends_at: deadline.at,
                })
            }
        }
    }

    /// What a query takes and would answer, without running it. A parameter's type that is not
    /// declared is found from where it stands; where that does not tell, it is a text.
    pub async fn describe(
        &self,
        scope: &Scope,
        sql: &str,
        declared: Vec<Option<ParameterType>>,
    ) -> Result<Description, QueryError> {
        self.check_length(sql)?;
        let place = self.shared.gate.enter(scope)?;
        let deadline = self.deadline();
        let stop = Stop::default();
        let asked = self.asked(scope, sql);
        let (sender, description) = oneshot::channel();
        let asked_to_stop = stop.clone();
        let task = self.shared.runtime().spawn(async move {
            let described = describe::describe(asked, declared, asked_to_stop).await;
            drop(place);
            // Whoever asked may have gone; then nobody needs to know.
            sender.send(described).ok();
        });
        let _task = StopOnDrop { task: task.abort_handle(), stop };
        match timeout_at(deadline.at, description).await {
            Err(_) => Err(QueryError::TooLong { limit: deadline.limit }),
            Ok(described) => described.unwrap_or_else(|_| Err(QueryError::engine_failed())),
        }
    }

    fn check_length(&self, sql: &str) -> Result<(), QueryError> {
        let (is, may) = (sql.len(), self.shared.limits.sql_bytes_max);
        match is > may {
            true => Err(QueryError::Invalid(format!("query has {is} bytes, at most {may} are read"))),
            false => Ok(()),
        }
    }

    fn deadline(&self) -> Deadline {
        let limit = self.shared.limits.time;
        Deadline { at: Instant::now() + limit, limit }
    }

    fn asked(&self, scope: &Scope, sql: &str) -> Asked {
        Asked {
            sessions: Arc::clone(&self.shared.sessions),
            scope: scope.clone(),
            sql: sql.to_owned(),
            fingerprinting: self.fingerprinting.clone(),
            catalog: self.catalog.clone(),
        }
    }

    /// What can stand behind FROM, with what the columns mean.
    pub fn tables_doc() -> Vec<TableDoc> {
        table_docs::all()
    }
}

impl Shared {
    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is there until the engine is dropped")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Waiting for threads is not allowed in async code, and the engine may be dropped there.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
