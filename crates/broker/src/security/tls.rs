//! TLS 1.3 for a listener: certificates from files, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::clock::now_ms;
use crate::config::TlsFiles;

/// A certificate that has less time than this left is warned about.
const SOON_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
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
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    contents: Contents,
    config: Arc<ServerConfig>,
}

/// The bytes of certificate, key and the authorities of clients.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents")
    }
}

impl Tls {
    pub(crate) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let config = Arc::new(contents.config(&files)?);
        Ok(Self { files, current: RwLock::new(Current { contents, config }) })
    }

    /// What new connections are accepted with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let current = self.current.read().expect("no one panics while replacing certificates");
        Arc::clone(&current.config)
    }

    /// Takes over changed files; says whether they had changed. After an error the former ones
    /// are still used.
    pub(crate) fn reload(&self) -> Result<bool, TlsError> {
        let contents = Contents::read(&self.files)?;
        if self.current.read().expect("no one panics while replacing certificates").contents == contents {
            return Ok(false);
        }
        let config = Arc::new(contents.config(&self.files)?);
        let mut current = self.current.write().expect("no one panics while replacing certificates");
        *current = Current { contents, config };
        Ok(true)
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.certificate, &files.certificate)?;
        warn_about_time(&chain[0], &files.certificate);
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| content(&files.key, format!("holds no private key in PEM: {error}")))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has the ciphers of TLS 1.3");
        let builder = match self.client_verifier(files)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            content(&files.certificate, format!("and {} are no pair: {error}", files.key.display()))
        })?;
        // Connections live long; and a client whose authority is gone must not resume.
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn client_verifier(&self, files: &TlsFiles) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let (Some(bytes), Some(path)) = (&self.client_ca, &files.client_ca) else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(bytes, path)? {
            roots.add(certificate).map_err(|error| content(path, format!("cannot be trusted: {error}")))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder =
            if files.client_certificate_required { builder } else { builder.allow_unauthenticated() };
        builder.build().map(Some).map_err(|error| content(path, format!("cannot be used: {error}")))
    }
}

/// The common name of a certificate's subject: whose it is.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

fn warn_about_time(certificate: &CertificateDer<'_>, path: &Path) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return };
    let ends = parsed.validity().not_after;
    let left_ms = ends.timestamp().saturating_mul(1000) - now_ms();
    if left_ms < 0 {
        tracing::error!(path = %path.display(), %ends, "certificate has expired: clients will refuse it");
    } else if left_ms < SOON_MS {
        tracing::warn!(path = %path.display(), %ends, "certificate expires soon");
    }
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| content(path, format!("is not PEM: {error}")))?;
    if all.is_empty() {
        return Err(content(path, "holds no certificate in PEM".into()));
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn content(path: &Path, why: String) -> TlsError {
    TlsError::Content { path: path.to_owned(), why }
}
