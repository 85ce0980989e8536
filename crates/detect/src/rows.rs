//! The rows of a batch that one detector reads.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use event::{Observation, ObservationBatch, ObservationKind};

/// The rows of these kinds. The kind is looked at first, because reading a whole row costs far
/// more and most rows are somebody else's.
pub(crate) fn of_kind<'a>(
    batch: &'a ObservationBatch,
    kinds: &'a [ObservationKind],
) -> impl Iterator<Item = (ObservationKind, Observation<'a>)> {
    let column =
        batch.arrow().column_by_name("kind").expect("every batch has the column").as_primitive::<Int32Type>();
    (0..batch.len()).filter_map(move |i| {
        let kind = ObservationKind::from_code(column.is_valid(i).then(|| column.value(i))?)?;
        kinds.contains(&kind).then(|| (kind, batch.row(i)))
    })
}
