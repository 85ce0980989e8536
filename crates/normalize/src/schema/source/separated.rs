//! Lines whose values stand between signs: pairs in any order, values in a fixed one.

use super::lines::{known_fields, rest};
use super::paths::Paths;
use crate::formats::delimited::Delimited;
use crate::formats::pairs::Pairs;
use crate::schema::SchemaError;
use crate::schema::reader::{Entry, Members};

/// `pairs: {between: " ", within: "="}`, which is what is meant where nothing is said.
pub(super) fn pairs(top: &Members) -> Result<Pairs, SchemaError> {
    let mut pairs = Pairs { between: b' ', within: b'=' };
    top.get("pairs", |entry| {
        let members = entry.members()?;
        members.only(&["between", "within"])?;
        pairs.between = members.get("between", sign)?.unwrap_or(pairs.between);
        pairs.within = members.get("within", sign)?.unwrap_or(pairs.within);
        match pairs.between == pairs.within {
            true => {
                Err(entry.wrong("the same sign stands between pairs and within them", "choose two signs"))
            }
            false => Ok(()),
        }
    })?;
    Ok(pairs)
}

/// `delimiter: ","` and `fields: [...]` in their order.
pub(super) fn delimited(top: &Members, paths: &Paths) -> Result<Delimited, SchemaError> {
    let delimiter = top.get("delimiter", sign)?.unwrap_or(b',');
    let names = top.need("fields", "list the fields in their order", |entry| {
        let names = entry.texts()?;
        known_fields(entry, paths, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(names)
    })?;
    let places = names.iter().map(|name| paths.place(name)).collect();
    Ok(Delimited::new(delimiter, places, rest(top)?))
}

/// One sign that no letter, digit or quote is.
fn sign(entry: Entry<'_>) -> Result<u8, SchemaError> {
    let text = entry.text()?;
    match text.as_bytes() {
        [byte]
            if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\'' | b'\n') =>
        {
            Ok(*byte)
        }
        _ => Err(entry.wrong(format!("`{text}` is not one sign"), r#"write one such as ",", "|" or "\t""#)),
    }
}
