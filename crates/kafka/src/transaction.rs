//! Outputs and positions in one Kafka transaction.

use std::sync::Arc;
use std::time::Instant;

use event::Positions;
use pipeline::{Metrics, OutRecord, Sink, SinkError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;
use tracing::warn;

use crate::context::Context;
use crate::producer::{STEP_TIMEOUT, StageProducer, named, offsets};
use crate::{Connection, KafkaSource};

/// Writes a stage's records and its source's positions in one transaction.
pub struct TransactionSink {
    producer: StageProducer,
    consumer: Arc<BaseConsumer<Context>>,
    stage: &'static str,
    metrics: Metrics,
}

impl TransactionSink {
    /// A producer whose `transactional_id` belongs to this instance alone: an older holder of it is fenced.
    pub fn new(
        connection: &Connection,
        stage: &'static str,
        transactional_id: &str,
        source: &KafkaSource,
        metrics: Metrics,
    ) -> Result<Self, SinkError> {
        let producer = StageProducer::create(connection, stage, Some(transactional_id))?;
        producer.inner.init_transactions(STEP_TIMEOUT).map_err(|error| named("init transactions", &error))?;
        Ok(Self { producer, consumer: source.consumer(), stage, metrics })
    }

    fn transact(&self, records: &[OutRecord], positions: &Positions) -> Result<(), SinkError> {
        self.producer.inner.begin_transaction().map_err(|error| named("begin transaction", &error))?;
        self.producer.produce(records)?;
        if !positions.is_empty() {
            let offsets = offsets(positions)?;
            let group =
                self.consumer.group_metadata().ok_or_else(|| SinkError::Interrupted("no group".into()))?;
            self.producer
                .inner
                .send_offsets_to_transaction(&offsets, &group, STEP_TIMEOUT)
                .map_err(|error| named("send offsets", &error))?;
        }
        self.producer.flush(STEP_TIMEOUT);
        self.commit()
    }

    /// A commit whose outcome is not known is asked again; the broker answers the same.
    fn commit(&self) -> Result<(), SinkError> {
        let deadline = Instant::now() + STEP_TIMEOUT;
        loop {
            match self.producer.inner.commit_transaction(STEP_TIMEOUT) {
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
                    && let Err(error) = self.producer.inner.abort_transaction(STEP_TIMEOUT)
                {
                    // The next holder of the transactional id aborts it.
                    warn!(stage = self.stage, %error, "transaction could not be aborted");
                }
                Err(error)
            }
        }
    }
}
