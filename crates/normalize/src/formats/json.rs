//! JSON: one parse whose verdict counts for everything that follows.
//!
//! Ordinary lines are read by a scanner that puts values where they belong; what it gives up on becomes a
//! tree, built by our own visitor on sonic-rs. Either is a recursion of ours that stops at the depth limit:
//! sonic-rs and simd-json can abort the process on deep nesting. Keys that occur twice are seen by both;
//! parsers disagree on which counts, and here it is the last, always.

mod direct;
mod scanner;
mod tree;

pub(crate) use tree::parse;

use std::borrow::Cow;

use event::RejectReason;
use hashbrown::HashMap;

use super::Unreadable;
use crate::fields::{Fields, Value, keep_last};

/// Which paths of a JSON object have which slots.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    root: Node,
    slots: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Child>,
    /// Which of the shape's objects it is.
    number: u32,
    /// Whether a path names a member by its place in a list, as `target.0.id` does.
    is_asked_by_place: bool,
}

#[derive(Debug)]
enum Child {
    Slot(usize),
    Object(Node),
}

impl Shape {
    /// Slots for dotted paths; path `n` of the sorted list has slot `n`. A dotted key at the top
    /// means the same as the nested path. The error is a path that lies inside another.
    pub(crate) fn of(paths: &[String]) -> Result<Self, String> {
        let mut root = Node::default();
        for (slot, path) in paths.iter().enumerate() {
            root.insert(path, slot).ok_or_else(|| path.clone())?;
            if path.contains('.') {
                root.children.insert(path.as_str().into(), Child::Slot(slot));
            }
        }
        root.number(&mut 0);
        Ok(Self { root, slots: paths.len() })
    }

    /// Slots for names as they are, dots or not, of a format whose fields do not nest.
    pub(crate) fn flat(names: &[String]) -> Self {
        let children =
            names.iter().enumerate().map(|(slot, name)| (name.as_str().into(), Child::Slot(slot))).collect();
        Self { root: Node { children, ..Node::default() }, slots: names.len() }
    }

    /// Whether a name of the top has a slot.
    pub(crate) fn asks(&self, name: &str) -> bool {
        matches!(self.root.children.get(name), Some(Child::Slot(_)))
    }

    /// Puts the members of an object into slots and rest.
    pub(crate) fn distribute<'a>(&self, members: Vec<(Cow<'a, str>, Value<'a>)>, fields: &mut Fields<'a>) {
        distribute(members, &self.root, "", fields);
        for (_, value) in &mut fields.rest {
            fields.duplicate_key |= value.last_key_wins();
        }
        fields.duplicate_key |= keep_last(&mut fields.rest);
    }
}

impl Node {
    /// Gives this and every object in it a number.
    fn number(&mut self, next: &mut u32) {
        self.number = std::mem::replace(next, *next + 1);
        self.is_asked_by_place =
            self.children.keys().any(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        for child in self.children.values_mut() {
            if let Child::Object(node) = child {
                node.number(next);
            }
        }
    }

    fn insert(&mut self, path: &str, slot: usize) -> Option<()> {
        let Some((first, rest)) = path.split_once('.') else {
            return self.children.insert(path.into(), Child::Slot(slot)).is_none().then_some(());
        };
        match self.children.entry(first.into()).or_insert_with(|| Child::Object(Node::default())) {
            Child::Slot(_) => None,
            Child::Object(node) => node.insert(rest, slot),
        }
    }
}

/// Parses a line and puts what it holds into slots and rest.
pub(crate) fn read<'a>(line: &'a str, shape: &Shape, depth_max: usize) -> Result<Fields<'a>, Unreadable> {
    match direct::read(line, shape, depth_max) {
        Some(fields) => Ok(fields),
        None => by_tree(line, shape, depth_max),
    }
}

