use std::sync::atomic::AtomicBool;

use ::arrow::array::{ArrayRef, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder};
use ::arrow::ipc::reader::StreamReader;
use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use http_body_util::BodyExt;
use query::QueryError;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<_> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn people() -> RecordBatch {
    batch(vec![
        ("user_ref", Arc::new(StringArray::from(vec![Some("root"), None, Some("")]))),
        ("count", Arc::new(Int64Array::from(vec![Some(-1), Some(2), None]))),
        ("late", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
    ])
}

fn answer(batches: Vec<Result<RecordBatch, QueryError>>, truncated: bool) -> QueryAnswer {
    let schema = match &batches[0] {
        Ok(batch) => batch.schema(),
        Err(_) => people().schema(),
    };
    let batches = stream::iter(batches).boxed();
    let ends_at = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    QueryAnswer { schema, batches, truncated: Arc::new(AtomicBool::new(truncated)), rows_max: 3, ends_at }
}

async fn body(batches: Vec<Result<RecordBatch, QueryError>>, format: Format) -> Result<Bytes, axum::Error> {
    let response = respond(answer(batches, false), format).await.expect("the first rows are fine");
    Ok(response.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn json_is_one_document_over_all_batches() {
    let text = body(vec![Ok(people()), Ok(people())], Format::Json).await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(document["columns"][1], serde_json::json!({"name": "count", "type": "Int64"}));
    assert_eq!(document["rows"].as_array().unwrap().len(), 6);
    assert_eq!(document["rows"][1], serde_json::json!({"user_ref": null, "count": 2, "late": false}));
    assert_eq!(document["truncated"], false);
}

#[tokio::test]
async fn json_without_rows_is_still_a_document() {
    let text = body(vec![Ok(people().slice(0, 0))], Format::Json).await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(document["rows"], serde_json::json!([]));
}

#[tokio::test]
async fn ndjson_is_a_row_a_line() {
    let text = body(vec![Ok(people())], Format::Ndjson).await.unwrap();
    let first = r#"{"user_ref":"root","count":-1,"late":true}"#;
    assert_eq!(std::str::from_utf8(&text).unwrap().lines().collect::<Vec<_>>()[0], first);
}

#[tokio::test]
async fn csv_tells_null_from_nothing() {
    let text = body(vec![Ok(people())], Format::Csv).await.unwrap();
    assert_eq!(text, "user_ref,count,late\r\nroot,-1,true\r\n,2,false\r\n\"\",,\r\n");
}

#[tokio::test]
async fn csv_runs_no_formula() {
    let cells =
        ["=1+1", "+49", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "a=b", "say \"hi\", all", "x"];
    let text =
        body(vec![Ok(batch(vec![("=c", Arc::new(StringArray::from(cells.to_vec())))]))], Format::Csv).await;
    let expected = "\"'=c\"\r\n\"'=1+1\"\r\n\"'+49\"\r\n\"'-1\"\r\n\"'@SUM(A1)\"\r\n\"'\t=1\"\r\n\"'\r=1\"\r\n\
                    \"'\n=1\"\r\n\"'＝1\"\r\na=b\r\n\"say \"\"hi\"\", all\"\r\nx\r\n";
    assert_eq!(text.unwrap(), expected);
}

#[tokio::test]
async fn csv_writes_lists_into_one_cell() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("late"), Some("=1")]);
    let text = body(vec![Ok(batch(vec![("flags", Arc::new(list.finish()))]))], Format::Csv).await.unwrap();
    assert_eq!(text, "flags\r\n\"[late, =1]\"\r\n");
}

#[tokio::test]
async fn arrow_comes_back_as_it_was() {
    let bytes = body(vec![Ok(people()), Ok(people())], Format::Arrow).await.unwrap();
    let reader = StreamReader::try_new(&bytes[..], None).unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches, [people(), people()]);
}

#[tokio::test]
async fn columns_of_one_name_are_told_apart() {
    let two: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let text =
        body(vec![Ok(batch(vec![("n", Arc::clone(&two)), ("n", two)]))], Format::Ndjson).await.unwrap();
    assert_eq!(text, "{\"n\":1,\"n_2\":1}\n");
}

#[tokio::test]
async fn an_error_in_a_short_answer_is_a_problem() {
    let batches = vec![Ok(people()), Err(QueryError::TooMuchMemory { limit_bytes: 1 << 20 })];
    let error = respond(answer(batches, false), Format::Csv).await.unwrap_err();
    assert_eq!(error.into_response().status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_error_late_in_a_long_answer_breaks_it_off() {
    let wide: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1_000); 2_000]));
    let batches = vec![Ok(batch(vec![("x", wide)])), Err(QueryError::TooMuchMemory { limit_bytes: 1 << 20 })];
    assert!(body(batches, Format::Json).await.is_err());
}

#[tokio::test]
async fn a_short_answer_says_up_front_that_rows_are_missing() {
    let response = respond(answer(vec![Ok(people())], true), Format::Arrow).await.unwrap();
    assert_eq!(response.headers()["wf-truncated"], "true");
    assert_eq!(response.headers()["wf-rows-max"], "3");
}

#[tokio::test]
async fn a_long_answer_that_misses_rows_has_no_end_unless_it_can_say_so() {
    let wide: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1_000); 2_000]));
    for (format, ends) in
        [(Format::Json, true), (Format::Ndjson, false), (Format::Csv, false), (Format::Arrow, false)]
    {
        for truncated in [true, false] {
            let batches = vec![Ok(batch(vec![("x", Arc::clone(&wide))]))];
            let response = respond(answer(batches, truncated), format).await.unwrap();
            let body = response.into_body().collect().await;
            assert_eq!(body.is_ok(), ends || !truncated, "{format:?} {truncated}");
        }
    }
}

#[test]
fn accept_chooses_the_format() {
    let negotiate = |accept: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Format::negotiate(&headers).ok()
    };
    assert_eq!(Format::negotiate(&HeaderMap::new()).ok(), Some(Format::Json));
    for (accept, format) in [
        ("*/*", Some(Format::Json)),
        ("", Some(Format::Json)),
        ("text/csv", Some(Format::Csv)),
        ("Text/CSV; charset=utf-8", Some(Format::Csv)),
        ("application/vnd.apache.arrow.stream", Some(Format::Arrow)),
        ("text/html, application/x-ndjson;q=0.9, */*;q=0.1", Some(Format::Ndjson)),
        ("text/html", None),
        ("text/csv;q=0", None),
    ] {
        assert_eq!(negotiate(accept), format, "{accept}");
    }
}
