//! OTLP's logs as JSON: one export request holds many records, beneath the resource and the scope
//! that they share. Each becomes a line of its own, a flat JSON object:
//!
//! - the record's own fields as `otlp.time_unix_nano`, `otlp.event_name`, `otlp.body` and so on,
//! - its attributes under their own names, e.g. `client.address`,
//! - its resource's as `resource.service.name`.
//!
//! After the OpenTelemetry Protocol specification 1.7, whose JSON is that of Protocol Buffers: keys
//! in lowerCamelCase (we take their other spelling, too), 64-bit numbers as text.

use std::borrow::Cow;
use std::rc::Rc;

use crate::fields::{Value, write_json_object};
use crate::formats::json;

/// A longer request is not taken apart, and refused as a line that is too long.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// Deeper requests are not taken apart, and refused as a line.
const DEPTH_MAX: usize = 64;

/// What is shared is repeated for each record, up to so many times the request's length.
const COPIES_MAX: usize = 4;

/// Longer names of scopes are left out.
const SCOPE_BYTES_MAX: usize = 256;

/// What every request begins with: it has no other member.
const MARKS: [&[u8]; 2] = [b"\"resourceLogs\"", b"\"resource_logs\""];

type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The record's own fields: their name in a line, then in a request.
const OWN: [(&str, &str, &str); 8] = [
    ("otlp.time_unix_nano", "timeUnixNano", "time_unix_nano"),
    ("otlp.observed_time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano"),
    ("otlp.severity_number", "severityNumber", "severity_number"),
    ("otlp.severity_text", "severityText", "severity_text"),
    ("otlp.event_name", "eventName", "event_name"),
    ("otlp.trace_id", "traceId", "trace_id"),
    ("otlp.span_id", "spanId", "span_id"),
    ("otlp.flags", "flags", "flags"),
];

/// The records of one request that nobody has asked for yet.
pub(super) struct Records<'a> {
    groups: std::vec::IntoIter<Group<'a>>,
    records: std::vec::IntoIter<Value<'a>>,
    resource: Rc<Resource<'a>>,
    scope: Option<Value<'a>>,
    copies_left: usize,
}

/// Records that share a resource and a scope.
struct Group<'a> {
    resource: Rc<Resource<'a>>,
    scope: Option<Value<'a>>,
    records: Vec<Value<'a>>,
}

/// What a resource says of itself, and how long that is.
#[derive(Default)]
struct Resource<'a> {
    attributes: Members<'a>,
    bytes: usize,
}

impl<'a> Records<'a> {
    /// The records of a line that is a request with any.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let inside = line.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
        if !MARKS.iter().any(|mark| inside.starts_with(mark)) || line.len() > REQUEST_BYTES_MAX {
            return None;
        }
        let request = json::parse(std::str::from_utf8(line).ok()?, DEPTH_MAX).ok()?;
        let mut groups = Vec::new();
        for resource_logs in list(request, &["resourceLogs", "resource_logs"]) {
            groups.extend(groups_of(resource_logs));
        }
        groups.iter().any(|group| !group.records.is_empty()).then(|| Self {
            groups: groups.into_iter(),
            records: Vec::new().into_iter(),
            resource: Rc::default(),
            scope: None,
            copies_left: COPIES_MAX * line.len(),
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let record = loop {
            match self.records.next() {
                Some(record) => break record,
                None => {
                    let group = self.groups.next()?;
                    (self.resource, self.scope) = (group.resource, group.scope);
                    self.records = group.records.into_iter();
                }
            }
        };
        let mut members = flat(record);
        match self.copies_left.checked_sub(self.resource.bytes) {
            Some(left) => {
                self.copies_left = left;
                members.extend(self.resource.attributes.iter().cloned());
            }
            None => members.push(("otlp.resource_left_out".into(), Value::True)),
        }
        members.extend(self.scope.clone().map(|scope| ("otlp.scope".into(), scope)));
        let mut line = String::with_capacity(512);
        write_json_object(&members, &mut line);
        Some(line.into_bytes())
    }
}

fn groups_of<'a>(mut resource_logs: Value<'a>) -> Vec<Group<'a>> {
    let resource = Rc::new(Resource::of(resource_logs.take("resource").unwrap_or(Value::Null)));
    let group = |mut scope_logs: Value<'a>| {
        let scope = scope_logs.take("scope").and_then(|mut scope| scope.take("name"));
        // A name is short; what is not is none.
        let scope = scope.filter(|name| matches!(name, Value::Text(name) if name.len() <= SCOPE_BYTES_MAX));
        let records = list(scope_logs, &["logRecords", "log_records"]);
        Group { resource: Rc::clone(&resource), scope, records }
    };
    list(resource_logs, &["scopeLogs", "scope_logs"]).into_iter().map(group).collect()
}

impl<'a> Resource<'a> {
    fn of(value: Value<'a>) -> Self {
        let named = |(name, value)| (Cow::Owned(format!("resource.{name}")), value);
        let attributes: Members<'a> = attributes(value).into_iter().map(named).collect();
        let mut json = String::new();
        write_json_object(&attributes, &mut json);
        Self { attributes, bytes: json.len() }
    }
}

