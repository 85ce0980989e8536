//! Opens a table: creates it where there is none, adds the columns it lacks, refuses a foreign one.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::kernel::{StructField, StructType};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableBuilder, TableProperty};
use object_store::ObjectStore;
use url::Url;

use crate::durable::Durable;
use crate::layout::stats_columns;
use crate::table::DAY;
use crate::{StoreError, StoreOptions, Table};

/// The folder that all tables are in.
pub(crate) struct Root<'a> {
    pub(crate) url: &'a Url,
    /// The store that it is in, if not the one that the URL says.
    pub(crate) objects: Option<Arc<dyn ObjectStore>>,
}

impl Root<'_> {
    /// Whether it is a folder of this machine, which answers at once and for good.
    pub(crate) fn is_local(&self) -> bool {
        self.objects.is_none() && self.url.scheme() == "file"
    }
}

/// The newest snapshot of a table, with every column that this version writes.
pub(crate) async fn open(
    table: Table,
    root: &Root<'_>,
    options: &StoreOptions,
) -> Result<DeltaTable, StoreError> {
    let delta = |cause| StoreError::from_delta(table.name(), "open", cause);
    let url = folder_of(table, root)?;
    let builder = DeltaTableBuilder::from_url(url.clone()).map_err(delta)?;
    let builder = match &root.objects {
        Some(objects) => builder.with_storage_backend(Arc::clone(objects), url),
        None if root.is_local() => builder.with_storage_backend(Arc::new(Durable::new()), url),
        None => builder.with_storage_options(options.storage.clone()),
    };
    let mut opened = builder.build().map_err(delta)?;
    if !opened.verify_deltatable_existence().await.map_err(delta)? {
        create(table, &opened, options).await?;
    }
    opened.load().await.map_err(delta)?;
    evolve(table, opened).await
}

/// `<root>/<table>/`, whose folder exists if it is local.
fn folder_of(table: Table, root: &Root<'_>) -> Result<Url, StoreError> {
    let unusable = |reason: String| StoreError::Unusable { table: table.name(), reason };
    let mut url = root.url.clone();
    url.path_segments_mut()
        .map_err(|()| unusable("the root is no folder".to_owned()))?
        .pop_if_empty()
        .extend([table.name(), ""]);
    if root.is_local() {
        let folder = url.to_file_path().map_err(|()| unusable("the root is no local folder".to_owned()))?;
        if folder.to_string_lossy().contains('%') {
            // The Delta library decodes it once more, and looks for another folder.
            return Err(unusable("the path of its folder must not have a %".to_owned()));
        }
        std::fs::create_dir_all(&folder).map_err(|cause| StoreError::unavailable("create folder", cause))?;
    }
    Ok(url)
}

async fn create(table: Table, at: &DeltaTable, options: &StoreOptions) -> Result<(), StoreError> {
    let created = CreateBuilder::new()
        .with_log_store(at.log_store())
        .with_save_mode(SaveMode::Ignore)
        .with_table_name(table.name())
        .with_columns(delta_fields(table)?)
        .with_partition_columns([DAY])
        .with_configuration_property(
            TableProperty::DataSkippingStatsColumns,
            Some(stats_columns(table).join(",")),
        )
        .with_configuration_property(
            TableProperty::CheckpointInterval,
            Some(options.checkpoint_every.to_string()),
        )
        .with_configuration_property(TableProperty::LogRetentionDuration, Some("interval 6 hours"))
        .with_configuration_property(TableProperty::DeletedFileRetentionDuration, Some("interval 1 days"))
        .await;
    match created {
        Ok(_) => Ok(()),
        // Somebody else may have been quicker; then theirs is as good.
        Err(cause) => match at.verify_deltatable_existence().await {
            Ok(true) => Ok(()),
            _ => Err(StoreError::from_delta(table.name(), "create", cause)),
        },
    }
}

fn delta_fields(table: Table) -> Result<Vec<StructField>, StoreError> {
    let schema: StructType =
        (&table.delta_schema()).try_into_kernel().map_err(|cause| StoreError::Unusable {
            table: table.name(),
            reason: format!("its columns have no Delta type: {cause}"),
        })?;
    Ok(schema.fields().cloned().collect())
}

/// Adds the columns that an older version did not have. Columns of a newer version stay, as null.
async fn evolve(table: Table, opened: DeltaTable) -> Result<DeltaTable, StoreError> {
    let delta = |cause| StoreError::from_delta(table.name(), "read columns", cause);
    let snapshot = opened.snapshot().map_err(delta)?;
    let unusable = |reason: String| StoreError::Unusable { table: table.name(), reason };
    if snapshot.metadata().partition_columns() != [DAY] {
        return Err(unusable(format!("it is not partitioned by {DAY}")));
    }
    let present = snapshot.schema();
    let mut missing = Vec::new();
    for field in delta_fields(table)? {
        match present.field(field.name()) {
            None => missing.push(field),
            Some(found) if found.data_type() == field.data_type() => {}
            Some(found) => {
                let (name, is, should) = (field.name(), found.data_type(), field.data_type());
                return Err(unusable(format!("column {name} is {is}, expected {should}")));
            }
        }
    }
    if missing.is_empty() {
        return Ok(opened);
    }
    tracing::info!(%table, columns = missing.len(), "adding columns");
    opened
        .add_columns()
        .with_fields(missing)
        .await
        .map_err(|cause| StoreError::from_delta(table.name(), "add columns", cause))
}

/// The columns of the table's data files: all but the partition's.
pub(crate) fn physical_schema(table: Table, opened: &DeltaTable) -> Result<SchemaRef, StoreError> {
    let snapshot =
        opened.snapshot().map_err(|cause| StoreError::from_delta(table.name(), "read columns", cause))?;
    let schema: Schema =
        snapshot.schema().as_ref().try_into_arrow().map_err(|cause| StoreError::Unusable {
            table: table.name(),
            reason: format!("its columns have no Arrow type: {cause}"),
        })?;
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .filter(|field| field.name() != DAY)
        .map(|field| field.as_ref().clone())
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}
