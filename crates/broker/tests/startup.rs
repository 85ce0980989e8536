//! When a broker starts, and when it refuses to.

use std::io::Read;
use std::net::TcpStream;

use broker::{Broker, BrokerConfig, BrokerError};
use tempfile::TempDir;

use crate::harness::Kafka;

fn start(config: BrokerConfig) -> Result<Broker, BrokerError> {
    tokio::runtime::Runtime::new().unwrap().block_on(Broker::start(config))
}

#[test]
fn a_listener_beyond_loopback_needs_to_be_allowed() {
    let dir = TempDir::new().unwrap();
    let mut config = BrokerConfig::new(dir.path());
    config.listen = "0.0.0.0:0".parse().unwrap();
    let refusal = start(config.clone()).unwrap_err().to_string();
    assert!(refusal.contains("without TLS and users"), "{refusal}");
    assert!(refusal.contains("allow_insecure_listen"), "{refusal}");
    let users = dir.path().join("users");
    std::fs::write(&users, "ops admin\n").unwrap();
    config.users_file = Some(users);
    let refusal = start(config.clone()).unwrap_err().to_string();
    assert!(refusal.contains("without TLS would"), "{refusal}");
    config.allow_insecure_listen = true;
    start(config).unwrap();
}

#[test]
fn a_data_directory_in_use_is_refused() {
    let Some(kafka) = Kafka::own("two brokers on one directory", |_| {}) else { return };
    let mut config = BrokerConfig::new(kafka.data_dir());
    config.listen.set_port(0);
    let refusal = start(config).unwrap_err();
    assert!(matches!(refusal, BrokerError::InUse(_)), "{refusal}");
}

#[test]
fn topics_without_a_journal_are_not_thrown_away() {
    let Some(mut kafka) = Kafka::own("a lost journal", |_| {}) else { return };
    kafka.topic(1);
    kafka.stop();
    std::fs::remove_file(kafka.data_dir().join("journal")).unwrap();
    let mut config = BrokerConfig::new(kafka.data_dir());
    config.listen.set_port(0);
    let refusal = start(config).unwrap_err();
    assert!(matches!(refusal, BrokerError::Damaged(_)), "{refusal}");
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let Some(kafka) = Kafka::own("a limit of connections", |config| config.connections_max = 2) else {
        return;
    };
    let connect = || TcpStream::connect(&kafka.bootstrap).unwrap();
    let _kept = [connect(), connect()];
    let mut third = connect();
    assert!(matches!(third.read(&mut [0; 1]), Ok(0) | Err(_)));
}

#[test]
fn what_happens_is_counted() {
    let Some(kafka) = Kafka::own("metrics", |_| {}) else { return };
    let topic = kafka.topic(3);
    kafka.producer(&[]).send(&topic, 0, &["value".into()]);
    let metrics = kafka.metrics();
    assert_eq!((metrics.topics, metrics.partitions, metrics.open_transactions), (1, 3, 0));
    assert!(metrics.requests > 0 && metrics.bytes_in > 0 && metrics.bytes_out > 0, "{metrics:?}");
    assert!(metrics.log_bytes > 0 && metrics.fsyncs > 0 && metrics.fsync_seconds > 0.0, "{metrics:?}");
}
