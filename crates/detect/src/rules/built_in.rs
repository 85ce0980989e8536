//! The files that the binary brings with it: `detectors/`. Their parameters are the defaults, which a test
//! holds them against; what counts of them are the examples.

use super::example::Example;
use super::file::{Parsed, RuleFile};

macro_rules! files {
    ($($detector:literal)*) => {
        &[$(($detector, include_str!(concat!("../../../../detectors/", $detector, ".toml"))),)*]
    };
}

/// By detector, in the order of [`crate::detectors::NAMES`].
const FILES: &[(&str, &str)] = files! {
    "token_reuse" "failed_authentication" "request_spike" "source_health" "secret_exposure" "key_use"
    "object_access" "threshold" "probing" "token_ledger" "admin_change" "impossible_travel" "risk"
};

/// The files that the binary brings with it, one for each detector: a place to begin one's own from.
pub fn built_in() -> Vec<RuleFile> {
    let file = |(detector, text): &(&str, &str)| RuleFile {
        file: format!("detectors/{detector}.toml"),
        detector: (*detector).to_owned(),
        text: (*text).to_owned(),
    };
    FILES.iter().map(file).collect()
}

/// Their examples.
pub(super) fn examples() -> impl Iterator<Item = Example> {
    let read = |file| Parsed::read(&file).expect("the files that are built in are read by a test");
    built_in().into_iter().flat_map(move |file| read(file).examples)
}

#[cfg(test)]
mod tests;
