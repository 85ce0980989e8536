//! TLS: certificates of the broker and of clients, and their exchange while it runs.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::users::{Role, line_with_certificate, line_with_password};
use broker::{Broker, BrokerConfig, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rdkafka::producer::Producer as _;
use tempfile::TempDir;

use crate::harness::raw::connect;
use crate::harness::{Kafka, PATIENCE, poll_until, values};

/// An authority, and the files of what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate and its key, for 127.0.0.1.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |kind: &str| self.dir.path().join(format!("{name}.{kind}"));
        std::fs::write(path("pem"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("pem"), path("key"))
    }
}

/// A broker behind TLS, with an administrator, a producer with a password, and one with a certificate.
struct Encrypted {
    kafka: Kafka,
    authority: Authority,
    /// What the broker reads; tests replace them.
    files: TlsFiles,
}

impl Encrypted {
    fn start(change: impl FnOnce(&mut TlsFiles)) -> Option<Self> {
        let authority = Authority::new();
        let (certificate, key) = authority.sign("broker");
        let client_ca = Some(authority.ca());
        let mut files = TlsFiles { certificate, key, client_ca, client_certificate_required: false };
        change(&mut files);
        let users = authority.dir.path().join("users");
        let lines = [
            line_with_password("ops", Role::Admin, "ops-secret").unwrap(),
            line_with_certificate("acme", Role::Produce).unwrap(),
        ];
        std::fs::write(&users, lines.join("\n")).unwrap();
        let mut kafka = Kafka::own("TLS", |config| {
            config.tls = Some(files.clone());
            config.users_file = Some(users);
            config.reload_check_ms = 20;
        })?;
        kafka.clients_have(&ops(&authority.ca()));
        Some(Self { kafka, authority, files })
    }
}

fn ops(ca: &Path) -> Vec<(&'static str, &str)> {
    vec![
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "ops"),
        ("sasl.password", "ops-secret"),
        ("ssl.ca.location", ca.to_str().unwrap()),
    ]
}

fn with_certificate<'a>(ca: &'a Path, certificate: &'a Path, key: &'a Path) -> Vec<(&'static str, &'a str)> {
    vec![
        ("security.protocol", "ssl"),
        ("ssl.ca.location", ca.to_str().unwrap()),
        ("ssl.certificate.location", certificate.to_str().unwrap()),
        ("ssl.key.location", key.to_str().unwrap()),
    ]
}

/// Whether a client with these settings gets in.
fn gets_in(kafka: &Kafka, settings: &[(&str, &str)]) -> bool {
    let producer = kafka.producer(settings);
    producer.client().fetch_metadata(None, Duration::from_secs(2)).is_ok()
}

#[test]
fn passwords_and_logs_travel_encrypted() {
    let Some(Encrypted { kafka, authority: _authority, .. }) = Encrypted::start(|_| {}) else { return };
    let topic = kafka.topic(1);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        kafka.producer(&[("sasl.mechanism", mechanism)]).send(&topic, 0, &values(mechanism, 2));
    }
    assert_eq!(kafka.committed(&topic).len(), 6);
    let large = vec!["x".repeat(900_000); 5];
    kafka.producer(&[]).send(&topic, 0, &large);
    assert_eq!(kafka.committed(&topic).len(), 11);
}

#[test]
fn a_certificate_says_who_its_owner_is() {
    let Some(Encrypted { kafka, authority, .. }) = Encrypted::start(|_| {}) else { return };
    let (certificate, key) = authority.sign("acme");
    let ca = authority.ca();
    let acme = with_certificate(&ca, &certificate, &key);
    kafka.producer(&acme).send("logs.acme.auth", 0, &values("v", 3));
    assert!(kafka.producer(&acme).try_send("logs.zeta.auth", 0, &values("v", 1))[0].is_err());
    assert_eq!(kafka.committed("logs.acme.auth"), values("v", 3));
}

