//! The sections of the listeners for SQL clients: of PostgreSQL's protocol, and of Arrow Flight SQL.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use flight::FlightConfig;
use postgres::{PostgresConfig, TlsFiles};
use serde::{Deserialize, Serialize};

/// One of the two sections.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SqlListener {
    /// Where clients connect. Empty: nowhere.
    pub(crate) listen: String,
    /// PEM file of the listener's certificate. Empty: no TLS.
    pub(crate) tls_certificate: String,
    /// PEM file of its key.
    pub(crate) tls_key: String,
    /// Take tokens unencrypted from beyond loopback.
    pub(crate) allow_insecure_listen: bool,
    /// Most connections at once.
    pub(crate) connections_max: usize,
    /// Most of them with one token.
    pub(crate) connections_per_token_max: usize,
    /// How long a connection may ask for nothing.
    pub(crate) idle_timeout_seconds: u64,
}

impl Default for SqlListener {
    fn default() -> Self {
        Self {
            listen: String::new(),
            tls_certificate: String::new(),
            tls_key: String::new(),
            allow_insecure_listen: false,
            connections_max: 64,
            connections_per_token_max: 32,
            idle_timeout_seconds: 3_600,
        }
    }
}

impl SqlListener {
    /// As the section `postgres`: where to listen and how, if anywhere.
    pub(crate) fn postgres(&self) -> anyhow::Result<Option<(SocketAddr, PostgresConfig)>> {
        let Some((listen, tls)) = self.checked("postgres")? else { return Ok(None) };
        let config = PostgresConfig {
            tls,
            allow_insecure: self.allow_insecure_listen,
            connections_max: self.connections_max,
            connections_per_token_max: self.connections_per_token_max,
            idle_timeout: Duration::from_secs(self.idle_timeout_seconds),
            ..PostgresConfig::default()
        };
        Ok(Some((listen, config)))
    }

    /// As the section `flight`: where to listen and how, if anywhere.
    pub(crate) fn flight(&self) -> anyhow::Result<Option<(SocketAddr, FlightConfig)>> {
        let Some((listen, tls)) = self.checked("flight")? else { return Ok(None) };
        let config = FlightConfig {
            tls,
            allow_insecure: self.allow_insecure_listen,
            connections_max: self.connections_max,
            connections_per_token_max: self.connections_per_token_max,
            idle_timeout: Duration::from_secs(self.idle_timeout_seconds),
            ..FlightConfig::default()
        };
        Ok(Some((listen, config)))
    }

    /// Where to listen and with which certificate, under the section's name.
    fn checked(&self, section: &str) -> anyhow::Result<Option<(SocketAddr, Option<TlsFiles>)>> {
        let Self { listen, tls_certificate, tls_key, .. } = self;
        if listen.is_empty() {
            return Ok(None);
        }
        let listen: SocketAddr =
            listen.parse().with_context(|| format!("{section}.listen {listen} is no address and port"))?;
        let tls = match (tls_certificate.as_str(), tls_key.as_str()) {
            ("", "") => None,
            (certificate, key) if !certificate.is_empty() && !key.is_empty() => {
                Some(TlsFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) })
            }
            _ => bail!("{section}.tls_certificate and {section}.tls_key go together: set both or neither"),
        };
        if tls.is_none() && !listen.ip().is_loopback() && !self.allow_insecure_listen {
            bail!(
                "{section}.listen {listen} is beyond loopback and tokens would travel unencrypted: set \
                 {section}.tls_certificate and {section}.tls_key, or {section}.allow_insecure_listen = true if \
                 the network itself is trusted"
            );
        }
        Ok(Some((listen, tls)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What either section is refused for: the same, each under its own name.
    fn refusal(section: &str) -> Option<String> {
        let section: SqlListener = toml::from_str(section).expect("a section");
        let of_postgres = section.postgres().err().map(|error| error.to_string());
        let of_flight = section.flight().err().map(|error| error.to_string());
        assert_eq!(of_postgres.as_ref().map(|why| why.replace("postgres.", "flight.")), of_flight);
        of_postgres
    }

    #[test]
    fn beyond_loopback_tokens_are_encrypted_or_the_network_is_trusted() {
        assert_eq!(refusal("listen = '127.0.0.1:5432'"), None);
        let why = refusal("listen = '0.0.0.0:5432'").expect("refused");
        assert!(why.contains("postgres.tls_certificate"), "{why}");
        assert_eq!(refusal("listen = '0.0.0.0:5432'\nallow_insecure_listen = true"), None);
        assert_eq!(refusal("listen = '0.0.0.0:5432'\ntls_certificate = 'a'\ntls_key = 'b'"), None);
    }

    #[test]
    fn half_a_certificate_is_refused() {
        let why = refusal("listen = '127.0.0.1:5432'\ntls_key = 'b'").expect("refused");
        assert!(why.contains("go together"), "{why}");
    }

    #[test]
    fn what_a_section_says_reaches_its_server() {
        let section = "listen = '127.0.0.1:5432'\nconnections_max = 3\nconnections_per_token_max = 2\nidle_timeout_seconds = 9";
        let section: SqlListener = toml::from_str(section).expect("a section");
        let (_, postgres) = section.postgres().expect("valid").expect("somewhere");
        let (_, flight) = section.flight().expect("valid").expect("somewhere");
        assert_eq!((postgres.connections_max, postgres.connections_per_token_max), (3, 2));
        assert_eq!((flight.connections_max, flight.connections_per_token_max), (3, 2));
        assert_eq!(
            (postgres.idle_timeout, flight.idle_timeout),
            (Duration::from_secs(9), Duration::from_secs(9))
        );
    }
}
