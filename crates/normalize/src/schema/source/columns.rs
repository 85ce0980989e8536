//! The columns, and which fields each comes from.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use regex::Regex;

use super::CHOICE;
use super::paths::{Paths, from_of};
use crate::columns::{Cell, Column, FILLABLE, fillable};
use crate::mapping::{ColumnRule, Convert, FromSlot, Leftover};
use crate::schema::SchemaError;
use crate::schema::reader::Entry;
use crate::stamp::StampFormat;

pub(super) fn leftover(columns: &[ColumnRule], paths: &Paths) -> Vec<Leftover> {
    let taken: BTreeSet<usize> = columns.iter().flat_map(|rule| &rule.from).map(|from| from.slot).collect();
    let left = paths.sorted.iter().cloned().enumerate().filter(|(slot, _)| !taken.contains(slot));
    left.map(|(slot, path)| Leftover {
        slot,
        is_kept: paths.asked.contains(&path) && !paths.ignored.contains(&path),
        path,
    })
    .collect()
}

pub(super) fn columns(entry: Entry<'_>, paths: &Paths) -> Result<Vec<ColumnRule>, SchemaError> {
    let mut rules = Vec::new();
    entry.members()?.each(|name, rule| {
        rules.push(column_rule(named_column(name, &rule)?, rule, paths)?);
        Ok(())
    })?;
    // A field that several columns come from is taken by the last of them.
    let mut uses: HashMap<usize, usize> = HashMap::new();
    for rule in rules.iter_mut().rev() {
        for from in rule.from.iter_mut().rev() {
            let uses = uses.entry(from.slot).or_default();
            from.last_use = *uses == 0;
            *uses += 1;
        }
    }
    for from in rules.iter_mut().flat_map(|rule| &mut rule.from) {
        from.shared = uses[&from.slot] > 1;
    }
    Ok(rules)
}

fn column_rule(column: Column, rule: Entry<'_>, paths: &Paths) -> Result<ColumnRule, SchemaError> {
    let slot = |path: String, flag| FromSlot {
        slot: paths.slot(&path).expect("its path was collected"),
        path,
        last_use: true,
        shared: false,
        flag,
    };
    let mut from: Vec<FromSlot> = from_of(rule)?.into_iter().map(|path| slot(path, None)).collect();
    let mut convert = Convert::Plain;
    let mut capture = None;
    let mut words = HashMap::new();
    let mut only_words = false;
    let mut prefix = String::new();
    if rule.is_mapping() {
        let members = rule.members()?;
        members.only(&["from", "match", "as", "words", "only_words", "prefix", "flags"])?;
        capture = members.get("match", expression)?;
        only_words = members.get("only_words", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(false);
        convert = members.get("as", |entry| conversion(entry, column))?.unwrap_or(Convert::Plain);
        members.get("words", |entry| {
            entry.members()?.each(|word, ours| {
                words.insert(word.to_ascii_lowercase(), ours.text()?);
                Ok(())
            })
        })?;
        prefix = members.get("prefix", |entry| entry.text())?.unwrap_or_default();
        members.get("flags", |entry| {
            entry.members()?.each(|path, flag| {
                let from = from.iter_mut().find(|from| from.path == path).ok_or_else(|| {
                    flag.wrong("no such field in `from`", "name a field that the column comes from")
                })?;
                from.flag = Some(flag.text()?);
                Ok(())
            })
        })?;
    }
    if let (Cell::Time(_), Convert::Plain) = (column.cell, convert) {
        convert = Convert::Stamp(StampFormat::Rfc3339);
    }
    Ok(ColumnRule { column, from, capture, convert, words, only_words, prefix })
}

/// An expression with one group.
fn expression(entry: Entry<'_>) -> Result<Regex, SchemaError> {
    let cure = "write an expression of Rust's regex crate with one group, e.g. '^([a-z]+):'";
    let expression = Regex::new(&entry.text()?).map_err(|error| entry.wrong(error.to_string(), cure))?;
    match expression.captures_len() {
        2 => Ok(expression),
        groups => Err(entry.wrong(format!("it has {} groups", groups - 1), cure)),
    }
}

fn conversion(entry: Entry<'_>, column: Column) -> Result<Convert, SchemaError> {
    let stamps = StampFormat::NAMES.map(|(name, format)| (name, Convert::Stamp(format)));
    let names: Vec<(&str, Convert)> = Convert::NAMES.into_iter().chain(stamps).collect();
    let convert = entry.one_of("conversion", &names)?;
    let fits = match (column.cell, convert) {
        (Cell::Time(_), Convert::Stamp(_)) | (Cell::Int(_), Convert::Seconds | Convert::EndpointPort) => true,
        (Cell::Long(_), Convert::Asn) | (Cell::Float(_), Convert::Latitude | Convert::Longitude) => true,
        (Cell::Text(_), convert) => !convert.is_of_numbers(),
        _ => false,
    };
    match fits {
        true => Ok(convert),
        false => Err(entry.wrong(
            format!("it makes nothing that column `{}` can hold", column.name),
            "use a time format for times, `seconds` for milliseconds, `endpoint_port` for ports, `asn` for numbers of networks, `latitude` and `longitude` for degrees, the others for text",
        )),
    }
}

pub(super) fn named_column(name: &str, entry: &Entry<'_>) -> Result<Column, SchemaError> {
    fillable(name).ok_or_else(|| {
        let known: Vec<&str> = FILLABLE.iter().map(|column| column.name).collect();
        entry.wrong("no such column to fill", format!("use one of: {}", known.join(", ")))
    })
}
