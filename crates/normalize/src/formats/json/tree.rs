//! One JSON value as a tree, no deeper than it may be.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use event::RejectReason;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::Unreadable;
use super::scanner::Scanner;
use crate::fields::Value;

/// Parses one JSON value that fills the line.
pub(crate) fn parse(line: &str, depth_max: usize) -> Result<Value<'_>, Unreadable> {
    match ordinary(line, depth_max) {
        Some(value) => Ok(value),
        None => any(line, depth_max),
    }
}

/// The value of any line.
pub(super) fn any(line: &str, depth_max: usize) -> Result<Value<'_>, Unreadable> {
    let too_deep = Cell::new(false);
    let mut parser = sonic_rs::Deserializer::from_str(line);
    let parsed = Tree::new(depth_max, &too_deep)
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    parsed.map_err(|_| match too_deep.get() {
        true => Unreadable::new(RejectReason::TooDeep, "brackets nest deeper than a line may"),
        // The parser's own words quote the line, so they are not repeated.
        false => Unreadable::new(RejectReason::InvalidJson, "the line is not valid JSON"),
    })
}

/// The value of a line that has nothing out of the ordinary.
fn ordinary(line: &str, depth_max: usize) -> Option<Value<'_>> {
    let mut scanner = Scanner::new(line, depth_max)?;
    let value = scanner.value()?;
    scanner.end().map(|()| value)
}

/// How many members a line's own object has room for from the start. Those beneath it grow as they
/// need: a list of empty objects may have as many as the line has bytes.
const MEMBERS: usize = 16;

/// Builds a tree, no deeper than it may be.
#[derive(Clone, Copy)]
struct Tree<'t> {
    depth_left: usize,
    members: usize,
    too_deep: &'t Cell<bool>,
}

impl<'t> Tree<'t> {
    fn new(depth_max: usize, too_deep: &'t Cell<bool>) -> Self {
        Self { depth_left: depth_max, members: MEMBERS, too_deep }
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, members: 0, ..self }),
            None => {
                self.too_deep.set(true);
                Err(E::custom("too deep"))
            }
        }
    }
}

impl<'a> DeserializeSeed<'a> for Tree<'_> {
    type Value = Value<'a>;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Tree<'_> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'a>, E> {
        Ok(if value { Value::True } else { Value::False })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'a>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'a>, E> {
        Ok(i64::try_from(value).map_or(Value::Unsigned(value), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'a>, E> {
        if value.is_finite() { Ok(Value::Float(value)) } else { Err(E::custom("a number that is none")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Value<'a>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        let inner = self.deeper()?;
        let mut members = Vec::with_capacity(self.members);
        while let Some(key) = map.next_key_seed(Key)? {
            members.push((key, map.next_value_seed(inner)?));
        }
        Ok(Value::Object(members))
    }
}

/// A key, borrowed from the line where it has no escapes.
struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Key {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(value))
    }
}
