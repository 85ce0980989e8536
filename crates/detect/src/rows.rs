//! The rows of a batch that one detector reads.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use event::{EventTime, Observation, ObservationBatch, ObservationKind, Signal};

/// 9999-12-31, the last day that has a name.
const LAST_DAY: EventTime = EventTime(253_402_214_400_000);

/// The rows of these kinds. The kind is looked at first, because reading a whole row costs far
/// more and most rows are somebody else's.
pub(crate) fn of_kind<'a>(
    batch: &'a ObservationBatch,
    kinds: &'a [ObservationKind],
) -> impl Iterator<Item = (ObservationKind, Observation<'a>)> {
    having(batch, kinds, "kind")
}

/// The signals of this name. What they say is looked at before a row is read, because nearly all say something else.
pub(crate) fn signals<'a>(
    batch: &'a ObservationBatch,
    signal: Signal,
) -> impl Iterator<Item = Observation<'a>> {
    let named = |name: &str| batch.arrow().column_by_name(name).expect("every batch has the column");
    let (kind, reason) =
        (named("kind").as_primitive::<Int32Type>(), named("reason").as_dictionary::<Int32Type>());
    let words = reason.values().as_string::<i32>();
    let word = (0..words.len()).find(|word| words.is_valid(*word) && words.value(*word) == signal.name());
    let says = move |i: usize| word.is_some() && reason.key(i) == word;
    let is_signal = move |i: usize| kind.is_valid(i) && kind.value(i) == ObservationKind::Signal.code();
    let reader = batch.reader();
    (0..batch.len())
        .filter(move |i| says(*i) && is_signal(*i))
        .map(move |i| reader.row(i))
        .filter(|o| is_day(o.time))
}

/// Normalization lets no other time through; arithmetic relies on it.
fn is_day(time: Option<EventTime>) -> bool {
    time.is_some_and(|time| (EventTime(0)..LAST_DAY).contains(&time))
}

/// The rows of these kinds that have a value in this column.
pub(crate) fn having<'a>(
    batch: &'a ObservationBatch,
    kinds: &'a [ObservationKind],
    column: &str,
) -> impl Iterator<Item = (ObservationKind, Observation<'a>)> {
    let named = |name: &str| batch.arrow().column_by_name(name).expect("every batch has the column");
    let reader = batch.reader();
    let (of_kind, needed) = (named("kind").as_primitive::<Int32Type>(), named(column));
    (0..batch.len()).filter_map(move |i| {
        let kind = ObservationKind::from_code(of_kind.is_valid(i).then(|| of_kind.value(i))?)?;
        let row = (kinds.contains(&kind) && needed.is_valid(i)).then(|| reader.row(i))?;
        is_day(row.time).then_some((kind, row))
    })
}