/// A record as the members of one object; what we name ourselves comes last, and so counts.
fn flat(mut record: Value<'_>) -> Members<'_> {
    let body = record.take("body");
    let own: Vec<_> = OWN
        .iter()
        .filter_map(|(name, camel, snake)| {
            let value = record.take(camel).or_else(|| record.take(snake))?;
            let is_unknown = matches!(&value, Value::Text(text) if text.is_empty() || text == "0");
            (!is_unknown && value != Value::Int(0)).then_some((Cow::Borrowed(*name), value))
        })
        .collect();
    let mut members = attributes(record);
    // Where nobody knows when it happened, what counts is when it was seen.
    let [time, observed] = [OWN[0].0, OWN[1].0].map(|name| own.iter().find(|(own, _)| own == name));
    members
        .extend(observed.filter(|_| time.is_none()).map(|(_, seen)| (Cow::Borrowed(OWN[0].0), seen.clone())));
    members.extend(own);
    members.extend(body.map(any_value).map(|body| (Cow::Borrowed("otlp.body"), as_line(body))));
    members
}

/// A body that is an object may be a line of a source that writes such objects.
fn as_line(body: Value<'_>) -> Value<'_> {
    match body {
        Value::Object(members) => {
            let mut json = String::new();
            write_json_object(&members, &mut json);
            Value::Text(Cow::Owned(json))
        }
        other => other,
    }
}

/// The attributes of a record or resource.
fn attributes(of: Value<'_>) -> Members<'_> {
    key_values(list(of, &["attributes"]))
}

fn key_values<'a>(pairs: Vec<Value<'a>>) -> Members<'a> {
    let pair = |mut pair: Value<'a>| {
        let (Some(Value::Text(key)), value) = (pair.take("key"), pair.take("value")) else { return None };
        Some((key, any_value(value.unwrap_or(Value::Null))))
    };
    // Protocol Buffers' `values` may be missing, and an attribute without a key says nothing.
    pairs.into_iter().filter_map(pair).collect()
}

/// What an `AnyValue` holds.
fn any_value(value: Value<'_>) -> Value<'_> {
    let Value::Object(members) = value else { return value };
    let Some((kind, held)) = members.into_iter().next() else { return Value::Null };
    match (&*kind, held) {
        ("intValue" | "int_value", Value::Text(number)) => match number.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(number),
        },
        ("arrayValue" | "array_value", held) => {
            Value::List(list(held, &["values"]).into_iter().map(any_value).collect())
        }
        ("kvlistValue" | "kvlist_value", held) => Value::Object(key_values(list(held, &["values"]))),
        (_, held) => held,
    }
}

/// The items of a list under one of its names.
fn list<'a>(mut of: Value<'a>, names: &[&str]) -> Vec<Value<'a>> {
    match names.iter().find_map(|name| of.take(name)) {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(request: &str) -> Vec<String> {
        let records = Records::of(request.as_bytes()).into_iter().flatten();
        records.map(|line| String::from_utf8(line).expect("text")).collect()
    }

    #[test]
    fn each_record_is_a_flat_object() {
        let request = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},
            "scopeLogs":[{"scope":{"name":"audit"},"logRecords":[
                {"timeUnixNano":"1773480413589000000","body":{"stringValue":"hello"},"severityNumber":9,
                 "attributes":[{"key":"status","value":{"intValue":"201"}},
                               {"key":"tags","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":0.5}]}}}]},
                {"timeUnixNano":"0","observedTimeUnixNano":"2","body":{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}}]}}}
            ]}]}]}"#;
        assert_eq!(
            lines(request),
            [
                r#"{"status":201,"tags":[true,0.5],"otlp.time_unix_nano":"1773480413589000000","otlp.severity_number":9,"otlp.body":"hello","resource.service.name":"api","otlp.scope":"audit"}"#,
                r#"{"otlp.time_unix_nano":"2","otlp.observed_time_unix_nano":"2","otlp.body":"{\"a\":\"b\"}","resource.service.name":"api","otlp.scope":"audit"}"#,
            ]
        );
    }

    #[test]
    fn an_attribute_cannot_speak_for_the_record() {
        let request = r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"event_name":"a","attributes":[
            {"key":"otlp.event_name","value":{"stringValue":"forged"}}]}]}]}]}"#;
        assert_eq!(lines(request), [r#"{"otlp.event_name":"forged","otlp.event_name":"a"}"#]);
    }

    #[test]
    fn a_large_resource_is_not_repeated_for_ever() {
        let record = r#"{"body":{"stringValue":"x"}}"#;
        let request = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"k","value":{{"stringValue":"{}"}}}}]}},"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
            "y".repeat(10_000),
            vec![record; 1_000].join(",")
        );
        let lines = lines(&request);
        assert_eq!(lines.len(), 1_000);
        assert!(lines.iter().map(String::len).sum::<usize>() < 6 * request.len());
        assert!(lines[999].contains(r#""otlp.resource_left_out":true"#));
    }

    #[test]
    fn what_is_no_request_is_left_alone() {
        for line in ["", "{}", r#"{"resourceLogs":[]}"#, r#"{"resourceLogs":[{}]}"#, r#"{"resourceLogs":"#] {
            assert!(Records::of(line.as_bytes()).is_none(), "{line}");
        }
    }
}
