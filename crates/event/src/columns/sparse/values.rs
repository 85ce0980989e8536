//! The values of a column: numbers in a plain vector, which the array takes over as it is, texts in Arrow's
//! own builder, because only that need not look whether they are UTF-8.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, GenericByteBuilder,
    ListArray, PrimitiveArray, StringBuilder,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::nullif;
use arrow::datatypes::{ByteArrayType, DataType, Field};

use super::{Room, Values};

/// Which rows are not null.
pub(super) fn valid(gaps: Option<BooleanBuffer>) -> Option<NullBuffer> {
    gaps.map(|gaps| NullBuffer::new(!&gaps))
}

/// Numbers of any width.
pub struct Numbers<T: ArrowPrimitiveType>(Vec<T::Native>);

impl<T: ArrowPrimitiveType> Default for Numbers<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(crate) fn push(&mut self, value: T::Native) {
        self.0.push(value);
    }
}

impl<T: ArrowPrimitiveType> Values for Numbers<T> {
    fn with_room(room: Room) -> Self {
        Self(Vec::with_capacity(room.rows))
    }
    fn fill(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, T::Native::default());
    }
    fn held(&self) -> Room {
        Room { rows: self.0.len(), ..Room::default() }
    }
    fn into_array(self, gaps: Option<BooleanBuffer>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(self.0), valid(gaps)))
    }
}

impl<T: ByteArrayType> Values for GenericByteBuilder<T>
where
    for<'n> &'n T::Native: Default,
{
    fn with_room(room: Room) -> Self {
        Self::with_capacity(room.rows, room.bytes)
    }
    fn fill(&mut self, count: usize) {
        self.append_value_n(<&T::Native>::default(), count);
    }
    fn held(&self) -> Room {
        Room { rows: self.len(), bytes: self.values_slice().len(), ..Room::default() }
    }
    fn into_array(mut self, gaps: Option<BooleanBuffer>) -> ArrayRef {
        let values = self.finish();
        match gaps {
            None => Arc::new(values),
            Some(gaps) => nullif(&values, &BooleanArray::new(gaps, None)).expect("there is one bit a row"),
        }
    }
}

/// Ids of sixteen bytes, one after the other.
#[derive(Default)]
pub struct Ids(Vec<u8>);

impl Ids {
    pub(crate) fn push(&mut self, id: [u8; 16]) {
        self.0.extend_from_slice(&id);
    }
}

impl Values for Ids {
    fn with_room(room: Room) -> Self {
        Self(Vec::with_capacity(room.bytes))
    }
    fn fill(&mut self, count: usize) {
        self.0.resize(self.0.len() + 16 * count, 0);
    }
    fn held(&self) -> Room {
        Room { bytes: self.0.len(), ..Room::default() }
    }
    fn into_array(self, gaps: Option<BooleanBuffer>) -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::new(16, Buffer::from_vec(self.0), valid(gaps)))
    }
}

/// Lists of texts.
#[derive(Default)]
pub struct Lists {
    items: StringBuilder,
    /// Where each list begins among the items; the last is where the next one will.
    offsets: Vec<i32>,
}

impl Lists {
    /// Appends a list.
    pub(crate) fn push<'t>(&mut self, items: impl Iterator<Item = &'t str>) {
        items.for_each(|item| self.items.append_value(item));
        self.fill(1);
    }
}

impl Values for Lists {
    fn with_room(room: Room) -> Self {
        let mut offsets = Vec::with_capacity(room.rows + 1);
        offsets.push(0);
        Self { items: StringBuilder::with_capacity(room.items, room.bytes), offsets }
    }
    fn fill(&mut self, count: usize) {
        let items =
            i32::try_from(self.items.len()).expect("a batch has fewer than two thousand million items");
        self.offsets.resize(self.offsets.len() + count, items);
    }
    fn held(&self) -> Room {
        Room { rows: self.offsets.len(), items: self.items.len(), bytes: self.items.values_slice().len() }
    }
    fn into_array(mut self, gaps: Option<BooleanBuffer>) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        Arc::new(ListArray::new(item, offsets, Arc::new(self.items.finish()), valid(gaps)))
    }
}
