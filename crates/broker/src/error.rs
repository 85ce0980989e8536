//! Why a broker does not start, or did not stop cleanly.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What went wrong with the broker as a whole; trouble of one request is answered to its client.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process uses the data directory.
    #[error("data directory {} is in use by another broker; stop that one, or choose another data_dir", .0.display())]
    InUse(PathBuf),
    /// The listener would accept anyone, unencrypted.
    #[error(
        "listening on {0} would let anyone on the network read and write: there is no encryption or \
         authentication yet; listen on a loopback address, or set allow_insecure_listen if the network is trusted"
    )]
    InsecureListen(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The data directory cannot be read or written.
    #[error("cannot {attempt} {}", .path.display())]
    Storage {
        /// What was attempted.
        attempt: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// What is on disk contradicts itself, and starting would make it worse.
    #[error("data directory is damaged: {0}")]
    Damaged(String),
    /// A newer version of this program has used the data directory.
    #[error(
        "data directory {} has format {found}, and this program knows formats up to {known}: a newer version \
         has written it; start that version, or choose another data_dir", .data_dir.display()
    )]
    NewerFormat {
        /// The directory.
        data_dir: PathBuf,
        /// The format that it is stamped with.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A setting makes no sense.
    #[error("configuration is wrong: {0}")]
    Misconfigured(&'static str),
}

impl BrokerError {
    pub(crate) fn storage(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Storage { attempt, path, source }
    }
}
