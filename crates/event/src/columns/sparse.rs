//! Builders that are told of values only: rows without one are filled in by the dozen.

use arrow::array::{
    ArrayBuilder, ArrayRef, ArrowPrimitiveType, BooleanArray, BooleanBufferBuilder, GenericByteBuilder,
    ListBuilder, PrimitiveBuilder, StringBuilder, new_null_array,
};
use arrow::compute::nullif;
use arrow::datatypes::{ByteArrayType, DataType};

/// An Arrow builder for a column that few rows have a value in.
///
/// Most columns of most rows are null, and nulls that are appended one at a time cost more than the
/// values. Here a row without a value costs nothing until the next value comes.
pub struct Sparse<B> {
    /// None as long as there is no value.
    builder: Option<B>,
    /// How many rows there are up to the last value.
    rows: usize,
    /// Which of the rows have no value; as long as the last of those.
    gaps: BooleanBufferBuilder,
    /// What the last batch had, which the next one will need, too.
    room: Room,
}

/// How much a builder holds.
#[derive(Clone, Copy, Default)]
pub struct Room {
    rows: usize,
    bytes: usize,
}

/// What a builder needs to be able to do.
pub trait Fill: ArrayBuilder {
    /// A builder with room for so much.
    fn with_room(room: Room) -> Self;
    /// Appends rows whose values do not count.
    fn fill(&mut self, count: usize);
    /// How many bytes of values there are, where they have no fixed width.
    fn bytes(&self) -> usize;
}

impl<B> Default for Sparse<B> {
    fn default() -> Self {
        Self { builder: None, rows: 0, gaps: BooleanBufferBuilder::new(0), room: Room::default() }
    }
}

impl<B: Fill> Sparse<B> {
    /// The builder, for the value of a row that follows all those before.
    pub(super) fn at(&mut self, row: usize) -> &mut B {
        let builder = self.builder.get_or_insert_with(|| B::with_room(self.room));
        if row > self.rows {
            skip(builder, &mut self.gaps, self.rows, row);
        }
        self.rows = row + 1;
        builder
    }

    /// Ends the column after so many rows.
    pub(super) fn finish(&mut self, data_type: &DataType, rows: usize) -> ArrayRef {
        let Some(mut builder) = self.builder.take() else { return new_null_array(data_type, rows) };
        if rows > self.rows {
            skip(&mut builder, &mut self.gaps, self.rows, rows);
        }
        // The next batch may be a little longer, and growing means copying.
        let (more_rows, bytes) = (rows + rows / 8, builder.bytes());
        self.room = Room { rows: more_rows, bytes: bytes + bytes / 8 };
        self.rows = 0;
        let values = builder.finish();
        if self.gaps.is_empty() {
            return values;
        }
        self.gaps.append_n(rows - self.gaps.len(), false);
        let gaps = BooleanArray::new(self.gaps.finish(), None);
        nullif(&values, &gaps).expect("there is one bit a row")
    }
}

/// Fills the rows from one up to another.
fn skip(builder: &mut impl Fill, gaps: &mut BooleanBufferBuilder, from: usize, to: usize) {
    builder.fill(to - from);
    gaps.append_n(from - gaps.len(), false);
    gaps.append_n(to - from, true);
}

impl<T: ArrowPrimitiveType> Fill for PrimitiveBuilder<T> {
    fn with_room(room: Room) -> Self {
        Self::with_capacity(room.rows)
    }
    fn fill(&mut self, count: usize) {
        self.append_value_n(T::Native::default(), count);
    }
    fn bytes(&self) -> usize {
        0
    }
}

impl<T: ByteArrayType> Fill for GenericByteBuilder<T>
where
    for<'n> &'n T::Native: Default,
{
    fn with_room(room: Room) -> Self {
        Self::with_capacity(room.rows, room.bytes)
    }
    fn fill(&mut self, count: usize) {
        self.append_value_n(<&T::Native>::default(), count);
    }
    fn bytes(&self) -> usize {
        self.values_slice().len()
    }
}

impl Fill for ListBuilder<StringBuilder> {
    fn with_room(room: Room) -> Self {
        Self::with_capacity(StringBuilder::with_capacity(0, 0), room.rows)
    }
    fn fill(&mut self, count: usize) {
        self.append_nulls(count);
    }
    fn bytes(&self) -> usize {
        0
    }
}
