//! How the layers of configuration lie on each other: defaults, file, variables, flags.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::Config;

const PREFIX: &str = "WATCHFIRE_";
/// Variables that begin like configuration but are something else.
const OTHERS: [&str; 5] =
    ["WATCHFIRE_CONFIG", "WATCHFIRE_TOKEN", "WATCHFIRE_URL", "WATCHFIRE_TEST_DATA", "WATCHFIRE_PYTHON"];

/// What flags and variables say, each under its dotted key.
#[derive(Debug, Default)]
pub(crate) struct Overrides(BTreeMap<String, Value>);

impl Overrides {
    /// Sets a key, if the flag was given.
    pub(crate) fn set(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
    }
}

/// Reads the configuration. `environment` is every variable of the process.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: Overrides,
) -> anyhow::Result<Config> {
    let mut table = match file {
        Some(path) => read(path)?,
        None => Table::new(),
    };
    for (key, value) in from_environment(environment, &table)?.0.into_iter().chain(flags.0) {
        put(&mut table, &key, value)?;
    }
    let mut config: Config = Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| anyhow::anyhow!("{}", error.message()))?;
    config.detect.detectors.validate().map_err(|why| anyhow::anyhow!("detect.detectors: {why}"))?;
    config.normalize.validate()?;
    super::partners::add(&mut config)?;
    super::partners::validate(&config)?;
    Ok(config)
}

/// Parses the file as a whole first, so that an error names the line.
fn read(path: &Path) -> anyhow::Result<Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let _checked: Config = toml::from_str(&text).with_context(|| format!("read {}", path.display()))?;
    Ok(toml::from_str(&text)?)
}

fn from_environment(
    environment: impl Iterator<Item = (String, String)>,
    file: &Table,
) -> anyhow::Result<Overrides> {
    let defaults = Table::try_from(Config::default()).context("write defaults")?;
    let mut known = BTreeMap::new();
    collect(&defaults, "", &mut known);
    let mut overrides = Overrides::default();
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if OTHERS.contains(&name.as_str()) || refers_to(&Value::Table(file.clone()), &name) {
            continue;
        }
        let Some((key, default)) = known.get(rest) else {
            bail!("variable {name} names no configuration key; did you mean {}?", nearest(rest, &known));
        };
        let value = parse(&text, default).with_context(|| format!("variable {name}"))?;
        overrides.0.insert(key.clone(), value);
    }
    Ok(overrides)
}

/// Every scalar key by the name of its variable: `server.listen` is `SERVER_LISTEN`.
fn collect(table: &Table, prefix: &str, known: &mut BTreeMap<String, (String, Value)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => collect(inner, &path, known),
            other => {
                known.insert(path.replace('.', "_").to_uppercase(), (path, other.clone()));
            }
        }
    }
}

/// Whether the file names this variable as the place of a secret.
fn refers_to(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(items) => items.iter().any(|item| refers_to(item, name)),
        Value::Table(table) => table.values().any(|value| refers_to(value, name)),
        _ => false,
    }
}

fn nearest<'a>(name: &str, known: &'a BTreeMap<String, (String, Value)>) -> &'a str {
    let shared = |candidate: &str| {
        let ahead = candidate.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let behind = candidate.bytes().rev().zip(name.bytes().rev()).take_while(|(a, b)| a == b).count();
        ahead + behind
    };
    known.keys().max_by_key(|candidate| shared(candidate)).map_or("", |name| known[name].0.as_str())
}

fn parse(text: &str, default: &Value) -> anyhow::Result<Value> {
    Ok(match default {
        Value::Integer(_) => Value::Integer(text.parse().context("expected a whole number")?),
        Value::Float(_) => Value::Float(text.parse().context("expected a number")?),
        Value::Boolean(_) => Value::Boolean(text.parse().context("expected true or false")?),
        Value::Array(_) => {
            Value::Array(text.split(',').map(|item| Value::String(item.trim().into())).collect())
        }
        _ => Value::String(text.to_owned()),
    })
}

fn put(table: &mut Table, key: &str, value: Value) -> anyhow::Result<()> {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else { bail!("{section} is not a section") };
            put(inner, rest, value)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, environment: &[(&str, &str)], flags: Overrides) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("watchfire.toml");
        std::fs::write(&path, text).expect("write");
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(Some(&path), environment, flags)
    }

    #[test]
    fn flags_lie_on_variables_and_variables_on_the_file() {
        let file = "[server]\nlisten = '127.0.0.1:1'\n[kafka]\nbrokers = 'file:1'\nprefix = 'file'";
        let mut flags = Overrides::default();
        flags.set("server.listen", Some("127.0.0.1:3"));
        let variables =
            [("WATCHFIRE_SERVER_LISTEN", "127.0.0.1:2"), ("WATCHFIRE_KAFKA_BROKERS", "variable:1")];
        let config = load_text(file, &variables, flags).expect("valid");
        assert_eq!(config.server.listen.port(), 3);
        assert_eq!((&*config.kafka.brokers, &*config.kafka.prefix), ("variable:1", "file"));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = load_text("[server]\nlissten = 'x'", &[], Overrides::default()).expect_err("unknown key");
        assert!(format!("{error:#}").contains("lissten"), "{error:#}");
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_the_nearest_key() {
        let error =
            load_text("", &[("WATCHFIRE_SERVER_LISTN", "x")], Overrides::default()).expect_err("unknown");
        assert!(error.to_string().contains("server.listen"), "{error}");
    }

    #[test]
    fn a_drift_in_which_each_partition_would_wait_for_itself_is_refused() {
        let error =
            load_text("[normalize]\ndrift_max_ms = -1", &[], Overrides::default()).expect_err("no drift");
        assert_eq!(error.to_string(), "normalize.drift_max_ms: must be at least 1000, is -1");
    }

    #[test]
    fn a_variable_that_holds_a_secret_is_not_a_key() {
        let file = "[privacy]\nkey_env = 'WATCHFIRE_PEPPER'";
        assert!(load_text(file, &[("WATCHFIRE_PEPPER", "00")], Overrides::default()).is_ok());
    }

    #[test]
    fn the_example_file_holds_every_default() {
        let text = include_str!("../../../../watchfire.example.toml");
        let example: Config = toml::from_str(text).expect("example parses");
        let (example, defaults) = (Table::try_from(example), Table::try_from(Config::default()));
        assert_eq!(
            example.expect("writes"),
            defaults.clone().expect("writes"),
            "the example's values are the defaults"
        );
        let mut known = BTreeMap::new();
        collect(&defaults.expect("writes"), "", &mut known);
        for (path, _) in known.values() {
            let key = path.rsplit('.').next().expect("has a last part");
            assert!(text.contains(key), "{path} is not in watchfire.example.toml");
        }
    }
}
