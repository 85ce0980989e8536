//! Reads YAML key by key, so that every complaint can name the file, the key and the cure.

use serde_yaml_ng::Value;

use super::SchemaError;

/// One value of a file and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Entry<'y> {
    value: &'y Value,
    at: &'y Place<'y>,
}

/// A chain of keys down to a value.
struct Place<'y> {
    file: &'y str,
    key: String,
}

/// The members of a mapping, by key.
pub(super) struct Members {
    file: String,
    key: String,
    members: Vec<(String, Value)>,
}

impl Members {
    /// The top of a file.
    pub(super) fn of_file(file: &str, yaml: &str) -> Result<Self, SchemaError> {
        let value: Value = serde_yaml_ng::from_str(yaml).map_err(|error| SchemaError {
            file: file.to_owned(),
            line: error.location().map(|location| location.line()),
            key: "file".to_owned(),
            problem: error.to_string(),
            cure: "write valid YAML; `schemas/partner/schema.yaml` is an example".to_owned(),
        })?;
        let at = Place { file, key: "file".to_owned() };
        let mut members = Entry { value: &value, at: &at }.members()?;
        members.key.clear();
        Ok(members)
    }

    /// Refuses keys that mean nothing here.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), SchemaError> {
        match self.members.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, _)) => Err(SchemaError {
                file: self.file.clone(),
                line: None,
                key: self.path(key),
                problem: "unknown key".to_owned(),
                cure: format!("use one of: {}", known.join(", ")),
            }),
        }
    }

    /// Calls `read` with the value of a key, if it is there.
    pub(super) fn get<T>(
        &self,
        key: &str,
        read: impl FnOnce(Entry<'_>) -> Result<T, SchemaError>,
    ) -> Result<Option<T>, SchemaError> {
        let Some((_, value)) = self.members.iter().find(|(name, _)| name == key) else { return Ok(None) };
        let at = Place { file: &self.file, key: self.path(key) };
        read(Entry { value, at: &at }).map(Some)
    }

    /// Calls `read` with the value of a key that has to be there.
    pub(super) fn need<T>(
        &self,
        key: &str,
        cure: &str,
        read: impl FnOnce(Entry<'_>) -> Result<T, SchemaError>,
    ) -> Result<T, SchemaError> {
        self.get(key, read)?.ok_or_else(|| SchemaError {
            file: self.file.clone(),
            line: None,
            key: self.path(key),
            problem: "missing key".to_owned(),
            cure: cure.to_owned(),
        })
    }

    /// Calls `read` with each key and value in the file's order.
    pub(super) fn each(
        &self,
        mut read: impl FnMut(&str, Entry<'_>) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        for (key, value) in &self.members {
            let at = Place { file: &self.file, key: self.path(key) };
            read(key, Entry { value, at: &at })?;
        }
        Ok(())
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.members.iter().any(|(name, _)| name == key)
    }

    fn path(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }
}

impl Entry<'_> {
    /// A complaint about this value.
    pub(super) fn wrong(&self, problem: impl Into<String>, cure: impl Into<String>) -> SchemaError {
        SchemaError {
            file: self.at.file.to_owned(),
            line: None,
            key: self.at.key.clone(),
            problem: problem.into(),
            cure: cure.into(),
        }
    }

    /// The members of a mapping.
    pub(super) fn members(&self) -> Result<Members, SchemaError> {
        let Value::Mapping(mapping) = self.value else {
            return Err(self.wrong("not a mapping", "write `key: value` lines"));
        };
        let mut members = Vec::with_capacity(mapping.len());
        for (key, value) in mapping {
            let key = scalar(key).ok_or_else(|| self.wrong("a key that is not text", "quote the key"))?;
            members.push((key, value.clone()));
        }
        Ok(Members { file: self.at.file.to_owned(), key: self.at.key.clone(), members })
    }

    /// Whether the value is a mapping.
    pub(super) fn is_mapping(&self) -> bool {
        self.value.is_mapping()
    }

    /// A text; a number or truth value counts as its text.
    pub(super) fn text(&self) -> Result<String, SchemaError> {
        scalar(self.value).ok_or_else(|| self.wrong("not a text", "write one word or a quoted text"))
    }

    /// A whole number.
    pub(super) fn number(&self) -> Result<i64, SchemaError> {
        self.value.as_i64().ok_or_else(|| self.wrong("not a whole number", "write a number without quotes"))
    }

    /// A list of texts, or one text.
    pub(super) fn texts(&self) -> Result<Vec<String>, SchemaError> {
        match self.value {
            Value::Sequence(_) => self.items(|item| item.text()),
            _ => Ok(vec![self.text()?]),
        }
    }

    /// Each item of a list.
    pub(super) fn items<T>(
        &self,
        mut read: impl FnMut(Entry<'_>) -> Result<T, SchemaError>,
    ) -> Result<Vec<T>, SchemaError> {
        let Value::Sequence(items) = self.value else {
            return Err(self.wrong("not a list", "write `- item` lines or [item, item]"));
        };
        let mut read_items = Vec::with_capacity(items.len());
        for (n, value) in items.iter().enumerate() {
            let at = Place { file: self.at.file, key: format!("{}[{n}]", self.at.key) };
            read_items.push(read(Entry { value, at: &at })?);
        }
        Ok(read_items)
    }

    /// One of the named things.
    pub(super) fn one_of<T: Copy>(&self, what: &str, names: &[(&str, T)]) -> Result<T, SchemaError> {
        let text = self.text()?;
        names.iter().find(|(name, _)| *name == text).map(|(_, thing)| *thing).ok_or_else(|| {
            let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            self.wrong(format!("no {what} is named `{text}`"), format!("use one of: {}", known.join(", ")))
        })
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
