//! Why a broker does not start, or did not stop cleanly.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::security::tls::TlsError;
use crate::security::users::UsersError;

/// What went wrong with the broker as a whole; trouble of one request is answered to its client.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process uses the data directory.
    #[error("data directory {} is in use by another broker; stop that one, or choose another data_dir", .0.display())]
    InUse(PathBuf),
    /// The listener would accept anyone, or send passwords and logs in the clear.
    #[error(
        "listening on {address} without {missing} would let anyone on the network in, or listen in: configure \
         both, listen on a loopback address, or set allow_insecure_listen if the network is trusted"
    )]
    InsecureListen {
        /// Where to listen was asked for.
        address: SocketAddr,
        /// What there would have to be.
        missing: &'static str,
    },
    /// There is no TLS with the files that are configured.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// The file of users cannot be understood.
    #[error("{}, {error}", .path.display())]
    Users {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and in which line.
        error: UsersError,
    },
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
