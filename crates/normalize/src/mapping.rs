//! Fields to columns, as a source's description says.

mod convert;
mod secrets;
mod target;
mod withhold;

pub(crate) use convert::Convert;
pub(crate) use target::RequestLine;
pub(crate) use withhold::withhold;

use std::borrow::Cow;

use event::EventRow;
use hashbrown::HashMap;

use crate::columns::{Cell, Column};
use crate::fields::{Fields, Value};
use crate::fingerprint::Fingerprinter;
use crate::observe::Exposed;
use crate::redact::{Kind, Secrets};
use convert::Converted;
use regex::Regex;
use target::part;

/// Where a column's value comes from and what is done to it.
#[derive(Debug)]
pub(crate) struct ColumnRule {
    pub(crate) column: Column,
    /// In order of preference; the first that holds something counts.
    pub(crate) from: Vec<FromSlot>,
    /// What of the value counts: the expression's one group.
    pub(crate) capture: Option<Regex>,
    pub(crate) convert: Convert,
    /// Other words for some values, e.g. `failure` for `FAIL`; how a value is spelt makes no difference.
    pub(crate) words: HashMap<String, String>,
    /// Whether the column holds no other values than those.
    pub(crate) only_words: bool,
    /// What is put in front of the value.
    pub(crate) prefix: String,
}

impl ColumnRule {
    /// Whether a text goes into the column as it stands.
    fn is_as_it_is(&self) -> bool {
        self.convert == Convert::Plain && self.words.is_empty() && !self.only_words && self.prefix.is_empty()
    }
}

/// One field that a column may come from.
#[derive(Debug)]
pub(crate) struct FromSlot {
    pub(crate) slot: usize,
    /// The field's name in the source.
    pub(crate) path: String,
    /// Whether no later rule reads it, so that it can be taken.
    pub(crate) last_use: bool,
    /// Whether another rule reads it, too.
    pub(crate) shared: bool,
    /// The flag that the event gets if the value came from here.
    pub(crate) flag: Option<String>,
}

/// A field that the description names and no column takes.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) slot: usize,
    /// The field's name in the source.
    pub(crate) path: String,
    /// Whether it is kept beside the columns, as what the description does not name.
    pub(crate) is_kept: bool,
}

/// A row on its way from fields to columns.
pub(crate) struct Draft<'d, 'a> {
    /// In a box, because a row is large and goes from hand to hand.
    pub(crate) row: Box<EventRow<'a>>,
    pub(crate) fields: Fields<'a>,
    pub(crate) secrets: Secrets,
    /// Secrets that stood where none belongs.
    pub(crate) exposed: Vec<Exposed>,
    pub(crate) fingerprinter: &'d Fingerprinter,
}

