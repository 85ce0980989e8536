//! Constants, flags and observations, and the tables that choose among them.

use event::ObservationKind;
use hashbrown::HashMap;

use super::columns::named_column;
use super::paths::{Paths, asked_field};
use crate::columns::Cell;
use crate::observe::Observe;
use crate::schema::SchemaError;
use crate::schema::reader::Entry;
use crate::settings::{Constant, On, Settings, Table};

/// Constants by column name, `flags` and `observe`.
pub(super) fn settings(entry: Entry<'_>) -> Result<Settings, SchemaError> {
    let mut settings = Settings::default();
    entry.members()?.each(|name, value| {
        match name {
            "flags" => settings.flags = value.texts()?,
            "observe" => settings.observe = observe(value)?,
            _ => {
                let column = named_column(name, &value).map_err(|error| SchemaError {
                    cure: format!("{}, flags, observe", error.cure),
                    ..error
                })?;
                let constant = match column.cell {
                    Cell::Text(_) => Constant::Text(value.text()?),
                    Cell::Int(_) | Cell::Long(_) => Constant::Number(value.number()?),
                    Cell::Time(_) | Cell::Float(_) => {
                        let problem = "a time or a place cannot be a constant";
                        return Err(value.wrong(problem, "map it under `columns`"));
                    }
                };
                settings.constants.push((column, constant));
            }
        }
        Ok(())
    })?;
    Ok(settings)
}

/// `[requests, {token: token.presented_in_url}]`.
fn observe(entry: Entry<'_>) -> Result<Observe, SchemaError> {
    let mut observe = Observe::default();
    entry.items(|item| {
        if !item.is_mapping() {
            observe.add(item.one_of("observation", &Observe::NAMES)?, None);
            return Ok(());
        }
        let members = item.members()?;
        members.only(&["token"])?;
        let action =
            members.need("token", "name the action that the observation gets", |action| action.text())?;
        if action.is_empty() || action.contains(char::is_whitespace) {
            return Err(item.wrong("an action is one word", "write it like session_token.redeemed"));
        }
        observe.add(ObservationKind::Token, Some(&action));
        Ok(())
    })?;
    Ok(observe)
}

pub(super) fn table(entry: Entry<'_>, paths: &Paths) -> Result<Table, SchemaError> {
    let members = entry.members()?;
    members.only(&["on", "only", "cases", "missing", "otherwise"])?;
    let on = members.need("on", "name the column whose value decides", |on| {
        if let Some(field) = asked_field(on)? {
            return paths.asked(&field, &on).map(On::Slot);
        }
        let name = on.text()?;
        // A field that the description ignores is there to be asked.
        if let Some(slot) = paths.slot(&name).filter(|_| paths.ignored.contains(&name)) {
            return Ok(On::Slot(slot));
        }
        named_column(&name, &on).map(On::Column)
    })?;
    let mut only = Vec::new();
    members.get("only", |entry| {
        entry.members()?.each(|name, values| {
            let column = named_column(name, &values)?;
            match column.cell {
                Cell::Text(_) => only.push((column, values.texts()?)),
                _ => {
                    return Err(
                        values.wrong("only columns of text can be asked here", "choose another column")
                    );
                }
            }
            Ok(())
        })
    })?;
    let mut cases = HashMap::new();
    members.get("cases", |entry| {
        let kind = if let On::Column(column) = &on { Some(column.cell) } else { None };
        if let Some(Cell::Long(_) | Cell::Float(_) | Cell::Time(_)) = kind {
            return Err(entry.wrong("cases are for texts and small numbers", "say what `missing` means"));
        }
        entry.members()?.each(|value, case| {
            cases.insert(value.to_owned(), settings(case)?);
            Ok(())
        })
    })?;
    let (missing, otherwise) = (members.get("missing", settings)?, members.get("otherwise", settings)?);
    if cases.is_empty() && missing.is_none() {
        return Err(entry.wrong("nothing depends on it", "write `cases: {value: {column: constant}}`"));
    }
    Ok(Table { on, only, cases, missing, otherwise })
}
