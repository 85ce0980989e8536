//! What a query takes and would answer, without running it.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::LogicalPlan;

use crate::QueryError;
use crate::parameters::{Given, ParameterType, placeholders};
use crate::row_counts::row_counts;
use crate::run::{Asked, unpanicked};
use crate::secrets;
use crate::stoppable::Stop;

/// A query's signature.
#[derive(Clone, Debug)]
pub struct Description {
    /// What stands for `$1`, `$2`, ...
    pub parameters: Vec<ParameterType>,
    /// The columns of the answer.
    pub schema: SchemaRef,
}

pub(crate) async fn describe(
    asked: Asked,
    declared: Vec<Option<ParameterType>>,
    stop: Stop,
) -> Result<Description, QueryError> {
    let described = unpanicked(signature(&asked, declared, &stop)).await;
    described.map_err(|error| secrets::kept(error, &asked.sql))
}

async fn signature(
    asked: &Asked,
    mut declared: Vec<Option<ParameterType>>,
    stop: &Stop,
) -> Result<Description, QueryError> {
    let statement = asked.readable(&Given::Types(Vec::new()))?;
    declared.resize(declared.len().max(placeholders(&statement)?), None);
    let row_counts = row_counts(&statement);
    for (index, kind) in declared.iter_mut().enumerate().filter(|(_, kind)| kind.is_none()) {
        *kind = row_counts.contains(&format!("${}", index + 1)).then_some(ParameterType::Int64);
    }
    if declared.contains(&None) {
        let found = found_types(asked, &declared, stop).await;
        for (index, kind) in declared.iter_mut().enumerate().filter(|(_, kind)| kind.is_none()) {
            let here = found.get(&format!("${}", index + 1)).cloned().flatten();
            *kind = Some(here.map_or(ParameterType::Text, |arrow| ParameterType::of(&arrow)));
        }
    }
    let statement = asked.readable(&Given::Types(declared.clone()))?;
    let (opened, plan) = asked.plan(statement, stop).await?;
    let state = opened.session.state();
    let schema = match plan {
        // What these answer has nothing to do with what they speak of.
        LogicalPlan::Explain(_) | LogicalPlan::DescribeTable(_) => plan.schema().inner().clone(),
        plan => {
            let options = state.config_options();
            let analyzed = state.analyzer().execute_and_check(plan, options, |_, _| {});
            analyzed.map_err(QueryError::from_planning)?.schema().inner().clone()
        }
    };
    Ok(Description { parameters: declared.into_iter().flatten().collect(), schema })
}

/// The types of what is not declared, from where it stands. A statement that cannot be planned without
/// them tells nothing.
async fn found_types(
    asked: &Asked,
    declared: &[Option<ParameterType>],
    stop: &Stop,
) -> HashMap<String, Option<DataType>> {
    let Ok(statement) = asked.readable(&Given::Types(declared.to_vec())) else { return HashMap::new() };
    match asked.plan(statement, stop).await {
        Ok((_, plan)) => plan.get_parameter_types().unwrap_or_default(),
        Err(_) => HashMap::new(),
    }
}
