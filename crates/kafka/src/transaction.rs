//! Outputs and positions in one Kafka transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event::Positions;
use pipeline::{Metrics, OutRecord, Sink, SinkError, StartAt};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracing::{debug, warn};

use crate::context::Context;
use crate::{Connection, KafkaSource};

/// Writes a stage's records and its source's positions in one transaction.
pub struct TransactionSink {
    producer: ThreadedProducer<ProducerSide>,
    consumer: Arc<BaseConsumer<Context>>,
    stage: &'static str,
    metrics: Metrics,
}

struct ProducerSide(Context);

impl ClientContext for ProducerSide {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for ProducerSide {
    type DeliveryOpaque = ();
    /// A record that cannot be delivered makes its transaction fail; nothing is to be done here.
    fn delivery(&self, result: &rdkafka::message::DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            debug!(%error, "a record of a transaction was not delivered");
        }
    }
}

/// How long one step of a transaction may take before the stage starts again.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the broker keeps a transaction open whose owner is gone for good. Everything that was
/// written after it waits that long for its readers.
const TIMEOUT_MS: u32 = 10_000;

impl TransactionSink {
    /// A producer whose `transactional_id` belongs to this instance alone: an older holder of it is fenced.
    pub fn new(
        connection: &Connection,
        stage: &'static str,
        transactional_id: &str,
        source: &KafkaSource,
        metrics: Metrics,
    ) -> Result<Self, SinkError> {
        let context = ProducerSide(Context::new(format!("{stage}-producer"), StartAt::Committed, false));
        let producer: ThreadedProducer<ProducerSide, NoCustomPartitioner> = connection
            .client(&format!("{stage}-producer"))
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", TIMEOUT_MS.to_string())
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            .set("message.max.bytes", "16777216")
            .set("queue.buffering.max.kbytes", "131072")
            .set("max.in.flight.requests.per.connection", "5")
            .create_with_context(context)
            .map_err(|error| SinkError::Misconfigured(format!("create producer: {error}")))?;
        producer.init_transactions(STEP_TIMEOUT).map_err(|error| named("init transactions", &error))?;
        Ok(Self { producer, consumer: source.consumer(), stage, metrics })
    }

    fn produce(&self, records: &[OutRecord]) -> Result<(), SinkError> {
        for record in records {
            let deadline = Instant::now() + STEP_TIMEOUT;
            let mut out = BaseRecord::<str, [u8]>::to(&record.topic).payload(&record.payload);
            out.partition = record.partition;
            out.key = record.key.as_deref();
            while let Err((error, back)) = self.producer.send(out) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull)
                    || Instant::now() > deadline
                {
                    return Err(named("produce", &error));
                }
                self.flush(Duration::from_millis(100));
                out = back;
            }
        }
        Ok(())
    }

    /// librdkafka's own flush on the native handle: the wrapper's waits at least 100 ms, this one
    /// returns when the last acknowledgement is in (measured: 4 to 7 ms a transaction against 200).
    #[expect(unsafe_code, reason = "rd_kafka_flush on a handle that the producer keeps alive")]
    fn flush(&self, timeout: Duration) {
        // SAFETY: the pointer is valid for as long as `self.producer` lives.
        unsafe {
            rdkafka::bindings::rd_kafka_flush(
                self.producer.client().native_ptr(),
                timeout.as_millis() as i32,
            );
        }
    }

    fn transact(&self, records: &[OutRecord], positions: &Positions) -> Result<(), SinkError> {
        self.producer.begin_transaction().map_err(|error| named("begin transaction", &error))?;
        self.produce(records)?;
        if !positions.is_empty() {
            let offsets = offsets(positions)?;
            let group =
                self.consumer.group_metadata().ok_or_else(|| SinkError::Interrupted("no group".into()))?;
            self.producer
                .send_offsets_to_transaction(&offsets, &group, STEP_TIMEOUT)
                .map_err(|error| named("send offsets", &error))?;
        }
        self.flush(STEP_TIMEOUT);
        self.commit()
    }

    /// A commit whose outcome is not known is asked again; the broker answers the same.
    fn commit(&self) -> Result<(), SinkError> {
        let deadline = Instant::now() + STEP_TIMEOUT;
        loop {
            match self.producer.commit_transaction(STEP_TIMEOUT) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                    warn!(stage = self.stage, %error, "commit is asked again");
                }
                Err(error) => return Err(named("commit transaction", &error)),
            }
        }
    }

    fn count(&self, outcome: &str) {
        let label =
            pipeline::metrics::OutcomeLabel { stage: self.stage.to_owned(), outcome: outcome.to_owned() };
        self.metrics.transactions.get_or_create(&label).inc();
    }
}

impl Sink<Vec<OutRecord>> for TransactionSink {
    fn deliver(&mut self, records: Vec<OutRecord>, positions: &Positions) -> Result<bool, SinkError> {
        if records.is_empty() && positions.is_empty() {
            return Ok(false);
        }
        match self.transact(&records, positions) {
            Ok(()) => {
                self.count("committed");
                Ok(true)
            }
            Err(error) => {
                self.count(if matches!(error, SinkError::Fenced(_)) { "fenced" } else { "aborted" });
                if matches!(error, SinkError::Interrupted(_))
                    && let Err(error) = self.producer.abort_transaction(STEP_TIMEOUT)
                {
                    // The next holder of the transactional id aborts it.
                    warn!(stage = self.stage, %error, "transaction could not be aborted");
                }
                Err(error)
            }
        }
    }
}

fn offsets(positions: &Positions) -> Result<TopicPartitionList, SinkError> {
    let mut list = TopicPartitionList::new();
    for (topic, partition, next) in positions.iter() {
        list.add_partition_offset(topic, partition, Offset::Offset(next))
            .map_err(|error| SinkError::Interrupted(format!("list offsets: {error}")))?;
    }
    Ok(list)
}

fn named(step: &str, error: &KafkaError) -> SinkError {
    let text = format!("{step}: {error}");
    match error {
        KafkaError::Transaction(inner) if inner.is_fatal() => SinkError::Fenced(text),
        _ => match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::Fenced) => SinkError::Fenced(text),
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
            ) => SinkError::Misconfigured(text),
            Some(RDKafkaErrorCode::InvalidTransactionTimeout) => SinkError::Misconfigured(format!(
                "{text}: raise the broker's transaction.max.timeout.ms to {TIMEOUT_MS}"
            )),
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => SinkError::Misconfigured(format!(
                "{text}: a topic of ours takes smaller records than we write; set max.message.bytes=16777216 on \
                 the topics that begin with kafka.prefix"
            )),
            _ => SinkError::Interrupted(text),
        },
    }
}
