//! A producer that remembers what became of each record.

use std::ops::Deref;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use super::{PATIENCE, record};

/// Where a record was put, or why not.
type Delivered = Result<(i32, i64), KafkaError>;

#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Vec<Delivered>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let delivered = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().unwrap().push(delivered);
    }
}

pub(crate) struct Producer(ThreadedProducer<Deliveries>);

impl Producer {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self(config.create_with_context(Deliveries::default()).unwrap())
    }

    /// Hands over records without waiting.
    pub(crate) fn queue(&self, topic: &str, partition: i32, values: &[String]) {
        for value in values {
            self.0.send(record(topic, partition, value)).map_err(|(error, _)| error).unwrap();
        }
    }

    /// Sends records and waits until each is delivered.
    pub(crate) fn send(&self, topic: &str, partition: i32, values: &[String]) -> Vec<(i32, i64)> {
        self.try_send(topic, partition, values).into_iter().map(Result::unwrap).collect()
    }

    /// Sends records and waits until it is known what became of each.
    pub(crate) fn try_send(&self, topic: &str, partition: i32, values: &[String]) -> Vec<Delivered> {
        self.queue(topic, partition, values);
        self.flushed()
    }

    /// Waits until it is known what became of everything handed over.
    pub(crate) fn flushed(&self) -> Vec<Delivered> {
        self.0.flush(PATIENCE).unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.0.in_flight_count() > 0 && std::time::Instant::now() < deadline {
            self.0.poll(Duration::from_millis(10));
        }
        std::mem::take(&mut *self.0.context().0.lock().unwrap())
    }
}

impl Deref for Producer {
    type Target = ThreadedProducer<Deliveries>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
