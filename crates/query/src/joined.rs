//! `a || b || c` as one function, so that it can have a cap like the others.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};

/// Joins texts the way the operator does: one that is null makes the result null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Joined {
    signature: Signature,
}

impl Joined {
    pub(crate) const NAME: &str = "||";
}

impl Default for Joined {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some((first, rest)) = types.split_first() else { return internal_err!("nothing to join") };
        rest.iter().try_fold(first.clone(), |left, right| {
            BinaryTypeCoercer::new(&left, &Operator::StringConcat, right).get_result_type()
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.return_type(types)?; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let mut texts = args.args.into_iter().map(|arg| arg.into_array(rows));
        let Some(first) = texts.next() else { return internal_err!("nothing to join") };
        let joined = texts.try_fold(first?, |left, right| join(left, right?))?;
        match constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?)),
            false => Ok(ColumnarValue::Array(joined)),
        }
    }
}

fn join(left: ArrayRef, right: ArrayRef) -> Result<ArrayRef> {
    let rows = left.len();
    let field = |name, side: &ArrayRef| Field::new(name, side.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field("left", &left), field("right", &right)]));
    let both = RecordBatch::try_new(schema, vec![left, right])?;
    let operator = BinaryExpr::new(
        Arc::new(Column::new("left", 0)),
        Operator::StringConcat,
        Arc::new(Column::new("right", 1)),
    );
    operator.evaluate(&both)?.into_array(rows)
}
