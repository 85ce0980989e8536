//! Who may come in, and what each may do there.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use broker::users::{Role, line_with_password};
use kafka_protocol::messages::{ApiKey, MetadataRequest, SaslHandshakeRequest, SaslHandshakeResponse};
use kafka_protocol::protocol::StrBytes;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use tempfile::TempDir;

use crate::harness::raw::{ask, connect, request};
use crate::harness::{Kafka, PATIENCE, poll_until, values};

const OPS: [(&str, &str); 4] = [
    ("security.protocol", "sasl_plaintext"),
    ("sasl.mechanism", "SCRAM-SHA-512"),
    ("sasl.username", "ops"),
    ("sasl.password", "ops-secret"),
];
const ACME: [(&str, &str); 2] = [("sasl.username", "acme"), ("sasl.password", "acme-secret")];

/// A broker with an administrator and a producer, whose clients are the administrator's unless
/// they say otherwise.
struct Guarded {
    kafka: Kafka,
    dir: TempDir,
}

impl Guarded {
    fn start() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        write_users(&dir, &[("ops", Role::Admin), ("acme", Role::Produce)]);
        let mut kafka = Kafka::own("users", |config| {
            config.users_file = Some(dir.path().join("users"));
            config.reload_check_ms = 20;
            config.own_listener = true;
        })?;
        kafka.clients_have(&OPS);
        Some(Self { kafka, dir })
    }
}

/// Each user's password is its name with `-secret` behind it.
fn write_users(dir: &TempDir, users: &[(&str, Role)]) {
    let line =
        |(name, role): &(&str, Role)| line_with_password(name, *role, &format!("{name}-secret")).unwrap();
    let lines: Vec<_> = users.iter().map(line).collect();
    std::fs::write(dir.path().join("users"), lines.join("\n")).unwrap();
}

/// What a client is told when it cannot come in.
fn refusal(consumer: &BaseConsumer) -> RDKafkaErrorCode {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown))) | None => {}
            Some(Err(KafkaError::MessageConsumption(code))) => return code,
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing was said for {PATIENCE:?}");
}

fn code<T>(result: Result<T, KafkaError>) -> RDKafkaErrorCode {
    result.err().and_then(|error| error.rdkafka_error_code()).unwrap_or(RDKafkaErrorCode::NoError)
}

#[test]
fn a_producer_fills_its_own_topics_and_an_administrator_reads_them() {
    let Some(Guarded { kafka, dir: _dir }) = Guarded::start() else { return };
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let idempotent = [("sasl.mechanism", mechanism), ("enable.idempotence", "true")];
        let producer = kafka.producer(&[&ACME[..], &idempotent].concat());
        let topic = format!("logs.acme.{}", mechanism.to_lowercase());
        producer.send(&topic, 0, &values("line", 10));
        assert_eq!(kafka.committed(&topic), values("line", 10));
    }
}

#[test]
fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let Some(Guarded { kafka, dir: _dir }) = Guarded::start() else { return };
    for (name, password) in [("acme", "wrong"), ("nobody", "acme-secret")] {
        let consumer = kafka.consumer("g", &[("sasl.username", name), ("sasl.password", password)]);
        consumer.subscribe(&["logs.acme.x"]).unwrap();
        assert_eq!(refusal(&consumer), RDKafkaErrorCode::Authentication, "{name}");
    }
    assert!(kafka.metrics().authentication_failures >= 2);
}

#[test]
fn a_producer_can_neither_write_elsewhere_nor_read_nor_administer() {
    let Some(Guarded { kafka, dir: _dir }) = Guarded::start() else { return };
    let theirs = kafka.topic(1);
    let producer = kafka.producer(&ACME);
    let written = producer.try_send(&theirs, 0, &values("v", 1)).remove(0);
    assert_eq!(code(written), RDKafkaErrorCode::TopicAuthorizationFailed);
    let seen = producer.client().fetch_metadata(None, PATIENCE).unwrap();
    assert!(seen.topics().is_empty(), "another's topics are not to be seen");

    producer.send("logs.acme.auth", 0, &values("v", 1));
    let reader = kafka.consumer("g", &ACME);
    assert_eq!(
        code(reader.fetch_watermarks("logs.acme.auth", 0, PATIENCE)),
        RDKafkaErrorCode::TopicAuthorizationFailed
    );
    reader.subscribe(&["logs.acme.auth"]).unwrap();
    assert_eq!(refusal(&reader), RDKafkaErrorCode::GroupAuthorizationFailed);

    kafka.wait(async {
        let mut asked = rdkafka::config::ClientConfig::new();
        asked.set("bootstrap.servers", &kafka.bootstrap);
        for (name, value) in OPS.iter().chain(&ACME) {
            asked.set(*name, *value);
        }
        let admin: rdkafka::admin::AdminClient<_> = asked.create().unwrap();
        let new = NewTopic::new("logs.acme.made", 1, TopicReplication::Fixed(1));
        let made = admin.create_topics(&[new], &AdminOptions::new()).await.unwrap();
        assert_eq!(made[0].as_ref().unwrap_err().1, RDKafkaErrorCode::TopicAuthorizationFailed);
        let gone = admin.delete_topics(&[&theirs], &AdminOptions::new()).await.unwrap();
        assert_eq!(gone[0].as_ref().unwrap_err().1, RDKafkaErrorCode::TopicAuthorizationFailed);
    });
    let transactional = kafka.producer(&[&ACME[..], &[("transactional.id", "t")]].concat());
    let refused = transactional.init_transactions(PATIENCE);
    assert_eq!(code(refused), RDKafkaErrorCode::TransactionalIdAuthorizationFailed);
}

