//! A place where notices go: what the operator wrote, and what the couriers trust.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use event::{Severity, Tenant};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::egress::Egress;
use crate::policy::Route;

pub(crate) mod message;
pub(crate) mod pagerduty;
pub(crate) mod webhook;

/// Which kind of receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// PagerDuty Events API v2.
    Pagerduty,
    /// Any URL, signed by Standard Webhooks 1.0.0.
    Webhook,
}

impl DestinationKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

/// A destination as the operator writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// What it is called in metrics, logs and the list of what could not be delivered.
    pub name: String,
    /// Which kind of receiver.
    pub kind: DestinationKind,
    /// Webhook: where to post to.
    #[serde(default)]
    pub url: Option<String>,
    /// PagerDuty: another region than `https://events.pagerduty.com`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// PagerDuty: the environment variable that holds the integration's routing key.
    #[serde(default)]
    pub routing_key_env: Option<String>,
    /// PagerDuty: the file that holds it.
    #[serde(default)]
    pub routing_key_file: Option<PathBuf>,
    /// Webhook: the environment variable that holds the signing secret, `whsec_…`; two or more
    /// with spaces between them while secrets are rotated.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// Webhook: the file that holds it.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Nothing below this; high for PagerDuty (and only what pages), low for webhooks.
    #[serde(default)]
    pub min_severity: Option<Severity>,
    /// Only these partners' alerts; everybody's if left out.
    #[serde(default)]
    pub tenants: Option<Vec<String>>,
    /// Only these detectors' alerts; every one's if left out.
    #[serde(default)]
    pub detectors: Option<BTreeSet<String>>,
    /// Whether it may be a loopback or private address, and without TLS.
    #[serde(default)]
    pub allow_private: bool,
    /// How long one attempt may take, 1 to 30; 10 for PagerDuty, 15 for webhooks.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// How many requests a minute, 1 to 6,000; 60 for PagerDuty, 300 for webhooks.
    #[serde(default)]
    pub rate_per_minute: Option<u32>,
}

/// Where the binary finds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(PathBuf),
}

/// What is wrong with a destination's configuration.
#[derive(Debug, thiserror::Error)]
#[error("destination {name}: {key}: {problem}")]
pub struct DestinationError {
    /// Which destination.
    pub name: String,
    /// Which key.
    pub key: &'static str,
    /// What would be right.
    pub problem: String,
}

impl DestinationConfig {
    /// Where its secret is to be found; the binary reads it and hands it to [`Destination::new`].
    pub fn secret_reference(&self) -> Result<SecretReference, DestinationError> {
        let (key, env, file, foreign) = match self.kind {
            DestinationKind::Pagerduty => (
                "routing_key_env",
                &self.routing_key_env,
                &self.routing_key_file,
                self.secret_env.is_some() || self.secret_file.is_some(),
            ),
            DestinationKind::Webhook => (
                "secret_env",
                &self.secret_env,
                &self.secret_file,
                self.routing_key_env.is_some() || self.routing_key_file.is_some(),
            ),
        };
        match (env, file) {
            _ if foreign => Err(self.wrong(key, "the other kind's secret is given")),
            (Some(env), None) => Ok(SecretReference::Env(env.clone())),
            (None, Some(file)) => Ok(SecretReference::File(file.clone())),
            _ => Err(self.wrong(key, "give either the _env or the _file form")),
        }
    }

    fn endpoint(&self) -> Result<Url, DestinationError> {
        match (self.kind, &self.url, &self.base_url) {
            (DestinationKind::Pagerduty, None, base) => {
                let base = base.as_deref().unwrap_or(pagerduty::BASE_URL);
                let base = self.checked_url("base_url", base)?;
                base.join("/v2/enqueue").map_err(|e| self.wrong("base_url", e))
            }
            (DestinationKind::Webhook, Some(url), None) => self.checked_url("url", url),
            (DestinationKind::Pagerduty, ..) => Err(self.wrong("url", "pagerduty has a base_url instead")),
            (DestinationKind::Webhook, ..) => Err(self.wrong("url", "a webhook has a url, and no base_url")),
        }
    }

    fn checked_url(&self, key: &'static str, text: &str) -> Result<Url, DestinationError> {
        let url = Url::parse(text).map_err(|e| self.wrong(key, e))?;
        self.egress().check(&url).map_err(|problem| self.wrong(key, problem))?;
        Ok(url)
    }

    fn egress(&self) -> Egress {
        if self.allow_private { Egress::Private } else { Egress::Public }
    }

