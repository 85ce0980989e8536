//! Secrets by their names in a tree of values: whatever stands under `password` goes.

use std::borrow::Cow;

use super::text_of;
use crate::fields::Value;
use crate::fingerprint::Fingerprinter;
use crate::redact::{Kind, is_redacted, replacement, secret_name};

/// Puts stand-ins in the place of a value, or of those in it, that its name or theirs give away;
/// `found` hears the kind of each and what it was. With a kind given, all of them go.
pub(crate) fn withhold(
    name: &str,
    value: &mut Value<'_>,
    under: Option<Kind>,
    fingerprinter: &Fingerprinter,
    found: &mut impl FnMut(Kind, &str),
) {
    let name = name.rsplit('.').next().unwrap_or(name);
    let kind = under.or_else(|| secret_name(name.as_bytes()));
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                withhold(key, value, kind, fingerprinter, found);
            }
        }
        Value::List(items) => {
            for item in items {
                withhold("", item, kind, fingerprinter, found);
            }
        }
        Value::Null | Value::True | Value::False => {}
        Value::Int(_) | Value::Unsigned(_) | Value::Float(_) | Value::Text(_) => {
            let Some(kind) = kind else { return };
            let Some(text) = text_of(value) else { return };
            if !text.is_empty() && !is_redacted(&text) {
                found(kind, &text);
                *value = Value::Text(Cow::Owned(replacement(&text, kind, fingerprinter)));
            }
        }
    }
}
