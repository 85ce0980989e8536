//! Statements that try to read another partner's rows, made up without end.
//!
//! A grammar, not a list: what somebody thought of is tried in the lists beside the walls' tests, and what
//! nobody thought of is tried here. Each statement is one that may be asked, over tables that all have the column
//! `tenant`; the other partner's name stands in conditions alone, never among what is selected, so that an answer
//! in which it stands is an answer from the other's rows.

use crate::traffic::dice::Dice;

/// How deep statements stand in each other.
const DEPTH_MAX: u32 = 3;

/// Who asks, whose rows are wanted, and of which tables.
pub struct Escapes<'a> {
    own: &'a str,
    other: &'a str,
    tables: &'a [&'a str],
    dice: Dice,
    names: usize,
}

impl<'a> Escapes<'a> {
    /// The same seed makes the same statements.
    pub fn new(seed: u64, own: &'a str, other: &'a str, tables: &'a [&'a str]) -> Self {
        Self { own, other, tables, dice: Dice::new(seed), names: 0 }
    }

    /// A query that selects one column, named `tenant`.
    fn query(&mut self, depth: u32) -> String {
        let deep = depth < DEPTH_MAX;
        match self.dice.below(if deep { 10 } else { 6 }) {
            0..=5 => self.select(depth),
            6 => {
                let how = *self.dice.pick(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]);
                format!("{} {how} {}", self.bracketed(depth + 1), self.bracketed(depth + 1))
            }
            7 => {
                // A common table may hide one of ours behind its own name.
                let name = *self.dice.pick(self.tables);
                let inner = self.query(depth + 1);
                format!("WITH {name} AS ({inner}) {}", self.select(DEPTH_MAX))
            }
            8 => {
                let name = self.name();
                let inner = self.query(depth + 1);
                format!(
                    "WITH {name} AS ({inner}), b_{name} AS (SELECT tenant FROM {name}) SELECT tenant FROM b_{name}"
                )
            }
            _ => {
                let inner = self.query(depth + 1);
                let name = self.name();
                format!(
                    "SELECT {name}.tenant FROM ({inner}) AS {name} WHERE {}",
                    self.condition(&name, depth + 1)
                )
            }
        }
    }

    fn bracketed(&mut self, depth: u32) -> String {
        format!("({})", self.query(depth))
    }

    fn select(&mut self, depth: u32) -> String {
        let name = self.name();
        let from = self.from(&name, depth);
        let condition = self.condition(&name, depth);
        let what = match self.dice.below(9) {
            0 => format!("max({name}.tenant)"),
            1 => format!("min({name}.tenant)"),
            2 => format!("array_to_string(array_agg(DISTINCT {name}.tenant), ' ')"),
            3 => format!("string_agg({name}.tenant, ',')"),
            4 => format!("first_value({name}.tenant) OVER (ORDER BY {name}.tenant DESC)"),
            5 => format!("lag({name}.tenant) OVER (ORDER BY {name}.tenant)"),
            6 => format!("CASE WHEN {condition} THEN {name}.tenant ELSE {name}.tenant END"),
            7 => format!("upper(concat({name}.tenant, ' '))"),
            _ => format!("{name}.tenant"),
        };
        let condition = self.condition(&name, depth);
        let rest = match self.dice.below(5) {
            0 if what == format!("{name}.tenant") => format!(" GROUP BY {name}.tenant HAVING count(*) >= 0"),
            1 if what == format!("{name}.tenant") => format!(" ORDER BY {name}.tenant DESC LIMIT 50"),
            2 => " LIMIT 100".to_owned(),
            _ => String::new(),
        };
        format!("SELECT {what} AS tenant FROM {from} WHERE {condition}{rest}")
    }

    fn from(&mut self, name: &str, depth: u32) -> String {
        let table = self.table();
        if depth >= DEPTH_MAX {
            return format!("{table} AS {name}");
        }
        match self.dice.below(7) {
            0 => format!("({}) AS {name}", self.query(depth + 1)),
            1 => {
                let how = *self.dice.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                let (second, on) = (self.table(), *self.dice.pick(&["<>", "=", "<", ">="]));
                format!("{table} AS {name} {how} {second} AS o_{name} ON {name}.tenant {on} o_{name}.tenant")
            }
            2 => {
                let second = self.table();
                format!("{table} AS {name} CROSS JOIN (SELECT tenant AS t FROM {second} LIMIT 3) AS o_{name}")
            }
            _ => format!("{table} AS {name}"),
        }
    }

    fn table(&mut self) -> String {
        let table = *self.dice.pick(self.tables);
        match self.dice.below(6) {
            0 => format!("public.{table}"),
            1 => format!("watchfire.public.{table}"),
            2 => format!("\"{table}\""),
            _ => table.to_owned(),
        }
    }

    fn condition(&mut self, name: &str, depth: u32) -> String {
        let (own, other) = (self.own, self.other);
        let column = format!("{name}.tenant");
        let deep = depth < DEPTH_MAX;
        match self.dice.below(if deep { 20 } else { 14 }) {
            0 => format!("{column} = '{other}'"),
            1 => format!("{column} <> '{own}'"),
            2 => format!("{column} LIKE '%'"),
            3 => format!("NOT ({column} = '{own}')"),
            4 => format!("{column} IN ('{own}', '{other}')"),
            5 => format!("{column} BETWEEN 'a' AND 'zzz'"),
            6 => format!("coalesce({column}, '') || '' = '{other}'"),
            7 => format!("CAST({column} AS VARCHAR) IS NOT NULL"),
            8 => format!("CASE WHEN {column} = '{own}' THEN false ELSE true END"),
            9 => format!("reverse(reverse({column})) = '{other}'"),
            10 => format!("substr({column}, 1, 4) = 'prt_'"),
            11 => format!("regexp_like({column}, '^prt_')"),
            12 => format!("starts_with({column}, '{other}')"),
            13 => "1 = 1".to_owned(),
            14 => format!("({} OR {})", self.condition(name, depth + 1), self.condition(name, depth + 1)),
            15 => format!("({} AND {})", self.condition(name, depth + 1), self.condition(name, depth + 1)),
            16 => format!("{column} IN ({})", self.query(depth + 1)),
            17 => format!("EXISTS ({})", self.query(depth + 1)),
            18 => {
                let (table, inner) = (self.table(), self.name());
                format!("EXISTS (SELECT 1 FROM {table} AS {inner} WHERE {inner}.tenant <> {column})")
            }
            _ => {
                let (table, inner) = (self.table(), self.name());
                format!("{column} >= (SELECT min({inner}.tenant) FROM {table} AS {inner})")
            }
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }
}

impl Iterator for Escapes<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.names = 0;
        Some(self.query(0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn thousand(seed: u64) -> Vec<String> {
        Escapes::new(seed, "prt_acme", "prt_rival", &["events", "alerts"]).take(1_000).collect()
    }

    #[test]
    fn a_seed_makes_the_same_statements_and_hardly_one_twice() {
        assert_eq!(thousand(7), thousand(7));
        let apart: BTreeSet<String> = thousand(7).into_iter().collect();
        assert!(apart.len() > 900, "{}", apart.len());
    }

    #[test]
    fn the_others_name_is_never_among_what_is_selected() {
        for sql in thousand(8) {
            for selected in sql.split("SELECT ").skip(1) {
                let selected = selected.split(" AS tenant").next().unwrap_or_default();
                let compared = selected.contains("CASE WHEN");
                assert!(
                    compared || !selected.split(" FROM ").next().unwrap_or_default().contains("rival"),
                    "{sql}"
                );
            }
        }
    }
}