#[test]
fn a_producer_makes_so_many_topics_and_no_more() {
    let Some(Guarded { kafka, dir: _dir }) = Guarded::start() else { return };
    let producer = kafka.producer(&[&ACME[..], &[("message.timeout.ms", "3000")]].concat());
    for feed in 0..64 {
        producer.queue(&format!("logs.acme.{feed}"), 0, &values("v", 1));
    }
    assert!(producer.flushed().iter().all(Result::is_ok));
    let refused = producer.try_send("logs.acme.another", 0, &values("v", 1)).remove(0);
    assert!(refused.is_err());
    assert_eq!(kafka.metrics().topics, 64);
}

#[test]
fn nothing_is_answered_to_one_who_has_not_said_who_it_is() {
    let Some(Guarded { kafka, dir: _dir }) = Guarded::start() else { return };
    let mut stream = connect(&kafka);
    stream.write_all(&request(ApiKey::Metadata, 9, &MetadataRequest::default())).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    // Nor may it send much.
    let mut stream = connect(&kafka);
    stream.write_all(&1_000_000_u32.to_be_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn a_password_is_not_taken_in_the_clear() {
    let Some(Guarded { kafka, dir: _dir }) = Guarded::start() else { return };
    let plain = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    let answer: SaslHandshakeResponse = ask(&kafka, ApiKey::SaslHandshake, 1, &plain);
    assert_eq!(answer.error_code, 33, "UNSUPPORTED_SASL_MECHANISM");
    assert_eq!(answer.mechanisms, ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(StrBytes::from_static_str));
}

#[test]
fn a_listener_without_users_says_that_it_does_not_ask() {
    let Some(kafka) = Kafka::own("no users", |_| {}) else { return };
    let plain = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    let answer: SaslHandshakeResponse = ask(&kafka, ApiKey::SaslHandshake, 1, &plain);
    assert_eq!(answer.error_code, 34, "ILLEGAL_SASL_STATE");
}

#[test]
fn users_come_and_go_while_the_broker_runs() {
    let Some(Guarded { kafka, dir }) = Guarded::start() else { return };
    let producer = kafka.producer(&[&ACME[..], &[("message.timeout.ms", "2000")]].concat());
    producer.send("logs.acme.auth", 0, &values("v", 1));
    std::fs::write(dir.path().join("users"), "acme owner").unwrap(); // no such role: the old ones stay
    let later = Instant::now() + Duration::from_millis(200);
    poll_until(&[], || Instant::now() > later);
    producer.send("logs.acme.auth", 0, &values("v", 1));
    write_users(&dir, &[("ops", Role::Admin), ("zeta", Role::Produce)]);
    poll_until(&[], || producer.try_send("logs.acme.auth", 0, &values("v", 1))[0].is_err());
    let zeta = kafka.producer(&[("sasl.username", "zeta"), ("sasl.password", "zeta-secret")]);
    zeta.send("logs.zeta.auth", 0, &values("v", 1));
}

#[test]
fn the_process_itself_needs_no_user() {
    let Some(Guarded { mut kafka, dir: _dir }) = Guarded::start() else { return };
    let own = kafka.own_access();
    kafka.bootstrap = own.address.to_string();
    let settings = [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", own.username),
        ("sasl.password", own.password.as_str()),
    ];
    kafka.clients_have(&settings);
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 3));
    assert_eq!(kafka.committed(&topic), values("v", 3));
    let stranger = kafka.consumer("g", &[("sasl.password", "guessed")]);
    stranger.subscribe(&[&topic]).unwrap();
    assert_eq!(refusal(&stranger), RDKafkaErrorCode::Authentication);
}
