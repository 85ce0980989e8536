//! Builders that are told of values only: rows without one are filled in by the dozen.

mod values;
mod words;

pub(crate) use values::{Ids, Lists, Numbers};
pub(crate) use words::Words;

use arrow::array::{ArrayRef, BooleanBufferBuilder, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

/// A column that few rows have a value in, on its way to being an array.
///
/// Most columns of most rows are null, and nulls that are appended one at a time cost more than the
/// values. Here a row without a value costs nothing until the next value comes.
#[derive(Default)]
pub struct Sparse<V> {
    values: V,
    /// Whether there is any value.
    is_begun: bool,
    /// How many rows there are up to the last value.
    rows: usize,
    /// Which of the rows have no value; as long as the last of those.
    gaps: Option<BooleanBufferBuilder>,
    /// What the last batch had, which the next one will need, too.
    room: Room,
}

/// How much a column holds.
#[derive(Clone, Copy, Default)]
pub struct Room {
    rows: usize,
    /// Items of lists.
    items: usize,
    bytes: usize,
}

impl Room {
    /// A little more: the next batch may be longer, and growing means copying.
    fn and_more(self) -> Self {
        let more = |amount: usize| amount + amount / 8;
        Self { rows: more(self.rows), items: more(self.items), bytes: more(self.bytes) }
    }
}

/// The values of a column's rows, one a row.
pub trait Values: Default {
    /// None yet, and room for so much.
    fn with_room(room: Room) -> Self;
    /// Appends rows whose values do not count.
    fn fill(&mut self, count: usize);
    /// How much there is.
    fn held(&self) -> Room;
    /// The array; null where there is a gap.
    fn into_array(self, gaps: Option<BooleanBuffer>) -> ArrayRef;
}

impl<V: Values> Sparse<V> {
    /// The values, for that of a row which follows all those before.
    #[inline]
    pub(super) fn at(&mut self, row: usize) -> &mut V {
        if !self.is_begun {
            self.begin();
        }
        if row > self.rows {
            self.skip(row);
        }
        self.rows = row + 1;
        &mut self.values
    }

    #[cold]
    fn begin(&mut self) {
        self.is_begun = true;
        self.values = V::with_room(self.room);
    }

    /// Ends the column after so many rows.
    pub(super) fn finish(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        if !std::mem::take(&mut self.is_begun) {
            return new_null_array(data_type, rows);
        }
        if rows > self.rows {
            self.skip(rows);
        }
        self.rows = 0;
        let values = std::mem::take(&mut self.values);
        self.room = values.held().and_more();
        let gaps = self.gaps.take().map(|mut gaps| {
            gaps.append_n(rows - gaps.len(), false);
            gaps.finish()
        });
        values.into_array(gaps)
    }

    /// Fills the rows up to one.
    #[inline(never)]
    fn skip(&mut self, to: usize) {
        let gaps = self.gaps.get_or_insert_with(|| BooleanBufferBuilder::new(self.room.rows));
        self.values.fill(to - self.rows);
        gaps.append_n(self.rows - gaps.len(), false);
        gaps.append_n(to - self.rows, true);
    }
}
