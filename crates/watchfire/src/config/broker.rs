//! The section of the embedded broker.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use broker::{BrokerConfig, TlsFiles};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Broker {
    /// Where the embedded broker listens.
    pub(crate) listen: SocketAddr,
    /// `host:port` that clients are told to connect to. Empty: the address that they have come to.
    pub(crate) advertised: String,
    /// PEM files of the listener's certificate and key. Empty: no TLS.
    pub(crate) tls_certificate: PathBuf,
    pub(crate) tls_key: PathBuf,
    /// PEM file of the authorities of clients' certificates. Empty: clients are not asked for one.
    pub(crate) tls_client_ca: PathBuf,
    /// Refuse clients without a certificate; otherwise they may come with a password.
    pub(crate) tls_client_required: bool,
    /// Who may log in, and what each may do: see `watchfire user`. Empty: everyone may do everything.
    pub(crate) users_file: PathBuf,
    /// Listen beyond loopback although there are not both TLS and users.
    pub(crate) allow_insecure_listen: bool,
    /// Whether an acknowledgement waits for the disk. Turning it off can lose logs.
    pub(crate) fsync: bool,
    /// How long appends wait for others to share an fsync; 0 waits for no one. Acknowledgements come
    /// that much later.
    pub(crate) sync_interval_ms: u64,
    /// So many bytes that wait end the wait.
    pub(crate) sync_bytes: u64,
    /// How long raw logs are kept, in hours.
    pub(crate) retention_hours: u64,
    /// Partitions of a topic that a shipper's first record makes.
    pub(crate) default_partitions: i32,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 9092).into(),
            advertised: String::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            tls_client_ca: PathBuf::new(),
            tls_client_required: false,
            users_file: PathBuf::new(),
            allow_insecure_listen: false,
            fsync: true,
            sync_interval_ms: 0,
            sync_bytes: 1 << 20,
            retention_hours: 168,
            default_partitions: 1,
        }
    }
}

impl Broker {
    /// What the broker is started with, for a log in this directory.
    pub(crate) fn settings(&self, data_dir: PathBuf) -> anyhow::Result<BrokerConfig> {
        let mut settings = BrokerConfig::new(data_dir);
        settings.listen = self.listen;
        settings.advertised = advertised(&self.advertised)?;
        settings.tls = self.tls()?;
        settings.users_file = given(&self.users_file);
        settings.allow_insecure_listen = self.allow_insecure_listen;
        settings.fsync = self.fsync;
        settings.sync_interval_ms = self.sync_interval_ms;
        settings.sync_bytes = self.sync_bytes;
        settings.default_partitions = self.default_partitions;
        settings.retention_ms = i64::try_from(self.retention_hours.saturating_mul(3_600_000))
            .context("broker.retention_hours is too many")?;
        settings.message_bytes_max = stages::MESSAGE_BYTES_MAX;
        Ok(settings)
    }

    fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        match (given(&self.tls_certificate), given(&self.tls_key)) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate,
                key,
                client_ca: given(&self.tls_client_ca),
                client_certificate_required: self.tls_client_required,
            })),
            (None, None) if given(&self.tls_client_ca).is_none() && !self.tls_client_required => Ok(None),
            _ => bail!("TLS of the broker needs both broker.tls_certificate and broker.tls_key"),
        }
    }
}

fn given(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

fn advertised(text: &str) -> anyhow::Result<Option<(String, u16)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() => Ok(Some((host.to_owned(), port))),
        _ => bail!("broker.advertised is host:port, not {text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_pair_of_files_is_an_error_and_not_silence() {
        let settings = |broker: Broker| broker.settings("unused".into());
        let certificate_only = Broker { tls_certificate: "broker.pem".into(), ..Broker::default() };
        assert!(settings(certificate_only).expect_err("half").to_string().contains("broker.tls_key"));
        let ca_only = Broker { tls_client_ca: "ca.pem".into(), ..Broker::default() };
        assert!(settings(ca_only).is_err());
        assert!(settings(Broker::default()).expect("none is fine").tls.is_none());
    }

    #[test]
    fn what_clients_are_told_is_a_host_and_a_port() {
        assert_eq!(advertised("kafka.example:9093").expect("valid"), Some(("kafka.example".into(), 9093)));
        assert_eq!(advertised("").expect("valid"), None);
        for wrong in ["kafka.example", ":9092", "kafka.example:port"] {
            assert!(advertised(wrong).is_err(), "{wrong}");
        }
    }
}
