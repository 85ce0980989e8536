//! A session for one query: the caller's tables, the limits, and nothing that reaches elsewhere.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use event::Scope;
use store::{Table, Tables};

use crate::alerts::ALERTS;
use crate::catalog::Catalog;
use crate::coverage::COVERAGE;
use crate::guards::Guards;
use crate::memory::{QueryMemory, SharedMemory};
use crate::stoppable::{Stop, StoppableJoins};
use crate::threads::partitions;
use crate::wall::Walled;
use crate::{QueryError, QueryLimits, alerts, coverage};

/// Bytes that one query may spill to disk.
const SPILL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// The name of the catalog that everything is in.
pub(crate) const DATABASE: &str = "watchfire";

/// What the sessions of an engine have in common.
pub(crate) struct Sessions {
    tables: Tables,
    memory: Arc<SharedMemory>,
    spill: Option<PathBuf>,
    functions: Vec<Arc<ScalarUDF>>,
    caches: RuntimeEnv,
}

impl Sessions {
    pub(crate) fn new(
        tables: Tables,
        limits: QueryLimits,
        spill: Option<PathBuf>,
    ) -> Result<Self, DataFusionError> {
        let caches = RuntimeEnvBuilder::new().with_disk_manager_builder(disk(None)).build()?;
        let memory = SharedMemory::new(limits.memory_bytes, limits.concurrent);
        Ok(Self { tables, memory, spill, functions: crate::functions::scalar_functions(), caches })
    }

    /// A session for a statement, in which the tables have exactly the rows that `scope` allows.
    pub(crate) async fn open(
        &self,
        scope: &Scope,
        statement: &Statement,
        catalog: Option<&Catalog>,
        stop: Stop,
    ) -> Result<Opened, QueryError> {
        let (session, refused) = self.bare(catalog, stop).map_err(QueryError::from_planning)?;
        let named = named_tables(&session, statement).map_err(QueryError::from_planning)?;
        for table in Table::ALL {
            if named.as_ref().is_none_or(|named| named.contains(table.name())) {
                let rows = self.tables.provider(table).await?;
                session
                    .register_table(table.name(), Arc::new(Walled::new(table, rows, scope)))
                    .map_err(QueryError::from_planning)?;
            }
        }
        let is_named = |view| named.as_ref().is_none_or(|named| named.contains(view));
        if is_named(ALERTS) {
            alerts::register(&session).await.map_err(QueryError::from_planning)?;
        }
        if is_named(COVERAGE) {
            coverage::register(&session).await.map_err(QueryError::from_planning)?;
        }
        Ok(Opened { session, refused })
    }

    /// What one stream of a query may hold for a moment without reserving it.
    pub(crate) fn uncounted_bytes(&self) -> usize {
        self.memory.of_one() / (2 * partitions())
    }

    fn bare(
        &self,
        catalog: Option<&Catalog>,
        stop: Stop,
    ) -> Result<(SessionContext, Arc<AtomicBool>), DataFusionError> {
        let functions = catalog.map(|catalog| catalog.functions.as_slice()).unwrap_or_default();
        let (memory, refused) = QueryMemory::new(&self.memory);
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.caches)
            .with_memory_pool(Arc::new(memory))
            .with_disk_manager_builder(disk(self.spill.clone()))
            .build_arc()?;
        let state = SessionStateBuilder::new()
            .with_config(self.config())
            .with_runtime_env(runtime)
            .with_default_features()
            .with_scalar_functions(self.functions.iter().chain(functions).cloned().collect())
            .with_table_factories(HashMap::new())
            .with_file_formats(Vec::new())
            .with_physical_optimizer_rule(Arc::new(StoppableJoins(stop)))
            .with_physical_optimizer_rule(Arc::new(Guards { bytes: self.uncounted_bytes() }))
            .build();
        let session = SessionContext::new_with_state(state);
        if let Some(catalog) = catalog {
            catalog.register(&session)?;
        }
        Ok((session, refused))
    }

    fn config(&self) -> SessionConfig {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(DATABASE, "public")
            .with_information_schema(true)
            .with_target_partitions(partitions())
            .with_batch_size(4_096);
        let options = config.options_mut();
        options.execution.enable_recursive_ctes = false;
        // Each sort sets this aside before it reads a row.
        options.execution.sort_spill_reservation_bytes =
            (self.memory.of_one() / 16 / partitions()).min(10 * 1024 * 1024);
        options.execution.time_zone = Some("+00:00".to_owned());
        config
    }
}

/// A session, and whether its memory was ever refused.
pub(crate) struct Opened {
    pub(crate) session: SessionContext,
    pub(crate) refused: Arc<AtomicBool>,
}

/// The names of tables that a statement may read, so that only these are opened; `None` means all,
/// for statements that look at the catalog.
fn named_tables(
    session: &SessionContext,
    statement: &Statement,
) -> Result<Option<HashSet<String>>, DataFusionError> {
    let query = match statement {
        Statement::Explain(explain) => &explain.statement,
        other => other,
    };
    if !matches!(query, Statement::Statement(sql) if matches!(**sql, Sql::Query(_))) {
        return Ok(None);
    }
    let references = session.state().resolve_table_references(query)?;
    if references.iter().any(|name| name.schema() == Some("information_schema")) {
        return Ok(None);
    }
    let mut named: HashSet<String> = references.iter().map(|name| name.table().to_owned()).collect();
    for (view, of) in [(ALERTS, Table::AlertChanges), (COVERAGE, Table::Events)] {
        if named.contains(view) {
            named.insert(of.name().to_owned());
        }
    }
    Ok(Some(named))
}

fn disk(spill: Option<PathBuf>) -> DiskManagerBuilder {
    let mode = match spill {
        Some(folder) => DiskManagerMode::Directories(vec![folder]),
        None => DiskManagerMode::Disabled,
    };
    DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(SPILL_BYTES_MAX)
}