    fn timeout(&self) -> Result<Duration, DestinationError> {
        let usual = match self.kind {
            DestinationKind::Pagerduty => 10,
            DestinationKind::Webhook => 15,
        };
        match self.timeout_seconds.unwrap_or(usual) {
            seconds @ 1..=30 => Ok(Duration::from_secs(seconds)),
            _ => Err(self.wrong("timeout_seconds", "must be 1 to 30")),
        }
    }

    fn rate(&self) -> Result<u32, DestinationError> {
        let usual = match self.kind {
            DestinationKind::Pagerduty => 60,
            DestinationKind::Webhook => 300,
        };
        match self.rate_per_minute.unwrap_or(usual) {
            rate @ 1..=6_000 => Ok(rate),
            _ => Err(self.wrong("rate_per_minute", "must be 1 to 6000")),
        }
    }

    fn route(&self) -> Result<Route, DestinationError> {
        let pages = self.kind == DestinationKind::Pagerduty;
        let min_severity = self.min_severity.unwrap_or(if pages { Severity::High } else { Severity::Low });
        let least = if pages { Severity::High } else { Severity::Low };
        if min_severity < least {
            return Err(self.wrong("min_severity", format!("must be {} or worse", least.as_str())));
        }
        if self.detectors.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(self.wrong("detectors", "name at least one, or leave it out for all"));
        }
        Ok(Route {
            destination: self.name.clone(),
            min_severity,
            page_only: pages,
            // An update of an incident that somebody has resolved over there would open a new one
            // and wake them again; a webhook's receiver wants the newest state.
            updates: !pages,
            tenants: self.tenants.as_deref().map(|names| self.checked_tenants(names)).transpose()?,
            detectors: self.detectors.clone(),
        })
    }

    fn checked_tenants(&self, names: &[String]) -> Result<BTreeSet<Tenant>, DestinationError> {
        if names.is_empty() {
            return Err(self.wrong("tenants", "name at least one, or leave it out for all"));
        }
        names.iter().map(|name| Tenant::parse(name).map_err(|e| self.wrong("tenants", e))).collect()
    }

    fn wrong(&self, key: &'static str, problem: impl ToString) -> DestinationError {
        DestinationError { name: self.name.clone(), key, problem: problem.to_string() }
    }
}

/// A destination that was checked, with its secret and the client that can reach it and nothing else.
#[derive(Clone)]
pub struct Destination {
    pub(crate) name: Arc<str>,
    pub(crate) kind: DestinationKind,
    pub(crate) endpoint: Url,
    pub(crate) credential: Credential,
    pub(crate) client: reqwest::Client,
    pub(crate) route: Route,
    pub(crate) rate_per_minute: u32,
}

/// What a destination knows us by.
#[derive(Clone)]
pub(crate) enum Credential {
    RoutingKey(SecretString),
    SigningKeys(Vec<webhook::SigningKey>),
}

/// Says neither the secret nor the URL, which can hold one.
impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("host", &self.endpoint.host_str())
            .finish_non_exhaustive()
    }
}

impl Destination {
    /// Checks what the operator wrote. White space around the secret is not part of it.
    pub fn new(config: &DestinationConfig, secret: SecretString) -> Result<Self, DestinationError> {
        let is_named = (1..=64).contains(&config.name.len())
            && config.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !is_named {
            return Err(config.wrong("name", "has 1 to 64 of a-z A-Z 0-9 _ - ."));
        }
        config.secret_reference()?;
        let client = config.egress().client(config.timeout()?);
        Ok(Self {
            name: config.name.as_str().into(),
            kind: config.kind,
            endpoint: config.endpoint()?,
            credential: credential(config, &secret)?,
            client: client.map_err(|e| config.wrong("kind", format!("no HTTP client: {e}")))?,
            route: config.route()?,
            rate_per_minute: config.rate()?,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn credential(config: &DestinationConfig, secret: &SecretString) -> Result<Credential, DestinationError> {
    let text = secret.expose_secret().trim();
    match config.kind {
        DestinationKind::Pagerduty => {
            if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(config.wrong("routing_key", "must be 32 letters and digits"));
            }
            Ok(Credential::RoutingKey(SecretString::from(text)))
        }
        DestinationKind::Webhook => webhook::SigningKey::parse_all(text)
            .map(Credential::SigningKeys)
            .map_err(|problem| config.wrong("secret", problem)),
    }
}

#[cfg(test)]
mod tests;
