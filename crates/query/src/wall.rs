//! A table of which only the caller's rows can be seen, whatever the SQL.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use event::Scope;
use store::Table;

use crate::leaf::Leaf;
use crate::plain::is_plain;

const TENANT: &str = "tenant";

/// A table behind the wall of a scope.
#[derive(Debug)]
pub(crate) struct Walled {
    table: Table,
    rows: Arc<dyn TableProvider>,
    wall: Wall,
}

#[derive(Debug)]
enum Wall {
    /// Everything is the caller's to see.
    Open,
    /// Rows that meet this condition are.
    Tenants(Expr),
    /// Nothing is.
    Closed,
}

impl Walled {
    pub(crate) fn new(table: Table, rows: Arc<dyn TableProvider>, scope: &Scope) -> Self {
        let wall = match scope {
            Scope::All => Wall::Open,
            Scope::Tenants(tenants) if tenants.is_empty() => Wall::Closed,
            Scope::Tenants(tenants) => {
                let names = tenants.iter().map(|tenant| lit(tenant.as_str())).collect();
                Wall::Tenants(col(TENANT).in_list(names, false))
            }
        };
        Self { table, rows, wall }
    }
}

#[async_trait]
impl TableProvider for Walled {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        use TableProviderFilterPushDown::{Inexact, Unsupported};
        Ok(filters.iter().map(|filter| if is_plain(filter) { Inexact } else { Unsupported }).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let harmless = filters.iter().filter(|filter| is_plain(filter)).cloned();
        let seen = match &self.wall {
            Wall::Closed => {
                Arc::new(EmptyExec::new(Arc::new(schema.project(&wanted)?))) as Arc<dyn ExecutionPlan>
            }
            Wall::Open => {
                // With no filter to drop rows, the first files are enough. Behind a wall rows are dropped.
                let limit = limit.filter(|_| filters.is_empty());
                self.rows.scan(session, Some(&wanted), &harmless.collect::<Vec<_>>(), limit).await?
            }
            Wall::Tenants(mine) => {
                let mut read = wanted.clone();
                let tenant = schema.index_of(TENANT)?;
                if !read.contains(&tenant) {
                    read.push(tenant);
                }
                let pushed: Vec<Expr> = [mine.clone()].into_iter().chain(harmless).collect();
                let rows = self.rows.scan(session, Some(&read), &pushed, None).await?;
                // Storage may use a filter for pruning only. This one drops the rows.
                let columns = DFSchema::try_from(rows.schema().as_ref().clone())?;
                let mine = session.create_physical_expr(mine.clone(), &columns)?;
                first_columns(Arc::new(FilterExec::try_new(mine, rows)?), wanted.len())?
            }
        };
        Ok(Arc::new(Leaf::new(self.table, seen)))
    }
}

/// The plan's first `count` columns, as the caller wanted them.
fn first_columns(plan: Arc<dyn ExecutionPlan>, count: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let schema: Arc<Schema> = plan.schema();
    if schema.fields().len() == count {
        return Ok(plan);
    }
    let columns = schema.fields().iter().take(count).enumerate().map(|(i, field)| {
        let column: Arc<dyn datafusion::physical_plan::PhysicalExpr> = Arc::new(Column::new(field.name(), i));
        (column, field.name().clone())
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), plan)?))
}
