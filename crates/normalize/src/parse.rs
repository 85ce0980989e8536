//! A line taken apart: its fields, and the time among them.

use std::borrow::Cow;

use event::{EventTime, RejectReason};

use crate::fields::{Fields, Value};
use crate::formats::{Unreadable, cef, json, syslog};
use crate::mapping::{is_empty, text_of};
use crate::schema::{Format, Source, is_in_our_time};
use crate::settings::Settings;

/// Takes a line apart as its source's format says; with it comes what a pattern says it means.
pub(crate) fn fields<'a>(
    source: &'a Source,
    text: &'a str,
    depth_max: usize,
) -> Result<(Fields<'a>, Option<&'a Settings>), Unreadable> {
    match &source.format {
        Format::Json(shape) => Ok((json::read(text, shape, depth_max)?, None)),
        Format::Template(template) => Ok((template.read(text, source.slots)?, None)),
        Format::Regex(patterns) => {
            let mut fields = Fields::with_slots(source.slots);
            let pattern = patterns.iter().find(|pattern| pattern.read(None, text, &mut fields));
            let pattern = pattern.ok_or_else(|| {
                Unreadable::new(RejectReason::UnknownFormat, "none of the source's patterns fits the line")
            })?;
            Ok((fields, Some(&pattern.settings)))
        }
        Format::Cef(shape) => {
            let mut fields = Fields::with_slots(source.slots);
            shape.distribute(cef::read(text, |name| shape.asks(name))?, &mut fields);
            Ok((fields, None))
        }
        Format::KeyValue(pairs, shape) => {
            let mut fields = Fields::with_slots(source.slots);
            shape.distribute(pairs.read(text), &mut fields);
            Ok((fields, None))
        }
        Format::Delimited(delimited) => Ok((delimited.read(text, source.slots)?, None)),
        Format::Syslog { patterns, header, parameters } => {
            let parts = syslog::header(text)?;
            let mut fields = Fields::with_slots(source.slots);
            if let Some(structured) = parts.structured {
                parameters.distribute(members(structured, parameters), &mut fields);
            }
            for (place, value) in header.iter().zip(parts.values()) {
                if let Some(value) = value {
                    place.put(Cow::Borrowed(value), &mut fields);
                }
            }
            fields.repeated = parts.repeated.and_then(|times| times.parse().ok());
            let pattern =
                patterns.iter().find(|pattern| pattern.read(parts.program, parts.message, &mut fields));
            Ok((fields, pattern.map(|pattern| &pattern.settings)))
        }
    }
}

/// The parameters of structured data, under their own names where the description asks for those,
/// else with their element's in front. None of them is a part of the header.
fn members<'a>(structured: &'a str, shape: &json::Shape) -> Vec<(Cow<'a, str>, Value<'a>)> {
    let named = |parameter: syslog::Parameter<'a>| {
        let is_plain = shape.asks(parameter.name) && !syslog::NAMES.contains(&parameter.name);
        let name = match is_plain {
            true => Cow::Borrowed(parameter.name),
            false => Cow::Owned(format!("{}.{}", parameter.id, parameter.name)),
        };
        (name, Value::Text(parameter.value))
    };
    syslog::parameters(structured).into_iter().map(named).collect()
}

/// Holds a line against the fields that its source cannot do without.
pub(crate) fn required(source: &Source, fields: &Fields<'_>) -> Result<(), Unreadable> {
    for (slot, path) in &source.required {
        match &fields.slots[*slot] {
            Some(Value::List(_) | Value::Object(_)) => {
                let detail = format!("`{path}` holds a list or an object");
                return Err(Unreadable::new(RejectReason::InvalidField, detail));
            }
            Some(value) if !is_empty(value, &source.empty) => {}
            _ => return Err(Unreadable::new(RejectReason::MissingField, format!("`{path}` is missing"))),
        }
    }
    Ok(())
}

/// The event's time and how it was written.
pub(crate) fn time<'a>(
    source: &Source,
    fields: &Fields<'a>,
    near: EventTime,
) -> Result<(EventTime, Option<Cow<'a, str>>), Unreadable> {
    let rule = &source.time;
    let mut unreadable = None;
    for (slot, path) in &rule.from {
        let Some(value) = fields.slots[*slot].as_ref().filter(|value| !is_empty(value, &source.empty)) else {
            continue;
        };
        let text = text_of(value).unwrap_or_default();
        match rule.moment(&text, near) {
            Some(time) if is_in_our_time(time) => return Ok((time, Some(text))),
            Some(_) => {
                let detail = format!("`{path}` lies before 2000 or after 2100");
                return Err(Unreadable::new(RejectReason::TimeOutOfRange, detail));
            }
            None => unreadable = unreadable.or(Some(path)),
        }
    }
    Err(match unreadable {
        Some(path) => Unreadable::new(RejectReason::InvalidField, format!("`{path}` holds no time stamp")),
        None => Unreadable::new(RejectReason::MissingField, "the line has no time stamp"),
    })
}
