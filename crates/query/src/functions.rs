//! Which functions SQL may call: all that DataFusion brings, but for a few, and ours for addresses and JSON.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{DocSection, Documentation, ScalarUDF, Signature, Volatility};

/// Functions that are not offered: some say which file a row came from, the others make gigabytes
/// from one number. Those that make long texts of other texts are offered with a cap (`capped`).
const WITHHELD: &[&str] = &[
    "input_file_name",
    "file_row_index",
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "range",
    "generate_series",
    "gen_series",
    // These take a type as a text, also one of a gigabyte.
    "arrow_cast",
    "arrow_try_cast",
];

/// The scalar functions of a session.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let withheld = |name: &str| WITHHELD.contains(&name);
    SessionStateDefaults::default_scalar_functions()
        .into_iter()
        .filter(|function| {
            !withheld(function.name()) && !function.aliases().iter().any(|alias| withheld(alias))
        })
        .chain(crate::addresses::functions())
        .chain(crate::json::functions())
        .collect()
}

/// What a function of so many texts takes.
pub(crate) fn texts(count: usize) -> Signature {
    Signature::uniform(count, vec![DataType::Utf8], Volatility::Immutable)
}

/// A function's documentation, under a heading.
pub(crate) fn documentation(label: &'static str, description: &str, syntax: &str) -> Documentation {
    let section = DocSection { include: true, label, description: None };
    Documentation::builder(section, description, syntax).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_withheld_ones_exist_and_are_gone() {
        let names = |functions: Vec<Arc<ScalarUDF>>| {
            let all =
                functions.iter().flat_map(|f| [f.name().to_owned()].into_iter().chain(f.aliases().to_vec()));
            all.collect::<Vec<String>>()
        };
        let (before, after) =
            (names(SessionStateDefaults::default_scalar_functions()), names(scalar_functions()));
        for name in WITHHELD {
            assert!(!after.iter().any(|other| other == name), "{name}");
        }
        for name in ["input_file_name", "repeat", "array_repeat", "range"] {
            assert!(before.iter().any(|other| other == name), "{name} was renamed: find its new name");
        }
    }
}
