//! A producer whose events (deliveries, errors) a thread of its own takes.
//!
//! The wrapper's own `ThreadedProducer` has such a thread, too. It asks every 100 ms, and spends the last, broken
//! millisecond of each wait asking without end: a hundredth of a core for each producer of an idle process. This
//! one sleeps until librdkafka says that there is something, and so it also ends at once.

use std::ffi::c_void;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

/// A producer and the thread that serves it, which ends with it.
pub(crate) struct Served<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl<C: ProducerContext + 'static> Served<C> {
    pub(crate) fn start(producer: BaseProducer<C>) -> std::io::Result<Self> {
        let (producer, bell) = (Arc::new(producer), Arc::new(Bell::default()));
        let served = (Arc::clone(&producer), Arc::clone(&bell));
        let serve = move || serve(&*served.0, &served.1);
        let thread = std::thread::Builder::new().name("kafka producer".into()).spawn(serve)?;
        Ok(Self { producer, bell, thread: Some(thread) })
    }
}

impl<C: ProducerContext + 'static> Deref for Served<C> {
    type Target = BaseProducer<C>;
    fn deref(&self) -> &BaseProducer<C> {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for Served<C> {
    fn drop(&mut self) {
        self.bell.rings().is_over = true;
        self.bell.ring();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a kafka producer panicked");
        }
    }
}

/// Takes events as they come.
fn serve<C: ProducerContext>(producer: &BaseProducer<C>, bell: &Arc<Bell>) {
    let events = Events::of(producer, bell);
    while bell.wait() {
        while events.wait_to_be_taken() {
            // One event: with no time to wait, no second one is asked for.
            producer.poll(Duration::ZERO);
        }
    }
}

/// What the thread sleeps by.
#[derive(Default)]
struct Bell {
    rings: Mutex<Rings>,
    heard: Condvar,
}

#[derive(Default)]
struct Rings {
    has_rung: bool,
    is_over: bool,
}

impl Bell {
    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().expect("no holder of this lock panics")
    }

    fn ring(&self) {
        self.rings().has_rung = true;
        self.heard.notify_one();
    }

    /// Sleeps until it rings, unless it has meanwhile; false if that was the end.
    fn wait(&self) -> bool {
        let rings = self.rings();
        let mut rings =
            self.heard.wait_while(rings, |rings| !rings.has_rung).expect("no holder of this lock panics");
        rings.has_rung = false;
        !rings.is_over
    }
}

/// A producer's main queue, which rings a bell when something comes and nothing was there.
struct Events {
    queue: *mut native::rd_kafka_queue_t,
    /// librdkafka holds a pointer to it.
    _bell: Arc<Bell>,
}

#[expect(unsafe_code, reason = "the wrapper does not reach a producer's queue")]
impl Events {
    fn of<C: ProducerContext>(producer: &BaseProducer<C>, bell: &Arc<Bell>) -> Self {
        // SAFETY: the handle lives as long as the producer, which whoever calls keeps for longer than this. The
        // pointer to the bell is valid until `drop` has taken it back, for this holds the bell itself.
        let queue = unsafe {
            let queue = native::rd_kafka_queue_get_main(producer.client().native_ptr());
            native::rd_kafka_queue_cb_event_enable(queue, Some(ring), Arc::as_ptr(bell).cast_mut().cast());
            queue
        };
        // What came before anybody listened.
        bell.ring();
        Self { queue, _bell: Arc::clone(bell) }
    }

    fn wait_to_be_taken(&self) -> bool {
        // SAFETY: the queue is given back in `drop` alone.
        unsafe { native::rd_kafka_queue_length(self.queue) > 0 }
    }
}

#[expect(unsafe_code, reason = "the queue is given back")]
impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: nobody has the queue but this. The queue's lock is held while the bell is rung and while
        // it is taken away, so it does not ring afterwards.
        unsafe {
            native::rd_kafka_queue_cb_event_enable(self.queue, None, std::ptr::null_mut());
            native::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// librdkafka calls it, in a thread of its own, where an event comes to an empty queue.
#[expect(unsafe_code, reason = "it is called by C")]
unsafe extern "C" fn ring(_: *mut native::rd_kafka_t, bell: *mut c_void) {
    // SAFETY: `Events` has given the pointer and keeps what it points to.
    unsafe { &*bell.cast_const().cast::<Bell>() }.ring();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_that_rang_before_anybody_slept_is_heard() {
        let bell = Bell::default();
        bell.ring();
        assert!(bell.wait());
        assert!(!bell.rings().has_rung, "and heard once");
        bell.rings().is_over = true;
        bell.ring();
        assert!(!bell.wait());
    }
}
