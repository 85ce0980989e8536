//! What a description says a line means: constants for columns, flags, observations.

use std::borrow::Cow;

use event::EventRow;
use hashbrown::HashMap;

use crate::columns::{Cell, Column};
use crate::fields::Fields;
use crate::mapping::text_of;
use crate::observe::Observe;

/// Constants and what a detector may count.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) constants: Vec<(Column, Constant)>,
    pub(crate) flags: Vec<String>,
    pub(crate) observe: Observe,
}

/// A constant of the column's kind.
#[derive(Debug)]
pub(crate) enum Constant {
    Text(String),
    Number(i64),
}

impl Settings {
    /// Sets the columns that nothing has set yet; so what is more specific is applied first.
    pub(crate) fn apply<'a>(&'a self, row: &mut EventRow<'a>, observe: &mut Observe) {
        for (column, constant) in &self.constants {
            match (column.cell, constant) {
                (Cell::Text(of), Constant::Text(text)) => {
                    of(row).get_or_insert(Cow::Borrowed(text));
                }
                (Cell::Int(of), Constant::Number(number)) => {
                    of(row).get_or_insert(i32::try_from(*number).unwrap_or(i32::MAX));
                }
                (Cell::Long(of), Constant::Number(number)) => {
                    of(row).get_or_insert(*number);
                }
                // The schema's reader refuses a constant of another kind than its column's.
                _ => {}
            }
        }
        row.flags.extend(self.flags.iter().map(|flag| Cow::Borrowed(flag.as_str())));
        observe.merge(&self.observe);
    }
}

/// Settings that depend on the value of a column or of a field that no column takes.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) on: On,
    /// The table is only for rows whose columns have one of these values.
    pub(crate) only: Vec<(Column, Vec<String>)>,
    pub(crate) cases: HashMap<String, Settings>,
    /// Where there is no value; `otherwise` counts where this is not given.
    pub(crate) missing: Option<Settings>,
    pub(crate) otherwise: Option<Settings>,
}

/// Whose value decides.
#[derive(Debug)]
pub(crate) enum On {
    Column(Column),
    Slot(usize),
}

impl Table {
    /// Applies the case of the line's value, if there is one.
    pub(crate) fn apply<'a>(&'a self, row: &mut EventRow<'a>, fields: &Fields<'_>, observe: &mut Observe) {
        let meant = self.only.iter().all(|(column, values)| {
            column_text(column, row).is_some_and(|value| values.iter().any(|allowed| allowed == value))
        });
        if !meant {
            return;
        }
        let there = match &self.on {
            On::Column(column) => column.is_set(row),
            On::Slot(slot) => fields.slots[*slot].is_some(),
        };
        let settings = match there {
            true => self.case(row, fields).or(self.otherwise.as_ref()),
            false => self.missing.as_ref().or(self.otherwise.as_ref()),
        };
        if let Some(settings) = settings {
            settings.apply(row, observe);
        }
    }

    fn case(&self, row: &mut EventRow<'_>, fields: &Fields<'_>) -> Option<&Settings> {
        match &self.on {
            On::Slot(slot) => self.cases.get(&*text_of(fields.slots[*slot].as_ref()?)?),
            On::Column(column) => match column.cell {
                Cell::Text(of) => self.cases.get(of(row).as_deref()?),
                Cell::Int(of) => self.case_of(of(row).as_ref().copied()?),
                Cell::Long(_) | Cell::Float(_) | Cell::Time(_) => None,
            },
        }
    }

    /// The case of a number: its own, or that of its class as in `4xx`.
    fn case_of(&self, number: i32) -> Option<&Settings> {
        let digits: [u8; 3] = match u16::try_from(number) {
            Ok(n @ 100..=999) => [b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8],
            _ => return self.cases.get(number.to_string().as_str()),
        };
        let class = [digits[0], b'x', b'x'];
        let case = |name: &[u8]| self.cases.get(std::str::from_utf8(name).ok()?);
        case(&digits).or_else(|| case(&class))
    }
}

fn column_text<'r>(column: &Column, row: &'r mut EventRow<'_>) -> Option<&'r str> {
    match column.cell {
        Cell::Text(of) => of(row).as_deref(),
        _ => None,
    }
}
