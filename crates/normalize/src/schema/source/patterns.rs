//! The expressions of a source, its own and those of its parts.

use super::lines::known_fields;
use super::parts::logins;
use super::paths::Paths;
use super::settings::settings;
use crate::formats::patterns::{Find, Pattern, Wanted};
use crate::formats::syslog;
use crate::schema::SchemaError;
use crate::schema::reader::{Entry, Members};

/// The choice of `telling`.
const CHOICE: [(&str, bool); 2] = [("true", true), ("false", false)];

/// The expressions of a source; where it `may_have_others` fields than they name there need be none.
pub(super) fn patterns(
    top: &Members,
    paths: &Paths,
    may_have_others: bool,
) -> Result<Vec<Pattern>, SchemaError> {
    let always = top.get("find", |entry| finds(entry, paths))?.unwrap_or_default();
    let found = top.get("patterns", |entry| {
        let mut patterns = Vec::new();
        entry.items(|item| {
            let members = item.members()?;
            if members.has("part") {
                members.only(&["part"])?;
                let part = members.need("part", "name a part", logins)?;
                part.get("patterns", |entry| {
                    entry.items(|item| {
                        patterns.push(pattern(item, paths, &always)?);
                        Ok(())
                    })
                })?;
            } else {
                patterns.push(pattern(item, paths, &always)?);
            }
            Ok(())
        })?;
        // The names of structured data's parameters are not ours to know.
        if !may_have_others {
            let fields = patterns.iter().flat_map(Pattern::fields);
            let names: Vec<&str> = syslog::NAMES.into_iter().chain(fields).collect();
            known_fields(entry, paths, &names)?;
        }
        Ok(patterns)
    })?;
    match found {
        None if !may_have_others => {
            top.need("patterns", "list expressions as `- match: '^…'`", |_| Ok(Vec::new()))
        }
        found => Ok(found.unwrap_or_default()),
    }
}

/// One expression, with what else it looks for; the source looks `always` for more.
fn pattern(item: Entry<'_>, paths: &Paths, always: &[Find]) -> Result<Pattern, SchemaError> {
    let members = item.members()?;
    members.only(&["match", "programs", "find", "needs", "telling", "set"])?;
    let mut own = members.get("find", |entry| finds(entry, paths))?.unwrap_or_default();
    own.extend_from_slice(always);
    let needs = members.get("needs", |needs| {
        let names = needs.texts()?;
        let is_sought = |name: &String| own.iter().any(|find| find.names().any(|known| known == name));
        match names.iter().find(|name| !is_sought(name)) {
            Some(name) => Err(needs.wrong(format!("nothing finds `{name}`"), "name a group of `find`")),
            None => Ok(names),
        }
    })?;
    let wanted = Wanted {
        programs: members.get("programs", |programs| programs.texts())?.unwrap_or_default(),
        finds: own,
        needs: needs.unwrap_or_default(),
        is_telling: members.get("telling", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(true),
    };
    let settings = members.get("set", settings)?.unwrap_or_default();
    members.need("match", "write a regular expression", |expression| {
        let compiled = Pattern::compile(&expression.text()?, wanted, settings, |name| paths.place(name));
        compiled.map_err(|error| wrong(&expression, &error))
    })
}

fn finds(entry: Entry<'_>, paths: &Paths) -> Result<Vec<Find>, SchemaError> {
    entry.items(|item| {
        Find::compile(&item.text()?, |name| paths.place(name)).map_err(|error| wrong(&item, &error))
    })
}

fn wrong(expression: &Entry<'_>, error: &regex::Error) -> SchemaError {
    expression.wrong(error.to_string(), "write an expression of Rust's regex crate")
}