/// The same by way of a tree, from which everything can be told.
fn by_tree<'a>(line: &'a str, shape: &Shape, depth_max: usize) -> Result<Fields<'a>, Unreadable> {
    let Value::Object(members) = tree::any(line, depth_max)? else {
        return Err(Unreadable::new(RejectReason::InvalidJson, "the line holds JSON that is not an object"));
    };
    let mut fields = Fields::with_slots(shape.slots);
    shape.distribute(members, &mut fields);
    Ok(fields)
}

/// Puts the members of an object where they belong. Which of equal keys counts is settled before
/// anything is put anywhere, so that nothing has to be taken back.
fn distribute<'a>(
    mut members: Vec<(Cow<'a, str>, Value<'a>)>,
    node: &Node,
    prefix: &str,
    fields: &mut Fields<'a>,
) {
    fields.duplicate_key |= keep_last(&mut members);
    for (key, mut value) in members {
        match (node.children.get(&*key), value) {
            (Some(Child::Slot(slot)), found) => {
                value = found;
                fields.duplicate_key |= value.last_key_wins();
                fields.duplicate_key |= fields.slots[*slot].replace(value).is_some();
            }
            (Some(Child::Object(child)), Value::Object(inner)) => {
                let path = dotted(prefix, key);
                distribute(inner, child, &path, fields);
            }
            (Some(Child::Object(child)), Value::List(items)) if child.is_asked_by_place => {
                by_place(items, child, &dotted(prefix, key), fields);
            }
            (_, found) => fields.rest.push((dotted(prefix, key), found)),
        }
    }
}

/// Distributes a list whose items are asked for by their places.
fn by_place<'a>(items: Vec<Value<'a>>, node: &Node, prefix: &str, fields: &mut Fields<'a>) {
    let named = |(place, item): (usize, Value<'a>)| (Cow::Owned(place.to_string()), item);
    distribute(items.into_iter().enumerate().map(named).collect(), node, prefix, fields);
}

