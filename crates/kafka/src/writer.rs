//! Appending raw logs: idempotent, acknowledged by all replicas.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use tokio::sync::oneshot;
use tracing::warn;

use crate::Connection;
use crate::served::Served;

/// How often a wait for the broker looks whether it makes sense to wait on.
const FLUSH_STEP: Duration = Duration::from_millis(200);

/// Where an acknowledged record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// Why a record was not appended.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The writer holds as much as it may; try again in a moment.
    #[error("too many records wait for the broker")]
    Busy,
    /// The broker will not take a record of this size.
    #[error("record is larger than the broker takes")]
    TooLarge,
    /// The broker did not answer, or refused.
    #[error("broker did not take the record: {0}")]
    Unavailable(String),
}

impl From<&KafkaError> for WriteError {
    fn from(error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Self::Busy,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Self::TooLarge,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

type Answer = oneshot::Sender<Result<Appended, WriteError>>;

#[derive(Default)]
struct Deliveries {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    /// What the last record that failed met with.
    last_failure: Mutex<Option<String>>,
    /// What the last connection that failed met with.
    last_trouble: Mutex<Option<String>>,
    /// The broker does not let us in; no waiting helps then.
    turned_away: AtomicBool,
}

impl Deliveries {
    fn note(of: &Mutex<Option<String>>, why: String) {
        *of.lock().expect("no holder of this lock panics") = Some(why);
    }

    fn noted(of: &Mutex<Option<String>>) -> Option<String> {
        of.lock().expect("no holder of this lock panics").clone()
    }
}

struct Side(Arc<Deliveries>);

impl ClientContext for Side {
    fn error(&self, error: KafkaError, reason: &str) {
        warn!(%error, reason, "kafka producer");
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => return, // it says no more than the others did
            Some(RDKafkaErrorCode::Authentication) => self.0.turned_away.store(true, Ordering::Relaxed),
            _ => {}
        }
        Deliveries::note(&self.0.last_trouble, reason.to_owned());
    }
}

impl ProducerContext for Side {
    type DeliveryOpaque = Box<Option<Answer>>;
    fn delivery(&self, result: &DeliveryResult<'_>, answer: Box<Option<Answer>>) {
        let outcome = match result {
            Ok(message) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
                Ok(Appended { partition: message.partition(), offset: message.offset() })
            }
            Err((error, _)) => {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
                Deliveries::note(&self.0.last_failure, error.to_string());
                Err(WriteError::from(error))
            }
        };
        if let Some(answer) = *answer {
            // Whoever asked may have gone; the record is where it is all the same.
            drop(answer.send(outcome));
        }
    }
}

/// How long a record is tried, unless the connection's properties say otherwise.
const PATIENCE_MS: &str = "30000";

/// Appends records to any topic.
#[derive(Clone)]
pub struct LogWriter {
    producer: Arc<Served<Side>>,
    deliveries: Arc<Deliveries>,
}

impl LogWriter {
    /// Connects; nothing is sent until the first record.
    pub fn new(connection: &Connection, name: &str) -> Result<Self, WriteError> {
        let deliveries = Arc::new(Deliveries::default());
        let patience = connection.properties.get("delivery.timeout.ms").map_or(PATIENCE_MS, String::as_str);
        let producer: BaseProducer<Side> = connection
            .client(name)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.max.bytes", "10485760")
            .set("queue.buffering.max.kbytes", "131072")
            .set("queue.buffering.max.messages", "500000")
            .set("batch.num.messages", "20000")
            .set("delivery.timeout.ms", patience)
            .create_with_context(Side(Arc::clone(&deliveries)))
            .map_err(|error| WriteError::from(&error))?;
        let producer = Served::start(producer)
            .map_err(|error| WriteError::Unavailable(format!("start the producer's thread: {error}")))?;
        Ok(Self { producer: Arc::new(producer), deliveries })
    }

    /// Appends one record and waits for the broker to have it.
    pub async fn append(
        &self,
        topic: &str,
        key: Option<&str>,
        payload: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Appended, WriteError> {
        let (answer, answered) = oneshot::channel();
        self.send(topic, key, payload, headers, Some(answer)).map_err(|error| WriteError::from(&error))?;
        answered.await.unwrap_or_else(|_| Err(WriteError::Unavailable("producer was closed".into())))
    }

    /// Hands one record over, waiting for room but not for the broker; see [`LogWriter::flush`].
    pub fn push(
        &self,
        topic: &str,
        key: Option<&str>,
        payload: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<(), WriteError> {
        loop {
            match self.send(topic, key, payload, headers, None) {
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    self.flush_some(Duration::from_millis(20));
                }
                other => return other.map_err(|error| WriteError::from(&error)),
            }
        }
    }

    /// Waits until the broker has everything that was pushed, or says how much it has not, and why.
    pub fn flush(&self, timeout: Duration) -> Result<u64, WriteError> {
        let deadline = Instant::now() + timeout;
        let makes_sense =
            || Instant::now() < deadline && !self.deliveries.turned_away.load(Ordering::Relaxed);
        while self.producer.in_flight_count() > 0 && makes_sense() {
            self.flush_some(FLUSH_STEP);
        }
        let failed = self.deliveries.failed.load(Ordering::Relaxed);
        let waiting = self.producer.in_flight_count();
        if failed == 0 && waiting == 0 {
            return Ok(self.acknowledged());
        }
        let causes = [&self.deliveries.last_failure, &self.deliveries.last_trouble];
        let causes = causes.into_iter().filter_map(Deliveries::noted).map(|cause| format!("; {cause}"));
        let causes: String = causes.collect();
        Err(WriteError::Unavailable(format!("{failed} records failed, {waiting} still wait{causes}")))
    }

    /// How many records the broker has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.acknowledged.load(Ordering::Relaxed)
    }

    #[expect(unsafe_code, reason = "rd_kafka_flush on a handle that the producer keeps alive")]
    fn flush_some(&self, timeout: Duration) {
        // SAFETY: the pointer is valid for as long as `self.producer` lives.
        unsafe {
            rdkafka::bindings::rd_kafka_flush(
                self.producer.client().native_ptr(),
                timeout.as_millis() as i32,
            );
        }
    }

    fn send(
        &self,
        topic: &str,
        key: Option<&str>,
        payload: &[u8],
        headers: &[(&str, &str)],
        answer: Option<Answer>,
    ) -> Result<(), KafkaError> {
        let mut record = BaseRecord::with_opaque_to(topic, Box::new(answer)).payload(payload);
        record.key = key;
        if !headers.is_empty() {
            let list = headers.iter().fold(OwnedHeaders::new(), |list, (key, value)| {
                list.insert(Header { key, value: Some(*value) })
            });
            record = record.headers(list);
        }
        self.producer.send(record).map_err(|(error, _)| error)
    }
}
