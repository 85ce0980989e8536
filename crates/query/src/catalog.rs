//! Constant tables and functions beside ours, for clients that look into a database's catalog.
//!
//! They are rows that were made beforehand and functions of their arguments: nothing in here can
//! reach a table of ours, so nothing in here is behind a wall.

use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;

use crate::QueryError;
use crate::session::DATABASE;

/// What SQL may use besides the tables.
pub struct Catalog {
    schemas: Vec<(String, Arc<dyn SchemaProvider>)>,
    pub(crate) functions: Vec<Arc<ScalarUDF>>,
    translate: fn(&mut Sql),
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("schemas", &self.schemas.len()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// A catalog of functions. `translate` turns a statement that was read into what is understood
    /// here; it may rename and leave out, and make nothing larger.
    pub fn new(functions: Vec<Arc<ScalarUDF>>, translate: fn(&mut Sql)) -> Self {
        Self { schemas: Vec::new(), functions, translate }
    }

    /// Adds a schema of constant tables.
    pub fn with_schema(
        mut self,
        name: &str,
        tables: impl IntoIterator<Item = (String, RecordBatch)>,
    ) -> Result<Self, QueryError> {
        let schema = MemorySchemaProvider::new();
        for (name, rows) in tables {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
            let registered = table.and_then(|table| schema.register_table(name, Arc::new(table)).map(|_| ()));
            registered.map_err(QueryError::from_planning)?;
        }
        self.schemas.push((name.to_owned(), Arc::new(schema)));
        Ok(self)
    }

    pub(crate) fn register(&self, session: &SessionContext) -> Result<()> {
        let no_catalog = || DataFusionError::Internal("the session has no catalog".to_owned());
        let catalog = session.catalog(DATABASE).ok_or_else(no_catalog)?;
        for (name, schema) in &self.schemas {
            catalog.register_schema(name, Arc::clone(schema))?;
        }
        Ok(())
    }

    pub(crate) fn translate(&self, statement: &mut Statement) {
        match statement {
            Statement::Statement(sql) => (self.translate)(sql),
            Statement::Explain(explain) => self.translate(&mut explain.statement),
            _ => {}
        }
    }
}