fn dotted<'a>(prefix: &str, key: Cow<'a, str>) -> Cow<'a, str> {
    if prefix.is_empty() { key } else { Cow::Owned([prefix, ".", &*key].concat()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_in_its_place_at_once_is_what_the_tree_tells(
            line in r#"(\{|\}|\[|\]|,|\{"a":1\}|"(event|http|method|status|http\.status|a|0|id|more)":|-?[0-9]{1,2}(\.[0-9]{0,2})?(e1)?|[0-9]{17,20}|true|nul|null|"x"|"\\n"| ){1,30}"#,
            closed in r#"\{("(event|http|a|http\.status|more)":(-?[0-9]{1,2}(\.[0-9]{0,2})?(e1)?| [0-9]{17,20}|null|"x\\(n|u00e9|x|")"|"é" |"x"|\[\{"id":1\},2\]|\{("(status|method|0|b)":(2|"y"|\{"id":3\}|\{"c":1,"c":2\}),){0,3}"z":0\}),){0,5}"end":[1-3]\}"#,
        ) {
            let paths = ["event", "http.method", "http.status", "more.0.id"].map(str::to_owned);
            let shape = Shape::of(&paths).expect("no path lies in another");
            for line in [line, closed] {
                if let Some(fields) = direct::read(&line, &shape, 4) {
                    prop_assert_eq!(Ok(fields), by_tree(&line, &shape, 4), "{}", line);
                }
            }
        }
    }

    #[test]
    fn an_ordinary_line_needs_no_tree() {
        let line = r#"{"event":"\u00e9","http":{"status":200,"took":0.042},"list":[1,{"a":null}],"on":true}"#;
        assert!(direct::read(line, &shape(), 64).is_some());
    }

    fn shape() -> Shape {
        let paths = ["event", "http.method", "http.status"].map(str::to_owned);
        Shape::of(&paths).expect("no path lies in another")
    }

    fn read_all(line: &str) -> Fields<'_> {
        read(line, &shape(), 64).expect("valid")
    }

    #[test]
    fn named_paths_go_to_slots_and_others_to_the_rest() {
        let fields = read_all(r#"{"event":"x","http":{"status":200,"tls":"1.3"},"more":[1]}"#);
        assert_eq!(fields.slots, [Some(Value::Text("x".into())), None, Some(Value::Int(200))]);
        assert_eq!(fields.rest[0], ("http.tls".into(), Value::Text("1.3".into())));
        assert_eq!(fields.rest[1], ("more".into(), Value::List(vec![Value::Int(1)])));
        assert!(!fields.duplicate_key);
    }

    #[test]
    fn a_dotted_key_means_the_nested_path() {
        assert_eq!(read_all(r#"{"http.status":200}"#).slots[2], Some(Value::Int(200)));
    }

    #[test]
    fn the_last_of_equal_keys_counts_wherever_they_stand() {
        for line in [
            r#"{"http":{"status":401,"status":200}}"#,
            r#"{"http":{"status":401,"method":"GET","x":1},"http":{"status":200}}"#,
        ] {
            let fields = read_all(line);
            assert_eq!(fields.slots[2], Some(Value::Int(200)), "{line}");
            assert!(fields.slots[1].is_none() && fields.rest.is_empty(), "{line}");
            assert!(fields.duplicate_key, "{line}");
        }
        let fields = read_all(r#"{"http":{"status":401},"http":"x"}"#);
        assert!(fields.duplicate_key && fields.slots[2].is_none());
        assert_eq!(fields.rest, [("http".into(), Value::Text("x".into()))]);
        let fields = read_all(r#"{"a":1,"a":2,"b":{"c":[{"d":1,"d":2}]}}"#);
        assert!(fields.duplicate_key);
        assert_eq!(fields.rest[0].1, Value::Int(2));
        let mut json = String::new();
        fields.rest[1].1.write_json(&mut json);
        assert_eq!(json, r#"{"c":[{"d":2}]}"#);
    }

    #[test]
    fn an_object_that_comes_again_and_again_takes_no_longer_than_its_bytes() {
        let others: String = (0..40_000).map(|n| format!("\"k{n}\":1,")).collect();
        let again = vec![r#""http":{"status":1}"#; 40_000].join(",");
        let line = format!("{{{others}{again}}}");
        let start = std::time::Instant::now();
        assert!(read_all(&line).duplicate_key);
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[test]
    fn an_empty_object_costs_no_more_than_its_place() {
        let Value::Object(top) = parse(r#"{"a":[{},{}]}"#, 8).expect("valid") else { panic!("an object") };
        let Value::List(items) = &top[0].1 else { panic!("a list") };
        for item in items {
            let Value::Object(members) = item else { panic!("an object") };
            assert_eq!(members.capacity(), 0);
        }
    }

    #[test]
    fn depth_ends_the_parse_and_not_the_process() {
        for open in ["[", "{\"a\":", "{\"event\":["] {
            let bomb = open.repeat(100_000);
            let error = read(&bomb, &shape(), 64).expect_err("too deep");
            assert_eq!(error.reason, RejectReason::TooDeep, "{open}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(63), "]".repeat(63));
        assert!(read(&deep, &shape(), 64).is_ok());
    }

    #[test]
    fn what_no_parser_should_accept_is_invalid() {
        for line in [
            r#"{"a":"\ud800"}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e400}"#,
            r#"{"a":1}{"#,
            r#"{"a":1"#,
            "{\"a\":\"\u{1}\"}",
            r#"{'a':1}"#,
            r#"{"a":01}"#,
            "[1]",
            "null",
        ] {
            let error = read(line, &shape(), 64).map(|_| line).expect_err(line);
            assert_eq!(error.reason, RejectReason::InvalidJson, "{line}");
        }
    }

    #[test]
    fn a_path_inside_another_is_refused() {
        let paths = ["http", "http.status"].map(str::to_owned);
        assert_eq!(Shape::of(&paths).expect_err("overlap"), "http.status");
    }
}
