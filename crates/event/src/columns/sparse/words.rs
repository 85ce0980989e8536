//! Texts of which there are few different ones.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayBuilder, ArrayRef, DictionaryArray, PrimitiveArray, StringBuilder};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::values::valid;
use super::{Room, Values};

/// Each different text once, and for each row which one it has.
///
/// Rows that stand together mostly say the same, so the last one is looked at before all others.
#[derive(Default)]
pub struct Words {
    texts: StringBuilder,
    rows: Vec<i32>,
    last: usize,
    by_text: HashTable<i32>,
    hasher: DefaultHashBuilder,
}

fn text(texts: &StringBuilder, word: usize) -> Option<&[u8]> {
    let offsets = texts.offsets_slice();
    let (from, to) = (*offsets.get(word)?, *offsets.get(word + 1)?);
    texts.values_slice().get(from as usize..to as usize)
}

impl Words {
    #[inline]
    pub(crate) fn push(&mut self, value: &str) {
        if text(&self.texts, self.last) != Some(value.as_bytes()) {
            self.last = self.find(value);
        }
        self.rows.push(self.last as i32);
    }

    /// The number of a text, which is a new one if it is not there yet.
    #[inline(never)]
    fn find(&mut self, value: &str) -> usize {
        let Self { texts, by_text, hasher, .. } = self;
        let is_it = |word: &i32| text(texts, *word as usize) == Some(value.as_bytes());
        if let Some(word) = by_text.find(hasher.hash_one(value.as_bytes()), is_it) {
            return *word as usize;
        }
        let word = texts.len();
        let hash = |word: &i32| hasher.hash_one(text(texts, *word as usize).unwrap_or_default());
        by_text.insert_unique(hasher.hash_one(value.as_bytes()), word as i32, hash);
        texts.append_value(value);
        word
    }
}

impl Values for Words {
    fn with_room(room: Room) -> Self {
        Self {
            texts: StringBuilder::with_capacity(room.items, room.bytes),
            rows: Vec::with_capacity(room.rows),
            ..Self::default()
        }
    }
    fn fill(&mut self, count: usize) {
        self.rows.resize(self.rows.len() + count, 0);
    }
    fn held(&self) -> Room {
        Room { rows: self.rows.len(), items: self.texts.len(), bytes: self.texts.values_slice().len() }
    }
    fn into_array(mut self, gaps: Option<BooleanBuffer>) -> ArrayRef {
        let rows = PrimitiveArray::<Int32Type>::new(ScalarBuffer::from(self.rows), valid(gaps));
        Arc::new(DictionaryArray::new(rows, Arc::new(self.texts.finish())))
    }
}