#[test]
fn certificates_of_strangers_let_no_one_in() {
    let Some(Encrypted { kafka, authority, .. }) = Encrypted::start(|_| {}) else { return };
    let ca = authority.ca();
    let (certificate, key) = authority.sign("no-user");
    assert!(!gets_in(&kafka, &with_certificate(&ca, &certificate, &key)));
    let (certificate, key) = Authority::new().into_signed("acme", &authority);
    assert!(!gets_in(&kafka, &with_certificate(&ca, &certificate, &key)));
    assert!(!gets_in(&kafka, &[("security.protocol", "ssl")]), "neither certificate nor password");
    assert!(gets_in(&kafka, &[]));
}

impl Authority {
    /// What this authority signs, beside the files of another.
    fn into_signed(self, name: &str, beside: &Self) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.sign(name);
        let place = |from: &Path, kind: &str| {
            let to = beside.dir.path().join(format!("foreign-{name}.{kind}"));
            std::fs::copy(from, &to).unwrap();
            to
        };
        (place(&certificate, "pem"), place(&key, "key"))
    }
}

#[test]
fn a_password_alone_is_not_enough_where_certificates_are_required() {
    let required = |files: &mut TlsFiles| files.client_certificate_required = true;
    let Some(Encrypted { kafka, authority, .. }) = Encrypted::start(required) else { return };
    assert!(!gets_in(&kafka, &[]));
    let (certificate, key) = authority.sign("anyone");
    let certificate = [
        ("ssl.certificate.location", certificate.to_str().unwrap()),
        ("ssl.key.location", key.to_str().unwrap()),
    ];
    assert!(gets_in(&kafka, &certificate));
}

#[test]
fn certificates_are_exchanged_while_the_broker_runs() {
    let Some(Encrypted { kafka, authority, files }) = Encrypted::start(|_| {}) else { return };
    let next = Authority::new();
    let next_ca = next.ca();
    assert!(!gets_in(&kafka, &ops(&next_ca)));
    std::fs::write(&files.key, "not a key").unwrap(); // half done: the old pair stays
    assert!(gets_in(&kafka, &[]));
    let (certificate, key) = next.sign("broker");
    std::fs::copy(certificate, &files.certificate).unwrap();
    std::fs::copy(key, &files.key).unwrap();
    poll_until(&[], || gets_in(&kafka, &ops(&next_ca)));
    assert!(!gets_in(&kafka, &ops(&authority.ca())));
}

#[test]
fn a_client_without_tls_is_turned_away() {
    let Some(Encrypted { kafka, authority: _authority, .. }) = Encrypted::start(|_| {}) else { return };
    let mut stream = connect(&kafka);
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).unwrap_or(0);
    assert!(told.is_empty() || told[0] == 21, "an alert at most: {told:?}");
    assert!(!gets_in(
        &kafka,
        &[("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "SCRAM-SHA-512")]
    ));
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("broker");
    let files = TlsFiles { certificate, key, ..TlsFiles::default() };
    let Some(kafka) = Kafka::own("silent clients", |config| {
        config.tls = Some(files);
        config.stalled_ms_max = 200;
    }) else {
        return;
    };
    let mut stream = connect(&kafka);
    stream.write_all(&[22, 3, 1]).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[test]
fn files_that_are_no_certificate_or_no_pair_are_named() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("broker");
    let (_, other_key) = authority.sign("other");
    let refusal = |certificate: &Path, key: &Path| {
        let dir = TempDir::new().unwrap();
        let mut config = BrokerConfig::new(dir.path());
        config.listen.set_port(0);
        let files = TlsFiles { certificate: certificate.into(), key: key.into(), ..TlsFiles::default() };
        config.tls = Some(files);
        let started = tokio::runtime::Runtime::new().unwrap().block_on(Broker::start(config));
        started.unwrap_err().to_string()
    };
    assert!(refusal(&key, &key).contains("broker.key holds no certificate"));
    assert!(refusal(&certificate, &certificate).contains("holds no private key"));
    assert!(refusal(&certificate, &other_key).contains("are no pair"));
    assert!(refusal(&certificate, Path::new("/nowhere")).contains("cannot read /nowhere"));
}
