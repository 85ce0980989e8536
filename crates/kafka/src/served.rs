//! A producer whose events (deliveries, errors) a thread of its own takes.
//!
//! librdkafka's Rust wrapper has such a thread, which asks every 100 ms and spends the last, broken millisecond of
//! each wait asking without end: a hundredth of a core for each producer of an idle process. This one waits longer.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer, ProducerContext, PurgeConfig};

/// How long one wait is. An event ends it at once; only the end of the producer is waited for.
const WAIT: Duration = Duration::from_secs(1);

/// A producer and the thread that serves it, which goes with it.
pub(crate) struct Served<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    stopped: Arc<AtomicBool>,
}

impl<C: ProducerContext + 'static> Served<C> {
    pub(crate) fn start(producer: BaseProducer<C>) -> std::io::Result<Self> {
        let (producer, stopped) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (served, stop) = (Arc::clone(&producer), Arc::clone(&stopped));
        std::thread::Builder::new().name("kafka producer".into()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                served.poll(WAIT);
            }
        })?;
        Ok(Self { producer, stopped })
    }
}

impl<C: ProducerContext + 'static> Deref for Served<C> {
    type Target = BaseProducer<C>;
    fn deref(&self) -> &BaseProducer<C> {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for Served<C> {
    /// Nobody waits for the thread, which holds the producer for as long as its wait lasts, and sends nothing more.
    fn drop(&mut self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        self.stopped.store(true, Ordering::Relaxed);
    }
}
