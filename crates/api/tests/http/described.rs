//! The OpenAPI text: checked in, so that a change of the API is seen in review.

use std::path::Path;

#[test]
fn the_checked_in_text_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = api::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        checked_in == text,
        "openapi.json differs from the code: run the test again with BLESS=1, read the diff"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let text = serde_json::to_value(api::openapi()).unwrap();
    let paths = text["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