impl<'a> Draft<'_, 'a> {
    /// Fills one column.
    pub(crate) fn map(&mut self, rule: &'a ColumnRule, empty: &[String]) {
        for from in &rule.from {
            // Of the fields that a source knows a line has few.
            if self.fields.slots[from.slot].is_some() {
                self.map_from(rule, from, empty);
            }
        }
    }

    // Inside the loop it would make the many fields that are not there cost more.
    #[inline(never)]
    fn map_from(&mut self, rule: &'a ColumnRule, from: &'a FromSlot, empty: &[String]) {
        let slot = &mut self.fields.slots[from.slot];
        let value = if from.last_use { slot.take() } else { slot.clone() };
        let Some(value) = value.filter(|value| !is_empty(value, empty)) else { return };
        let value = match &rule.capture {
            None => value,
            Some(expression) => match captured(expression, &value) {
                Some(part) => Value::Text(part),
                None if from.last_use => return self.fields.rest.push((Cow::Borrowed(&from.path), value)),
                None => return,
            },
        };
        if rule.column.is_set(&mut self.row) {
            self.set_aside(rule, from, value);
        } else {
            self.fill(rule, from, value);
        }
    }

    /// A second field for a column that has its value is kept as one that no column holds; a second
    /// secret is not kept.
    fn set_aside(&mut self, rule: &'a ColumnRule, from: &'a FromSlot, value: Value<'a>) {
        let Some(kind) = rule.convert.secret() else {
            if from.last_use {
                let value = self.without_email(rule, from, value);
                self.fields.rest.push((Cow::Borrowed(&from.path), value));
            }
            return;
        };
        let Some(text) = text_of(&value) else { return self.refuse(rule, from, value, "bad_field") };
        let (stand_in, raw, flags) = match rule.convert.text(text, self.fingerprinter) {
            Converted::Secret { stand_in, raw, flags, .. } => (stand_in, raw, flags),
            Converted::Placeholder => return self.flag(Some("secret_placeholder")),
            _ => return,
        };
        self.taken_out(kind, &raw, from);
        self.flag(from.flag.as_deref());
        // What we computed ourselves says more than what the line says of itself.
        if let [received] = flags[..] {
            let ours = self.row.flags.iter().any(|raised| raised == received);
            self.flag(Some(received));
            if !ours {
                self.set_text(rule.column, Cow::Owned(stand_in));
            }
        } else {
            self.flag(flags.first().copied());
        }
    }

    /// A user's e-mail address is kept as its fingerprint, also where another field names the user.
    fn without_email(&mut self, rule: &ColumnRule, from: &FromSlot, value: Value<'a>) -> Value<'a> {
        if rule.convert != Convert::User {
            return value;
        }
        match text_of(&value).map(|text| rule.convert.text(text, self.fingerprinter)) {
            Some(Converted::Secret { stand_in, kind, raw, .. }) => {
                self.taken_out(kind, &raw, from);
                Value::Text(Cow::Owned(stand_in))
            }
            _ => value,
        }
    }

    /// A value that its column cannot hold is kept as one that no column holds.
    fn refuse(&mut self, rule: &ColumnRule, from: &'a FromSlot, mut value: Value<'a>, flag: &'a str) {
        self.flag(Some(flag));
        if rule.convert.secret().is_some() {
            self.withhold(&from.path, &mut value, rule.convert.secret());
        }
        self.fields.rest.push((Cow::Borrowed(&from.path), value));
    }

    /// Puts a value into its column, which is empty.
    fn fill(&mut self, rule: &'a ColumnRule, from: &'a FromSlot, value: Value<'a>) {
        let value = match (rule.column.cell, value) {
            (Cell::Text(of), Value::Text(text)) if rule.is_as_it_is() => {
                *of(&mut self.row) = Some(text);
                return self.flag(from.flag.as_deref());
            }
            (_, value) => value,
        };
        let converted = match rule.column.cell {
            Cell::Text(_) => match text_of(&value) {
                Some(text) => rule.convert.text(text, self.fingerprinter),
                None => Converted::Unfit("bad_field"),
            },
            _ => rule.convert.number(&value, rule.column.cell, self.row.ingest_time),
        };
        match converted {
            Converted::Nothing => {}
            Converted::Placeholder => self.flag(Some("secret_placeholder")),
            Converted::Text(text) => {
                let Some(text) = worded(rule, text) else {
                    return self.refuse(rule, from, value, "unknown_word");
                };
                self.set_text(rule.column, text);
                self.flag(from.flag.as_deref());
            }
            Converted::Secret { stand_in, kind, raw, flags } => {
                self.taken_out(kind, &raw, from);
                self.secrets.keep_fingerprint(&raw, &stand_in);
                flags.into_iter().for_each(|flag| self.flag(Some(flag)));
                self.flag(from.flag.as_deref());
                self.set_text(rule.column, Cow::Owned(stand_in));
            }
            Converted::Int(number) => {
                if let Cell::Int(of) = rule.column.cell {
                    *of(&mut self.row) = Some(number);
                }
            }
            Converted::Long(number) => {
                if let Cell::Long(of) = rule.column.cell {
                    *of(&mut self.row) = Some(number);
                }
            }
            Converted::Float(number) => {
                if let Cell::Float(of) = rule.column.cell {
                    *of(&mut self.row) = Some(number);
                }
            }
            Converted::Time(time) => {
                if let Cell::Time(of) = rule.column.cell {
                    *of(&mut self.row) = Some(time);
                }
            }
            Converted::Unfit(flag) => self.refuse(rule, from, value, flag),
        }
    }

    fn taken_out(&mut self, kind: Kind, raw: &str, from: &FromSlot) {
        match from.shared {
            true => self.secrets.add_shared(kind, raw),
            false => self.secrets.add(kind, raw),
        }
        self.redacted(kind, &from.path);
    }

    fn set_text(&mut self, column: Column, text: Cow<'a, str>) {
        if let Cell::Text(of) = column.cell {
            *of(&mut self.row) = Some(text);
        }
    }

    /// Raises a flag once.
    pub(crate) fn flag(&mut self, flag: Option<&'a str>) {
        if let Some(flag) = flag
            && !self.row.flags.iter().any(|raised| raised == flag)
        {
            self.row.flags.push(Cow::Borrowed(flag));
        }
    }
}

/// The part of a value that an expression's group finds.
fn captured<'a>(expression: &Regex, value: &Value<'a>) -> Option<Cow<'a, str>> {
    let text = text_of(value)?;
    let range = expression.captures(&text)?.get(1)?.range();
    Some(part(&text, |text| &text[range.clone()]))
}

/// A value in our words; none where it is none of those that its column holds.
fn worded<'a>(rule: &'a ColumnRule, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    let word = match rule.words.is_empty() {
        true => None,
        false => rule.words.get(&*text).or_else(|| rule.words.get(text.trim().to_ascii_lowercase().as_str())),
    };
    let text = match word {
        Some(word) => Cow::Borrowed(word.as_str()),
        None if rule.only_words => return None,
        None => text,
    };
    Some(if rule.prefix.is_empty() { text } else { Cow::Owned(format!("{}{text}", rule.prefix)) })
}

/// A value as text; none for lists and objects.
pub(crate) fn text_of<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::True => Some(Cow::Borrowed("true")),
        Value::False => Some(Cow::Borrowed("false")),
        Value::Int(value) => Some(Cow::Owned(value.to_string())),
        Value::Unsigned(value) => Some(Cow::Owned(value.to_string())),
        Value::Float(value) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}

/// Whether a value says that there is none.
pub(crate) fn is_empty(value: &Value<'_>, empty: &[String]) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty() || empty.iter().any(|word| word == text),
        _ => false,
    }
}
