//! Where in a file of rules each key stands.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of each key, from 1, by its path: `partners.prt_acme.ttl_ms`, `examples[1].lines`.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Those of a text that was found to be TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.add(text, "", table.get_ref());
        }
        lines
    }

    /// The line of a key; where it does not stand in the file, that of what it would lie in.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once(['.', '['])?.0;
        }
    }

    fn add(&mut self, text: &str, within: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = if within.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{within}.{}", key.get_ref())
            };
            self.0.insert(path.clone(), line_at(text, key.span().start));
            self.add_inside(text, &path, value);
        }
    }

    fn add_inside(&mut self, text: &str, path: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.add(text, path, table),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = format!("{path}[{n}]");
                    self.0.insert(path.clone(), line_at(text, item.span().start));
                    self.add_inside(text, &path, item);
                }
            }
            _ => {}
        }
    }
}

/// The line that a byte lies in, from 1.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}
