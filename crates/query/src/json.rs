//! SQL functions for texts that are JSON, such as the column `unmapped`: `json_keys(json)` and
//! `json_text(json, path)`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use serde_json::{Map, Value};

use crate::functions::{documentation, texts};

/// The heading of their documentation.
const LABEL: &str = "JSON Functions";

/// Both of them.
pub(crate) fn functions() -> [Arc<ScalarUDF>; 2] {
    [
        Arc::new(ScalarUDF::new_from_impl(JsonKeys { signature: texts(1) })),
        Arc::new(ScalarUDF::new_from_impl(JsonText { signature: texts(2) })),
    ]
}

/// The keys of a JSON object, in order. Null for what is no object.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonKeys {
    signature: Signature,
}

static JSON_KEYS: LazyLock<Documentation> = LazyLock::new(|| {
    documentation(
        LABEL,
        "The keys of a JSON object, as a list. Null for what is no object.",
        "json_keys(json)",
    )
});

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

impl ScalarUDFImpl for JsonKeys {
    fn name(&self) -> &str {
        "json_keys"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts] = ColumnarValue::values_to_arrays(&args.args)?
            .try_into()
            .or_else(|_| internal_err!("json_keys takes one text"))?;
        // Room is made as it is needed: a constant is counted by the room that it takes.
        let mut lists = ListBuilder::with_capacity(StringBuilder::with_capacity(0, 0), texts.len());
        for text in texts.as_string::<i32>() {
            let object = text.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
            for key in object.iter().flat_map(Map::keys) {
                lists.values().append_value(key);
            }
            lists.append(object.is_some());
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&JSON_KEYS)
    }
}

/// What stands at a dotted path of a JSON object, as text. Null where nothing does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonText {
    signature: Signature,
}

static JSON_TEXT: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "What stands at a dotted path of a JSON object, as text: json_text(unmapped, 'http.version'). \
                       Null where nothing does.";
    documentation(LABEL, description, "json_text(json, path)")
});

impl ScalarUDFImpl for JsonText {
    fn name(&self) -> &str {
        "json_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts, paths] = ColumnarValue::values_to_arrays(&args.args)?
            .try_into()
            .or_else(|_| internal_err!("json_text takes two texts"))?;
        let rows = texts.as_string::<i32>().iter().zip(paths.as_string::<i32>());
        let found: StringArray = rows.map(|(text, path)| text_at(text?, path?)).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&JSON_TEXT)
    }
}

fn text_at(json: &str, path: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    match at(&value, path)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A key with dots in it is found, too.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    let ends = path.match_indices('.').map(|(dot, _)| dot);
    ends.into_iter().find_map(|dot| at(value.get(&path[..dot])?, &path[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_objects_and_dotted_keys() {
        let json = r#"{"a":{"b.c":{"d":1}},"x.y":"z","n":null,"l":[1,2]}"#;
        for (path, expected) in [
            ("a.b.c.d", Some("1")),
            ("x.y", Some("z")),
            ("l", Some("[1,2]")),
            ("n", None),
            ("a.c", None),
            ("", None),
        ] {
            assert_eq!(text_at(json, path).as_deref(), expected, "{path}");
        }
        assert_eq!(text_at("no json", "a"), None);
    }
}
