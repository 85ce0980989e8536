//! The formats that lines come in. Each finds values by name; which names matter, a source's
//! description says.

pub(crate) mod cef;
pub(crate) mod delimited;
pub(crate) mod json;
pub(crate) mod pairs;
pub(crate) mod patterns;
pub(crate) mod syslog;
pub(crate) mod template;

use std::borrow::Cow;

use event::RejectReason;

use crate::fields::{Fields, Value};

/// Why a line is not of the format that its source has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) reason: RejectReason,
    pub(crate) detail: Cow<'static, str>,
}

impl Unreadable {
    pub(crate) fn new(reason: RejectReason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Where a named piece of text goes: into a slot, or to the rest under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Slot(usize),
    Rest(String),
    /// The source says that nobody needs it.
    Nowhere,
}

impl Place {
    pub(crate) fn put<'a>(&'a self, text: Cow<'a, str>, fields: &mut Fields<'a>) {
        match self {
            Place::Slot(slot) => fields.slots[*slot] = Some(Value::Text(text)),
            Place::Rest(name) => fields.keep(name, text),
            Place::Nowhere => {}
        }
    }
}
