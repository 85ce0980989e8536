//! Runs one query from SQL to batches, on the engine's own threads.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use event::Scope;
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot};

use crate::catalog::Catalog;
use crate::error::is_memory;
use crate::gate::Place;
use crate::growth::tamed;
use crate::parameters::{self, Given, Parameter};
use crate::secrets::{self, Fingerprinting};
use crate::session::{Opened, Sessions};
use crate::statement::{not_a_read, parse};
use crate::stoppable::Stop;
use crate::{QueryError, QueryLimits};

/// What comes back from the engine's threads. `End` distinguishes a query that is done from one
/// whose thread is gone.
pub(crate) enum Part {
    Batch(RecordBatch),
    Failed(QueryError),
    End,
}

/// Where the parts go.
pub(crate) struct Outlet {
    pub(crate) begun: oneshot::Sender<Result<SchemaRef, QueryError>>,
    pub(crate) parts: mpsc::Sender<Part>,
    pub(crate) truncated: Arc<AtomicBool>,
    pub(crate) stop: Stop,
    pub(crate) place: Place,
}

/// What is asked, of what, by whom.
pub(crate) struct Asked {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) scope: Scope,
    pub(crate) sql: String,
    pub(crate) fingerprinting: Option<Fingerprinting>,
    pub(crate) catalog: Option<Arc<Catalog>>,
}

/// Plans and runs a query. Ends early when nobody listens any more.
pub(crate) async fn run(asked: Asked, parameters: Vec<Parameter>, limits: QueryLimits, outlet: Outlet) {
    // The place is free when the work has stopped, not when somebody stops waiting for it; but
    // before the end is told, so that who asks one thing after the other always finds it free.
    let Outlet { begun, parts, truncated, stop, place } = outlet;
    let statement = asked.readable(&Given::Values(parameters));
    let started = unpanicked(start(&asked, &limits, statement, stop)).await;
    let running = match started.map_err(|error| secrets::kept(error, &asked.sql)) {
        Ok(running) => running,
        Err(error) => {
            drop(place);
            // Whoever asked may have gone; then nobody needs to know.
            begun.send(Err(error)).ok();
            return;
        }
    };
    if begun.send(Ok(running.rows.schema())).is_err() {
        return;
    }
    let refused = Arc::clone(&running.refused);
    tokio::select! {
        last = unpanicked(pass_on(running, &limits, &parts, &truncated)) => {
            let last = match last {
                Ok(()) => Part::End,
                // What an operator makes of a refusal differs; the reason is the same.
                Err(_) if refused.load(Ordering::Relaxed) => {
                    Part::Failed(QueryError::TooMuchMemory { limit_bytes: limits.memory_bytes })
                }
                Err(error) => Part::Failed(error),
            };
            drop(place);
            parts.send(last).await.ok();
        }
        () = parts.closed() => {}
    }
}

/// A panic is an error to the caller. DataFusion 55.2 has at least one for input: a nested loop
/// join that runs out of memory reads its left side again, and a repartition below it cannot.
pub(crate) async fn unpanicked<T>(
    work: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, QueryError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(QueryError::engine_failed()))
}

struct Running {
    rows: SendableRecordBatchStream,
    refused: Arc<AtomicBool>,
}

impl Asked {
    /// The statement with its parameters, without the raw secrets that it may name, in our dialect.
    pub(crate) fn readable(&self, given: &Given) -> Result<Statement, QueryError> {
        let mut statement = parse(&self.sql).map_err(|error| secrets::unread(error, &self.sql))?;
        parameters::put(&mut statement, given)?;
        secrets::replace(&mut statement, self.fingerprinting.as_ref())?;
        if let Some(catalog) = &self.catalog {
            catalog.translate(&mut statement);
        }
        Ok(statement)
    }

    /// The plan of a statement, in a session that holds what the caller may see.
    pub(crate) async fn plan(
        &self,
        statement: Statement,
        stop: &Stop,
    ) -> Result<(Opened, LogicalPlan), QueryError> {
        let opened =
            self.sessions.open(&self.scope, &statement, self.catalog.as_deref(), stop.clone()).await?;
        let planned = opened.session.state().statement_to_plan(statement).await;
        let plan = planned.map_err(QueryError::from_planning)?;
        check(&plan)?;
        Ok((opened, plan))
    }
}

async fn start(
    asked: &Asked,
    limits: &QueryLimits,
    statement: Result<Statement, QueryError>,
    stop: Stop,
) -> Result<Running, QueryError> {
    let (Opened { session, refused }, plan) = asked.plan(statement?, &stop).await?;
    let state = session.state();
    let plan = tamed(plan, asked.sessions.uncounted_bytes(), &stop)?;
    let query = DataFrame::new(state, plan.clone());
    let query = match plan {
        LogicalPlan::Explain(_) | LogicalPlan::DescribeTable(_) => query,
        // One more than allowed, to know whether there are more.
        _ => query.limit(0, Some(limits.rows_max.saturating_add(1))).map_err(QueryError::from_planning)?,
    };
    let rows = query.execute_stream().await.map_err(|cause| failed(cause, limits))?;
    Ok(Running { rows, refused })
}

fn failed(cause: DataFusionError, limits: &QueryLimits) -> QueryError {
    match is_memory(&cause) {
        true => QueryError::TooMuchMemory { limit_bytes: limits.memory_bytes },
        false => QueryError::from_running(cause),
    }
}

/// Looks again at what the statement became: a plan that reads, from tables that are meant for it.
fn check(plan: &LogicalPlan) -> Result<(), QueryError> {
    let only_reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    if only_reads.verify_plan(plan).is_err() {
        return Err(not_a_read(&plan.display()));
    }
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.schema() == Some("information_schema")
            && scan.table_name.table() == "df_settings"
        {
            refused = Some(QueryError::Refused("the engine's settings are not available".to_owned()));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    match (walked, refused) {
        (_, Some(refused)) => Err(refused),
        (Err(_), None) => Err(QueryError::engine_failed()),
        (Ok(_), None) => Ok(()),
    }
}

async fn pass_on(
    mut running: Running,
    limits: &QueryLimits,
    parts: &mpsc::Sender<Part>,
    truncated: &AtomicBool,
) -> Result<(), QueryError> {
    let mut left = limits.rows_max;
    while let Some(batch) = running.rows.next().await {
        let batch = batch.map_err(|cause| failed(cause, limits))?;
        let whole = batch.num_rows() <= left;
        let batch = if whole { batch } else { batch.slice(0, left) };
        left -= batch.num_rows();
        if batch.num_rows() > 0 && parts.send(Part::Batch(batch)).await.is_err() {
            break;
        }
        if !whole {
            truncated.store(true, Ordering::Release);
            break;
        }
    }
    Ok(())
}
