//! The members of a line put where they belong while they are read, with no tree of them in between.
//!
//! That goes as long as no key comes twice: what stands in its place need not be taken back then. Where one
//! does, where a number is out of the ordinary, and where the line is not what it should be, this gives
//! up, and the tree says what is so. So it need not know why, and takes nothing that the tree does not.

use std::borrow::Cow;

use super::scanner::Scanner;
use super::{Child, Node, Shape, by_place, dotted};
use crate::fields::{Fields, Value, has_equal_keys};

/// The fields of a line, unless it takes a closer look to tell them.
pub(super) fn read<'a>(line: &'a str, shape: &Shape, depth_max: usize) -> Option<Fields<'a>> {
    let mut scanner = Scanner::new(line, depth_max)?;
    let mut placed = Placed { fields: Fields::with_slots(shape.slots), entered: 0 };
    placed.object(&mut scanner, &shape.root, "")?;
    scanner.end()?;
    let is_once = !placed.fields.duplicate_key && !has_equal_keys(&placed.fields.rest);
    is_once.then_some(placed.fields)
}

/// So many fields that nobody asked for have room from the start.
const FEW: usize = 8;

/// What was put in its place so far.
struct Placed<'a> {
    fields: Fields<'a>,
    /// One bit for each object of the shape that the line has.
    entered: u128,
}

impl<'a> Placed<'a> {
    /// Reads an object of the shape, which a line has once.
    fn object(&mut self, scanner: &mut Scanner<'a>, node: &Node, path: &str) -> Option<()> {
        self.enter(node)?;
        scanner.members(|scanner, key| match node.children.get(&*key) {
            Some(Child::Slot(slot)) => {
                let value = scanner.value()?;
                self.fill(*slot, value)
            }
            Some(Child::Object(node)) if scanner.is_at(b'{') => {
                self.object(scanner, node, &dotted(path, key))
            }
            Some(Child::Object(node)) if node.is_asked_by_place && scanner.is_at(b'[') => {
                let Value::List(items) = scanner.value()? else { return None };
                self.enter(node)?;
                by_place(items, node, &dotted(path, key), &mut self.fields);
                Some(())
            }
            child => {
                if let Some(Child::Object(node)) = child {
                    self.enter(node)?;
                }
                let value = scanner.value()?;
                self.keep(dotted(path, key), value)
            }
        })
    }

    fn enter(&mut self, node: &Node) -> Option<()> {
        let bit = 1_u128.checked_shl(node.number).filter(|bit| self.entered & bit == 0)?;
        self.entered |= bit;
        Some(())
    }

    fn fill(&mut self, slot: usize, mut value: Value<'a>) -> Option<()> {
        self.fields.duplicate_key |= value.last_key_wins();
        self.fields.slots[slot].replace(value).is_none().then_some(())
    }

    fn keep(&mut self, path: Cow<'a, str>, mut value: Value<'a>) -> Option<()> {
        self.fields.duplicate_key |= value.last_key_wins();
        if self.fields.rest.is_empty() {
            self.fields.rest.reserve(FEW);
        }
        self.fields.rest.push((path, value));
        Some(())
    }
}
