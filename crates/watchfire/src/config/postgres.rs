//! The section of the listener for PostgreSQL's clients.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Postgres {
    /// Where psql, Grafana and others connect. Empty: nowhere.
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
    /// How long a connection may say nothing.
    pub(crate) idle_timeout_seconds: u64,
}

impl Default for Postgres {
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

impl Postgres {
    /// Where to listen and how, if anywhere.
    pub(crate) fn server(&self) -> anyhow::Result<Option<(SocketAddr, postgres::PostgresConfig)>> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        let listen: SocketAddr = self
            .listen
            .parse()
            .with_context(|| format!("postgres.listen {} is no address and port", self.listen))?;
        let tls = match (self.tls_certificate.as_str(), self.tls_key.as_str()) {
            ("", "") => None,
            (certificate, key) if !certificate.is_empty() && !key.is_empty() => {
                Some(postgres::TlsFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) })
            }
            _ => bail!("postgres.tls_certificate and postgres.tls_key go together: set both or neither"),
        };
        if tls.is_none() && !listen.ip().is_loopback() && !self.allow_insecure_listen {
            bail!(
                "postgres.listen {listen} is beyond loopback and tokens would travel unencrypted: set \
                 postgres.tls_certificate and postgres.tls_key, or postgres.allow_insecure_listen = true if the \
                 network itself is trusted"
            );
        }
        let config = postgres::PostgresConfig {
            tls,
            allow_insecure: self.allow_insecure_listen,
            connections_max: self.connections_max,
            connections_per_token_max: self.connections_per_token_max,
            idle_timeout: Duration::from_secs(self.idle_timeout_seconds),
            ..postgres::PostgresConfig::default()
        };
        Ok(Some((listen, config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(section: &str) -> Option<String> {
        let section: Postgres = toml::from_str(section).expect("a section");
        section.server().err().map(|error| error.to_string())
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
}
