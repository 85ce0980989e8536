//! What is written into columns comes back, from whatever version.

use arrow::array::{Int32Array, Int64Array, StringArray};
use arrow::datatypes::Schema;
use proptest::prelude::*;

use super::*;
use crate::{
    EventBatch, EventBatchBuilder, EventRow, Observation, ObservationBatch, ObservationBatchBuilder,
    RejectBatchBuilder,
};

fn batch() -> RecordBatch {
    let mut builder = EventBatchBuilder::default();
    builder.append(&EventRow {
        event_id: Some("evt_1".into()),
        status: Some(401),
        flags: vec!["late".into()],
        ..EventRow::default()
    });
    builder.finish().into_arrow()
}

/// A batch of some of another's columns, by name, and one more.
fn of(batch: &RecordBatch, names: &[&str], more: Option<(&str, ArrayRef)>) -> RecordBatch {
    let of_name = |name: &&str| {
        let column = batch.column_by_name(name).expect("it has one");
        ((*name).to_owned(), Arc::clone(column))
    };
    let columns = names.iter().map(of_name).chain(more.map(|(name, column)| (name.to_owned(), column)));
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) =
        columns.map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column)).unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("one row each")
}

#[test]
fn a_batch_of_an_older_version_has_nulls_where_a_column_was_added() {
    let older = of(&batch(), &["status", "event_id", "flags"], None);
    let read = EventBatch::from_arrow(older).expect("the columns are ours");
    assert_eq!(read.row(0), EventBatch::from_arrow(batch()).expect("ours").row(0));
}

#[test]
fn a_column_of_a_newer_version_is_left_out() {
    let more: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let newer = of(&batch(), &["event_id", "status"], Some(("mood", more)));
    let read = EventBatch::from_arrow(newer).expect("the others are ours");
    assert_eq!((read.row(0).status, read.arrow().schema()), (Some(401), EventBatch::schema()));
}

#[test]
fn texts_of_an_older_version_that_are_words_by_now_are_read() {
    let topic: ArrayRef = Arc::new(StringArray::from(vec![Some("logs.a.b"), None, Some("logs.a.b")]));
    let kind: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let older = RecordBatch::try_from_iter([("kind", kind), ("kafka_topic", topic)]).expect("three rows");
    let read = ObservationBatch::from_arrow(older).expect("ours");
    let topics: Vec<_> = read.rows().map(|row| row.kafka_topic).collect();
    assert_eq!(topics, [Some("logs.a.b".into()), None, Some("logs.a.b".into())]);
}

/// Whether rows are read from a batch as they were given to it.
fn come_back(builder: &mut ObservationBatchBuilder, rows: &[Observation<'_>]) -> bool {
    rows.iter().for_each(|row| builder.append(row));
    let batch = builder.finish();
    let read = batch.rows().zip(rows).all(|(read, given)| {
        (read.tenant.as_deref(), read.user_ref.as_deref(), read.delivery)
            == (given.tenant.as_deref(), given.user_ref.as_deref(), given.delivery)
    });
    read && batch.len() == rows.len()
}

proptest! {
    #[test]
    fn every_row_comes_back_as_it_was_given(
        rows in proptest::collection::vec(
            (proptest::option::of("[ab]{0,2}"), proptest::option::of(any::<[u8; 16]>()), proptest::option::of("\\PC{0,5}")), 0..40,
        ),
        cut in 0_usize..40,
    ) {
        let rows: Vec<Observation<'_>> = rows
            .iter()
            .map(|(word, id, text)| Observation {
                tenant: word.as_deref().map(Into::into),
                delivery: *id,
                user_ref: text.as_deref().map(Into::into),
                ..Observation::default()
            })
            .collect();
        let mut builder = ObservationBatchBuilder::default();
        // The second batch is made in what is left of the first.
        let (first, second) = rows.split_at(cut.min(rows.len()));
        prop_assert!(come_back(&mut builder, first) && come_back(&mut builder, second));
    }
}

#[test]
fn a_column_of_another_type_is_refused_and_so_is_another_table() {
    let more: ArrayRef = Arc::new(Int64Array::from(vec![401]));
    let error = EventBatch::from_arrow(of(&batch(), &["event_id"], Some(("status", more))))
        .expect_err("a long status");
    assert_eq!(error.to_string(), "column status of events is Int64 instead of Int32");
    let rejects = RejectBatchBuilder::default().finish().into_arrow();
    let error = EventBatch::from_arrow(rejects).expect_err("another table");
    assert!(matches!(error, WrongColumns::AnotherTable { table: "events", .. }), "{error}");
}

#[test]
fn a_batch_of_this_version_is_taken_as_it_is() {
    let batch = batch();
    let read = EventBatch::from_arrow(batch.clone()).expect("ours");
    for (taken, given) in read.arrow().columns().iter().zip(batch.columns()) {
        assert!(Arc::ptr_eq(taken, given));
    }
}
