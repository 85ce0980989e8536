//! The fields that a description names, and the slot of each.

use std::collections::BTreeSet;

use super::REQUEST_PARTS;
use crate::formats::Place;
use crate::redact::secret_name;
use crate::schema::SchemaError;
use crate::schema::reader::{Entry, Members};

/// What may become of personal fields: they are dropped, or fingerprinted.
pub(super) const PERSONAL: [&str; 2] = ["drop", "fingerprint"];

/// Every field that the description names, in order; a field's place in it is its slot.
pub(super) struct Paths {
    pub(super) sorted: Vec<String>,
    pub(super) ignored: Vec<String>,
    /// Those that tables ask.
    pub(super) asked: BTreeSet<String>,
    /// Those that columns take their values from.
    taken: BTreeSet<String>,
}

impl Paths {
    pub(super) fn collect(top: &Members) -> Result<Self, SchemaError> {
        let mut paths = BTreeSet::new();
        top.get("time", |entry| {
            if !entry.is_mapping() {
                return Ok(());
            }
            paths.extend(entry.members()?.get("from", |from| from.texts())?.unwrap_or_default());
            Ok(())
        })?;
        for key in ["required", "request_line", "forwarded"] {
            paths.extend(top.get(key, |entry| entry.texts())?.unwrap_or_default());
        }
        if top.get("request_line", |_| Ok(()))?.is_some() {
            paths.extend(REQUEST_PARTS.map(str::to_owned));
        }
        let (mut taken, mut asked) = (BTreeSet::new(), BTreeSet::new());
        top.get("columns", |entry| {
            entry.members()?.each(|_, rule| {
                taken.extend(from_of(rule)?);
                Ok(())
            })
        })?;
        top.get("by", |entry| {
            entry.items(|item| {
                asked.extend(item.members()?.get("on", asked_field)?.flatten());
                Ok(())
            })
        })?;
        top.get("personal", |entry| {
            let members = entry.members()?;
            for name in PERSONAL {
                // A field that nobody else asks for is kept beside the columns, as its fingerprint.
                asked.extend(members.get(name, |entry| entry.texts())?.unwrap_or_default());
            }
            Ok(())
        })?;
        paths.extend(taken.iter().chain(&asked).cloned());
        let ignored = top.get("ignore", |entry| entry.texts())?.unwrap_or_default();
        paths.extend(ignored.iter().cloned());
        Ok(Self { sorted: paths.into_iter().collect(), ignored, asked, taken })
    }

    pub(super) fn slot(&self, path: &str) -> Option<usize> {
        self.sorted.binary_search_by(|known| known.as_str().cmp(path)).ok()
    }

    /// The slots of the fields that an entry lists.
    pub(super) fn slots(&self, entry: Entry<'_>) -> Result<Vec<(usize, String)>, SchemaError> {
        let slot = |path: String| (self.slot(&path).expect("its path was collected"), path);
        Ok(entry.texts()?.into_iter().map(slot).collect())
    }

    /// The slot of a field that a table asks. What columns take is gone by then.
    pub(super) fn asked(&self, field: &str, on: &Entry<'_>) -> Result<usize, SchemaError> {
        if self.taken.contains(field) {
            return Err(on.wrong("a column takes its value from that field", "name the column"));
        }
        Ok(self.slot(field).expect("its path was collected"))
    }

    pub(super) fn place(&self, name: &str) -> Place {
        // A secret that nobody needs has to be known all the same: the line holds it.
        if self.ignored.iter().any(|ignored| ignored == name) && secret_name(name.as_bytes()).is_none() {
            return Place::Nowhere;
        }
        self.slot(name).map_or_else(|| Place::Rest(name.to_owned()), Place::Slot)
    }
}

/// The fields of a column's rule, which is a field's name or a mapping.
pub(super) fn from_of(rule: Entry<'_>) -> Result<Vec<String>, SchemaError> {
    if !rule.is_mapping() {
        return rule.texts();
    }
    rule.members()?.need("from", "name the field that the column comes from", |from| {
        if from.is_mapping() {
            let members = from.members()?;
            let mut names = Vec::new();
            members.each(|name, _| {
                names.push(name.to_owned());
                Ok(())
            })?;
            return Ok(names);
        }
        from.texts()
    })
}

/// The field of `on: {field: name}`, which no column need hold; `on: name` means a column.
pub(super) fn asked_field(on: Entry<'_>) -> Result<Option<String>, SchemaError> {
    if !on.is_mapping() {
        return Ok(None);
    }
    let members = on.members()?;
    members.only(&["field"])?;
    members.need("field", "name the field that decides", |field| field.text()).map(Some)
}
