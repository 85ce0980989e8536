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
    assert!(checked_in == text, "openapi.json differs from the code: run the test again with BLESS=1, read the diff");
}
