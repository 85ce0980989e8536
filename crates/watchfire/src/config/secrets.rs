//! Secrets by reference: a variable or a file is named, never the value.

use std::path::Path;

use alerting::{Destination, DestinationConfig, SecretReference};
use anyhow::{Context, bail};
use rand::TryRngCore;
use secrecy::SecretString;

use event::EventTime;
use normalize::Fingerprinter;

use super::{Config, NextKey, Privacy};

/// The fingerprints of a server: with the key that is named, else with the one that is kept.
pub(crate) fn kept_fingerprinter(config: &Config) -> anyhow::Result<Fingerprinter> {
    let Privacy { key_id, key_env, key_file, next } = &config.privacy;
    let key = match named_key("privacy", key_env, key_file)? {
        Some(key) => key,
        None => decoded(&kept_key(&config.server.data_dir)?)?,
    };
    with_next(Fingerprinter::new(key_id, &key)?, next.as_ref())
}

/// Fingerprints as the server makes them whose logs a command reads. Where no server was ever
/// started, with a key for this run alone, so that nothing is left behind.
pub(crate) fn fingerprinter(config: &Config) -> anyhow::Result<Fingerprinter> {
    let (privacy, data_dir) = (&config.privacy, &config.server.data_dir);
    let named = !privacy.key_env.is_empty() || !privacy.key_file.is_empty();
    if named || data_dir.join("privacy.key").exists() {
        return kept_fingerprinter(config);
    }
    eprintln!(
        "no server has kept data in {}: tokens are fingerprinted with a key for this run alone, \
         and the ids of alerts about them are no other run's",
        data_dir.display()
    );
    with_next(Fingerprinter::new(&privacy.key_id, &fresh_key()?)?, privacy.next.as_ref())
}

/// With the key that takes over.
fn with_next(current: Fingerprinter, next: Option<&NextKey>) -> anyhow::Result<Fingerprinter> {
    let Some(next) = next else { return Ok(current) };
    let from = chrono::DateTime::parse_from_rfc3339(&next.from)
        .context("privacy.next.from: write it like 2026-12-01T00:00:00Z")?;
    let key = named_key("privacy.next", &next.key_env, &next.key_file)?
        .context("privacy.next: name its key with key_env or key_file")?;
    let fingerprinter = Fingerprinter::new(&next.key_id, &key).context("privacy.next")?;
    Ok(current.with_next(EventTime(from.timestamp_millis()), fingerprinter))
}

/// The key that a variable or a file holds.
fn named_key(section: &str, key_env: &str, key_file: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let text = if !key_env.is_empty() {
        variable(key_env).with_context(|| format!("{section}.key_env"))?
    } else if !key_file.is_empty() {
        std::fs::read_to_string(key_file).with_context(|| format!("{section}.key_file: read {key_file}"))?
    } else {
        return Ok(None);
    };
    decoded(&text).with_context(|| section.to_owned()).map(Some)
}

fn decoded(text: &str) -> anyhow::Result<Vec<u8>> {
    let key = hex::decode(text.trim())
        .context("the privacy key is not hexadecimal; make one with `openssl rand -hex 32`")?;
    if key.len() < 32 {
        bail!("the privacy key has {} bytes and needs 32; make one with `openssl rand -hex 32`", key.len());
    }
    Ok(key)
}

/// A privacy key that nobody has had before.
fn fresh_key() -> anyhow::Result<[u8; 32]> {
    let mut key = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut key).context("read random bytes")?;
    Ok(key)
}

/// Makes a key on the first start and keeps it, readable by its owner alone.
fn kept_key(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("privacy.key");
    if path.exists() {
        return std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()));
    }
    let text = hex::encode(fresh_key()?);
    write_private(&path, &text)?;
    Ok(text)
}

/// Writes a file whole or not at all, mode 0600.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let aside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Destinations with the secrets they refer to.
pub(crate) fn destinations(configs: &[DestinationConfig]) -> anyhow::Result<Vec<Destination>> {
    configs
        .iter()
        .map(|config| {
            let context = || format!("alerting.destinations: {}", config.name);
            let secret = secret(&config.secret_reference()?).with_context(context)?;
            Ok(Destination::new(config, secret)?)
        })
        .collect()
}

fn secret(reference: &SecretReference) -> anyhow::Result<SecretString> {
    let text = match reference {
        SecretReference::Env(name) => variable(name)?,
        SecretReference::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?
        }
    };
    Ok(SecretString::from(text.trim().to_owned()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "secrets are named in the configuration and read while it is loaded"
)]
pub(crate) fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("variable {name} is not set"))
}
