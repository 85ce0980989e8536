//! A session for one query: the caller's tables, the limits, and nothing that reaches elsewhere.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionConfig, SessionContext};
use event::Scope;
use store::{Table, Tables};

use crate::wall::Walled;
use crate::{QueryError, QueryLimits, alerts};

/// Bytes that one query may spill to disk.
const SPILL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// What the sessions of an engine have in common.
pub(crate) struct Sessions {
    tables: Tables,
    limits: QueryLimits,
    spill: Option<PathBuf>,
    functions: Vec<Arc<ScalarUDF>>,
    caches: RuntimeEnv,
}

impl Sessions {
    pub(crate) fn new(tables: Tables, limits: QueryLimits, spill: Option<PathBuf>) -> Result<Self, DataFusionError> {
        let caches = RuntimeEnvBuilder::new().with_disk_manager_builder(disk(None)).build()?;
        Ok(Self { tables, limits, spill, functions: crate::functions::scalar_functions(), caches })
    }

    /// A session in which the tables have exactly the rows that `scope` allows.
    pub(crate) async fn open(&self, scope: &Scope) -> Result<SessionContext, QueryError> {
        let failed = |cause| QueryError::from_datafusion(cause, self.limits.memory_bytes);
        let session = self.bare().map_err(failed)?;
        for table in Table::ALL {
            let rows = self.tables.provider(table).await?;
            session.register_table(table.name(), Arc::new(Walled::new(table, rows, scope))).map_err(failed)?;
        }
        alerts::register(&session).await.map_err(failed)?;
        Ok(session)
    }

    fn bare(&self) -> Result<SessionContext, DataFusionError> {
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.caches)
            .with_memory_pool(Arc::new(FairSpillPool::new(self.limits.memory_bytes)))
            .with_disk_manager_builder(disk(self.spill.clone()))
            .build_arc()?;
        let state = SessionStateBuilder::new()
            .with_config(config())
            .with_runtime_env(runtime)
            .with_default_features()
            .with_scalar_functions(self.functions.clone())
            .with_table_factories(HashMap::new())
            .with_file_formats(Vec::new())
            .build();
        Ok(SessionContext::new_with_state(state))
    }
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("watchfire", "public")
        .with_information_schema(true)
        .with_target_partitions(std::thread::available_parallelism().map_or(2, |n| n.get().min(4)))
        .with_batch_size(4_096);
    let options = config.options_mut();
    options.execution.enable_recursive_ctes = false;
    options.execution.time_zone = Some("+00:00".to_owned());
    config
}

fn disk(spill: Option<PathBuf>) -> DiskManagerBuilder {
    let mode = match spill {
        Some(folder) => DiskManagerMode::Directories(vec![folder]),
        None => DiskManagerMode::Disabled,
    };
    DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(SPILL_BYTES_MAX)
}
