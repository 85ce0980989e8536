//! The section of the listener for clients of Arrow Flight SQL.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Flight {
    /// Where ADBC, JDBC and others connect. Empty: nowhere.
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
    /// How long a connection may be without a call.
    pub(crate) idle_timeout_seconds: u64,
}

impl Default for Flight {
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

impl Flight {
    /// Where to listen and how, if anywhere.
    pub(crate) fn server(&self) -> anyhow::Result<Option<(SocketAddr, flight::FlightConfig)>> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        let listen: SocketAddr = self
            .listen
            .parse()
            .with_context(|| format!("flight.listen {} is no address and port", self.listen))?;
        let tls = match (self.tls_certificate.as_str(), self.tls_key.as_str()) {
            ("", "") => None,
            (certificate, key) if !certificate.is_empty() && !key.is_empty() => {
                Some(flight::TlsFiles { certificate: PathBuf::from(certificate), key: PathBuf::from(key) })
            }
            _ => bail!("flight.tls_certificate and flight.tls_key go together: set both or neither"),
        };
        if tls.is_none() && !listen.ip().is_loopback() && !self.allow_insecure_listen {
            bail!(
                "flight.listen {listen} is beyond loopback and tokens would travel unencrypted: set \
                 flight.tls_certificate and flight.tls_key, or flight.allow_insecure_listen = true if the \
                 network itself is trusted"
            );
        }
        let config = flight::FlightConfig {
            tls,
            allow_insecure: self.allow_insecure_listen,
            connections_max: self.connections_max,
            connections_per_token_max: self.connections_per_token_max,
            idle_timeout: Duration::from_secs(self.idle_timeout_seconds),
            ..flight::FlightConfig::default()
        };
        Ok(Some((listen, config)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(section: &str) -> Option<String> {
        let section: Flight = toml::from_str(section).expect("a section");
        section.server().err().map(|error| error.to_string())
    }

    #[test]
    fn beyond_loopback_tokens_are_encrypted_or_the_network_is_trusted() {
        assert_eq!(refusal("listen = '127.0.0.1:32010'"), None);
        let why = refusal("listen = '0.0.0.0:32010'").expect("refused");
        assert!(why.contains("flight.tls_certificate"), "{why}");
        assert_eq!(refusal("listen = '0.0.0.0:32010'\nallow_insecure_listen = true"), None);
        assert_eq!(refusal("listen = '0.0.0.0:32010'\ntls_certificate = 'a'\ntls_key = 'b'"), None);
    }

    #[test]
    fn half_a_certificate_is_refused() {
        let why = refusal("listen = '127.0.0.1:32010'\ntls_key = 'b'").expect("refused");
        assert!(why.contains("go together"), "{why}");
    }
}
