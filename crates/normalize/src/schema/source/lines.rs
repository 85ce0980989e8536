//! How lines are recognised and taken apart.

use memchr::memmem::Finder;

use super::paths::Paths;
use super::separated::pairs;
use super::{REQUEST_PARTS, Recognise};
use crate::formats::Place;
use crate::formats::template::{Template, parts};
use crate::schema::SchemaError;
use crate::schema::reader::{Entry, Members};

pub(super) fn overlap(_top: &Members, file: &str, path: &str) -> SchemaError {
    SchemaError {
        file: file.to_owned(),
        line: None,
        key: path.to_owned(),
        problem: "the field lies inside another that is named too".to_owned(),
        cure: "name either the whole object or its members".to_owned(),
    }
}

pub(super) fn recognise(top: &Members, format: &str) -> Result<Recognise, SchemaError> {
    let found = top.get("recognise", |entry| {
        if !entry.is_mapping() {
            let ways = [
                ("by_name", "name"),
                ("by_format", "format"),
                ("by_structured_data", "data"),
                ("as_last", "last"),
            ];
            return match (entry.one_of("way to recognise", &ways)?, format) {
                ("last", "regex") => Ok(Recognise::Last),
                ("last", _) => Err(entry.wrong("only expressions are asked last", "write by_format")),
                ("data", "syslog") => Ok(Recognise::Structured),
                ("data", _) => Err(entry.wrong("only syslog has structured data", "write by_format")),
                ("format", "key_value") => {
                    Err(entry.wrong("nearly any line has pairs", "write `recognise: {keys: [key, key]}`"))
                }
                ("format", "json" | "otlp") | ("name", _) => Ok(Recognise::Never),
                _ => Ok(Recognise::Readable),
            };
        }
        let members = entry.members()?;
        members.only(&["keys", "any"])?;
        let keys = members.need("keys", "list keys that every line has", |keys| keys.texts())?;
        let any = members.get("any", |keys| keys.texts())?.unwrap_or_default();
        let quoted = |keys: Vec<String>| {
            keys.into_iter().map(|key| Finder::new(&format!("\"{key}\"")).into_owned()).collect()
        };
        match format {
            "json" | "otlp" => Ok(Recognise::Keys { all: quoted(keys), any: quoted(any) }),
            "key_value" if any.is_empty() => {
                let within = char::from(pairs(top)?.within);
                let with_sign = |key: String| Finder::new(&format!("{key}{within}")).into_owned();
                Ok(Recognise::Pairs(keys.into_iter().map(with_sign).collect()))
            }
            "key_value" => Err(entry.wrong("pairs have no `any`", "list `keys` that every line has")),
            _ => Err(entry.wrong("only JSON and pairs have keys", "write `recognise: by_format`")),
        }
    })?;
    Ok(found.unwrap_or(Recognise::Never))
}

/// Where the rest of a line goes, if it is kept.
pub(super) fn rest(top: &Members) -> Result<Option<Place>, SchemaError> {
    let is_kept = top.get("rest", |entry| entry.one_of("choice", &[("keep", true), ("refuse", false)]))?;
    Ok(is_kept.unwrap_or(false).then(|| Place::Rest("rest".to_owned())))
}

pub(super) fn template(top: &Members, paths: &Paths) -> Result<Template, SchemaError> {
    let tail = rest(top)?;
    let hex =
        top.get("escapes", |entry| entry.one_of("way to escape", &[("nginx", true), ("none", false)]))?;
    top.need("template", "write the log format with $variables", |entry| {
        let text = entry.text()?;
        let cure = "write it as in nginx's log_format";
        let (_, variables) = parts(&text).map_err(|problem| entry.wrong(problem, cure))?;
        known_fields(entry, paths, &variables.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>())?;
        Template::compile(&text, tail, hex.unwrap_or(false), |name| paths.place(name))
            .map_err(|problem| entry.wrong(problem, cure))
    })
}

/// Every field that columns ask for has to be there; a misspelt one would stay empty for ever.
pub(super) fn known_fields(entry: Entry<'_>, paths: &Paths, names: &[&str]) -> Result<(), SchemaError> {
    let unknown = |path: &&String| !names.contains(&path.as_str()) && !REQUEST_PARTS.contains(&path.as_str());
    match paths.sorted.iter().find(unknown) {
        None => Ok(()),
        Some(path) => Err(entry.wrong(
            format!("nothing here is named `{path}`, which the description asks for"),
            format!("use one of: {}", names.join(", ")),
        )),
    }
}
