use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{Field, Int32Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::oid;

/// The only value of a column, in text and in binary.
fn both(array: ArrayRef) -> (String, Vec<u8>) {
    let written = |binary| {
        let kind = Kind::of(array.data_type());
        let schema = Schema::new(vec![Field::new("x", array.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(&array)]).unwrap();
        let columns = oid::columns(&batch.schema()).unwrap();
        assert_eq!(columns[0].kind, kind);
        let mut output = BytesMut::new();
        Rows::of(&batch, &columns).unwrap().write(0, &columns, &[i16::from(binary)], &mut output);
        output[11..].to_vec()
    };
    (String::from_utf8(written(false)).unwrap(), written(true))
}

#[test]
fn numbers_and_texts_are_as_everywhere() {
    assert_eq!(both(Arc::new(Int64Array::from(vec![-7]))), ("-7".into(), (-7_i64).to_be_bytes().into()));
    assert_eq!(both(Arc::new(UInt8Array::from(vec![200]))), ("200".into(), 200_i16.to_be_bytes().into()));
    assert_eq!(both(Arc::new(BooleanArray::from(vec![true]))), ("t".into(), vec![1]));
    assert_eq!(both(Arc::new(StringViewArray::from(vec!["ü"]))), ("ü".into(), "ü".as_bytes().to_vec()));
    assert_eq!(both(Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]]))), ("\\x00ff".into(), vec![0, 255]));
}

#[test]
fn floats_are_short_and_read_back() {
    for (number, text) in
        [(0.1, "0.1"), (1e300, "1e+300"), (-2.5e-7, "-2.5e-07"), (3.0, "3"), (f64::NEG_INFINITY, "-Infinity")]
    {
        assert_eq!(both(Arc::new(Float64Array::from(vec![number]))).0, text);
    }
}

#[test]
fn moments_are_in_utc_and_count_from_2000() {
    let moment = TimestampMillisecondArray::from(vec![1_773_480_413_589]).with_timezone("+00:00");
    let (text, binary) = both(Arc::new(moment));
    assert_eq!(text, "2026-03-14 09:26:53.589+00");
    assert_eq!(binary, (1_773_480_413_589_000_i64 - 946_684_800_000_000).to_be_bytes());
    assert_eq!(both(Arc::new(Date32Array::from(vec![10_957]))), ("2000-01-01".into(), vec![0; 4]));
    assert_eq!(both(Arc::new(Date32Array::from(vec![-719_529]))).0, "0002-12-31 BC");
    let took = DurationNanosecondArray::from(vec![90_061_500_000_000]);
    assert_eq!(both(Arc::new(took)).0, "1 day 01:01:01.5");
}

#[test]
fn lists_are_arrays_in_which_special_items_are_quoted() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    builder.append_value([Some("a"), None, Some("b c"), Some("\"\\"), Some(""), Some("NULL")]);
    let (text, binary) = both(Arc::new(builder.finish()));
    assert_eq!(text, r#"{a,NULL,"b c","\"\\","","NULL"}"#);
    let head = [1, 1, 25, 6, 1_i32].map(i32::to_be_bytes).concat();
    assert_eq!(binary[..20], head);
    let none = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(Vec::<Option<i32>>::new())]);
    assert_eq!(both(Arc::new(none)), ("{}".into(), [0, 0, 23_i32].map(i32::to_be_bytes).concat()));
}

#[test]
fn a_null_has_no_length() {
    let batch =
        RecordBatch::try_from_iter([("x", new_null_array(&arrow::datatypes::DataType::Utf8, 1))]).unwrap();
    let columns = oid::columns(&batch.schema()).unwrap();
    let mut output = BytesMut::new();
    Rows::of(&batch, &columns).unwrap().write(0, &columns, &[], &mut output);
    assert_eq!(output[7..], (-1_i32).to_be_bytes());
}

/// Reads `numeric_send`'s form, by another way than it is written.
fn numeric_text(binary: &[u8]) -> String {
    let field = |at: usize| i16::from_be_bytes([binary[at], binary[at + 1]]);
    let (count, weight, negative, scale) = (field(0), field(2), field(4) != 0, field(6) as usize);
    let group = |index: i16| if (0..count).contains(&index) { field(8 + 2 * index as usize) } else { 0 };
    let whole: String =
        (0..=weight.max(0)).map(|i| format!("{:04}", if weight < 0 { 0 } else { group(i) })).collect();
    let behind: String =
        (1..=scale.div_ceil(4) as i16).map(|i| format!("{:04}", group(weight + i))).collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{}", &behind[..scale]) }
}

proptest! {
    #[test]
    fn decimals_say_the_same_in_text_and_in_binary(
        value in prop_oneof![any::<i64>().prop_map(i128::from), -99_999_i128..99_999, Just(0)],
        scale in 0_i8..20,
    ) {
        let decimals = Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap();
        let (text, binary) = both(Arc::new(decimals));
        prop_assert_eq!(text, numeric_text(&binary));
    }
}
