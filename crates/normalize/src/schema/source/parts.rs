//! What several descriptions say alike, kept once and named with `parts: [http_status]`.

use super::paths::Paths;
use super::settings::{settings, table};
use crate::schema::SchemaError;
use crate::schema::reader::{Entry, Members};
use crate::settings::{Settings, Table};

const PARTS: [(&str, &str); 3] = [
    ("http_request", include_str!("../../../../../schemas/parts/http_request.yaml")),
    ("http_status", include_str!("../../../../../schemas/parts/http_status.yaml")),
    ("partner_events", include_str!("../../../../../schemas/parts/partner_events.yaml")),
];

/// What text of any kind says of logins: a part of expressions.
const LOGINS: &str = include_str!("../../../../../schemas/parts/logins.yaml");

/// The part of that name that holds expressions.
pub(super) fn logins(name: Entry<'_>) -> Result<Members, SchemaError> {
    let yaml = name.one_of("part with patterns", &[("logins", LOGINS)])?;
    let part = Members::of_file("schemas/parts/logins.yaml", yaml)?;
    part.only(&["about", "patterns"])?;
    Ok(part)
}

/// The description's own tables and constants, and behind them those of its parts: what is more
/// particular is applied first.
pub(super) fn meaning(top: &Members, paths: &Paths) -> Result<(Vec<Table>, Vec<Settings>), SchemaError> {
    let (mut tables, mut bases) = (Vec::new(), Vec::new());
    read(top, paths, &mut tables, &mut bases)?;
    top.get("parts", |entry| {
        entry.items(|item| {
            let (name, yaml) = item.one_of("part", &PARTS.map(|part| (part.0, part)))?;
            let part = Members::of_file(&format!("schemas/parts/{name}.yaml"), yaml)?;
            part.only(&["about", "by", "set"])?;
            read(&part, paths, &mut tables, &mut bases)
        })
    })?;
    Ok((tables, bases))
}

fn read(
    from: &Members,
    paths: &Paths,
    tables: &mut Vec<Table>,
    bases: &mut Vec<Settings>,
) -> Result<(), SchemaError> {
    tables.extend(from.get("by", |entry| entry.items(|item| table(item, paths)))?.unwrap_or_default());
    bases.extend(from.get("set", settings)?);
    Ok(())
}
