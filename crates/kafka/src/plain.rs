//! Outputs first and positions after them: no transaction, and some of it once more after a crash.

use std::sync::Arc;

use event::Positions;
use pipeline::{OutRecord, Sink, SinkError};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::Producer;

use crate::context::Context;
use crate::producer::{STEP_TIMEOUT, StageProducer, named, offsets};
use crate::{Connection, KafkaSource};

/// Writes a stage's records, waits for them, and then commits its source's positions. Whoever dies
/// in between has its successor write them again.
pub struct AtLeastOnceSink {
    producer: StageProducer,
    consumer: Arc<BaseConsumer<Context>>,
}

impl AtLeastOnceSink {
    /// An idempotent producer beside the source's consumer.
    pub fn new(
        connection: &Connection,
        stage: &'static str,
        source: &KafkaSource,
    ) -> Result<Self, SinkError> {
        Ok(Self { producer: StageProducer::create(connection, stage, None)?, consumer: source.consumer() })
    }
}

impl Sink<Vec<OutRecord>> for AtLeastOnceSink {
    fn deliver(&mut self, records: Vec<OutRecord>, positions: &Positions) -> Result<bool, SinkError> {
        if records.is_empty() && positions.is_empty() {
            return Ok(false);
        }
        self.producer.produce(&records)?;
        self.producer.flush(STEP_TIMEOUT);
        if let Some(error) = self.producer.failure() {
            return Err(named("produce", &error));
        }
        let waiting = self.producer.inner.in_flight_count();
        if waiting > 0 {
            let patience = STEP_TIMEOUT.as_secs();
            return Err(SinkError::Interrupted(format!(
                "{waiting} records were not acknowledged within {patience} s"
            )));
        }
        if !positions.is_empty() {
            self.consumer
                .commit(&offsets(positions)?, CommitMode::Sync)
                .map_err(|error| named("commit offsets", &error))?;
        }
        Ok(true)
    }
}
