//! TLS 1.3 with certificates from files, which are looked at for each connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The files of a certificate, in PEM. They are looked at for each connection: a renewed certificate
/// is used at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The listener's certificate, with those between it and its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} {why}", .path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The files, and what they amounted to when last read.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    /// The protocols that are spoken over it, where clients want to know.
    protocols: &'static [&'static [u8]],
    current: Mutex<(Contents, Arc<ServerConfig>)>,
}

/// The bytes of certificate and key.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Contents {
    /// The key goes into no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. Clients that ask which protocols are spoken over it (ALPN) are told
    /// `protocols`, e.g. `h2`.
    pub fn load(files: TlsFiles, protocols: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let config = contents.config(&files, protocols)?;
        Ok(Self { files, protocols, current: Mutex::new((contents, config)) })
    }

    /// What a new connection is accepted with. Where the files have become wrong, the former ones are
    /// still used.
    pub fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = Contents::read(&self.files).and_then(|contents| match contents == current.0 {
            true => Ok(None),
            false => contents.config(&self.files, self.protocols).map(|config| Some((contents, config))),
        });
        match changed {
            Ok(Some(changed)) => *current = changed,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the former certificate is still used"),
        }
        Arc::clone(&current.1)
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }

    fn config(&self, files: &TlsFiles, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|error| content(&files.certificate, format!("is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(content(&files.certificate, "holds no certificate in PEM".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| content(&files.key, format!("holds no private key in PEM: {error}")))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has the ciphers of TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| {
                content(&files.certificate, format!("and {} are no pair: {error}", files.key.display()))
            })?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })
}

fn content(path: &Path, why: String) -> TlsError {
    TlsError::Content { path: path.to_owned(), why }
}
