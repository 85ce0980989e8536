//! Fetch: whole batches up to what is durable (or committed), waiting a while for the first.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::fetch_request::FetchRequest;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchResponse, FetchableTopicResponse, PartitionData,
};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use crate::frame::{FrameError, Request};
use crate::node::Node;
use crate::partition::{Isolation, Partition, Readable};
use crate::security::client::{Access, Client};

/// Reads larger than this are left to a thread that may block.
const READ_INLINE_BYTES_MAX: usize = 256 * 1024;
/// However much a client asks for, this is what it gets at once; a single batch may be larger.
pub(crate) const FETCH_BYTES_MAX: usize = 50 * 1024 * 1024;
const WAIT_MAX: Duration = Duration::from_secs(300);

/// One partition that a client wants.
struct Wanted {
    topic: usize,
    index: i32,
    partition: Result<Arc<Partition>, ResponseError>,
    offset: i64,
    bytes_max: usize,
}

type Found = Result<Readable, ResponseError>;

pub(super) async fn fetch(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let fetch: FetchRequest = request.decode()?;
    if fetch.session_id != 0 {
        let error = ResponseError::FetchSessionIdNotFound.code();
        return request.encode(&FetchResponse::default().with_error_code(error));
    }
    let isolation =
        if fetch.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let (topics, wanted) = resolve(node, &fetch, client);
    let found = wait_for_records(node, &wanted, isolation, &fetch).await;
    let bytes_max = usize::try_from(fetch.max_bytes).unwrap_or(0).min(FETCH_BYTES_MAX);
    let expected = expected_bytes(&wanted, &found).min(bytes_max);
    let memory = node.fetch_memory.clone().acquire_many_owned(expected as u32).await;
    let read = read_all(wanted, found, expected, bytes_max).await;
    let mut responses: Vec<_> =
        topics.into_iter().map(|topic| FetchableTopicResponse::default().with_topic(topic)).collect();
    for (topic, data) in read {
        if let Some(error) = ResponseError::try_from_code(data.error_code) {
            node.counters.count_error("Fetch", error);
        }
        responses[topic].partitions.push(data);
    }
    let response = request.encode(&FetchResponse::default().with_responses(responses))?;
    let memory = memory.expect("this semaphore is never closed");
    Ok(Bytes::from_owner(Held { response, _memory: memory }))
}

/// A response that gives back its memory when it is sent.
struct Held {
    response: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.response
    }
}

fn resolve(node: &Node, fetch: &FetchRequest, client: &Client) -> (Vec<TopicName>, Vec<Wanted>) {
    let mut wanted = Vec::new();
    for (position, topic) in fetch.topics.iter().enumerate() {
        let may = client.may(Access::Topic(&topic.topic));
        let found = may.map(|()| node.topics.get(&topic.topic));
        for asked in &topic.partitions {
            let partition = match &found {
                Ok(Some(topic)) => topic.partition(asked.partition).cloned(),
                Ok(None) => Err(ResponseError::UnknownTopicOrPartition),
                Err(denied) => Err(*denied),
            };
            wanted.push(Wanted {
                topic: position,
                index: asked.partition,
                partition,
                offset: asked.fetch_offset,
                bytes_max: usize::try_from(asked.partition_max_bytes).unwrap_or(0),
            });
        }
    }
    (fetch.topics.iter().map(|topic| topic.topic.clone()).collect(), wanted)
}

/// Looks until there is enough to answer, or the client has waited as long as it would.
async fn wait_for_records(
    node: &Node,
    wanted: &[Wanted],
    isolation: Isolation,
    fetch: &FetchRequest,
) -> Vec<Found> {
    let wait = Duration::from_millis(u64::try_from(fetch.max_wait_ms).unwrap_or(0)).min(WAIT_MAX);
    let deadline = Instant::now() + wait;
    let found = look(wanted, isolation);
    if is_enough(&found, fetch.min_bytes) || wait.is_zero() {
        return found;
    }
    loop {
        // Registered before looking, so that nothing slips in between.
        let waiting = Waiting::register(wanted);
        let found = look(wanted, isolation);
        if is_enough(&found, fetch.min_bytes) {
            return found;
        }
        tokio::select! {
            () = waiting.reader.notified() => {}
            () = tokio::time::sleep_until(deadline) => return found,
            () = node.stopping.cancelled() => return found,
        }
    }
}

fn look(wanted: &[Wanted], isolation: Isolation) -> Vec<Found> {
    let look = |one: &Wanted| one.partition.as_ref().map_err(|error| *error)?.readable(one.offset, isolation);
    wanted.iter().map(look).collect()
}

/// An error is worth telling at once. Bytes are estimated from the sparse index.
fn is_enough(found: &[Found], bytes_min: i32) -> bool {
    let mut bytes = 0;
    for found in found {
        match found {
            Err(_) => return true,
            Ok(readable) => {
                bytes += readable.slice.as_ref().map_or(0, |slice| slice.bytes_at_most(i32::MAX as usize));
            }
        }
    }
    bytes >= usize::try_from(bytes_min).unwrap_or(0)
}

/// A fetch that partitions will wake; taken back when dropped.
struct Waiting<'a> {
    wanted: &'a [Wanted],
    reader: Arc<Notify>,
}

impl<'a> Waiting<'a> {
    fn register(wanted: &'a [Wanted]) -> Self {
        let reader = Arc::new(Notify::new());
        for partition in wanted.iter().filter_map(|one| one.partition.as_ref().ok()) {
            partition.wake_on_advance(&reader);
        }
        Self { wanted, reader }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        for partition in self.wanted.iter().filter_map(|one| one.partition.as_ref().ok()) {
            partition.forget_reader(&self.reader);
        }
    }
}

/// About how many bytes there are to send.
fn expected_bytes(wanted: &[Wanted], found: &[Found]) -> usize {
    let expected = |(one, found): (&Wanted, &Found)| {
        let slice = found.as_ref().ok().and_then(|readable| readable.slice.as_ref());
        slice.map_or(0, |slice| slice.bytes_at_most(one.bytes_max))
    };
    wanted.iter().zip(found).map(expected).fold(0, usize::saturating_add)
}

/// Reads every partition's records, within the client's limits.
async fn read_all(
    wanted: Vec<Wanted>,
    found: Vec<Found>,
    expected: usize,
    bytes_max: usize,
) -> Vec<(usize, PartitionData)> {
    let read = move || read_in_turn(wanted, found, bytes_max);
    if expected <= READ_INLINE_BYTES_MAX {
        return read();
    }
    // A panic while reading is the connection's panic.
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn read_in_turn(wanted: Vec<Wanted>, found: Vec<Found>, bytes_max: usize) -> Vec<(usize, PartitionData)> {
    let mut bytes_left = bytes_max;
    let mut read_any = false;
    let mut answers = Vec::with_capacity(wanted.len());
    for (one, found) in wanted.into_iter().zip(found) {
        let data = PartitionData::default().with_partition_index(one.index);
        let answer = found.and_then(|readable| {
            let records = match &readable.slice {
                // A batch larger than the limits is sent all the same, or its reader would starve.
                Some(_) if read_any && bytes_left == 0 => Ok(Bytes::new()),
                Some(slice) => slice.read(one.bytes_max.min(bytes_left), !read_any),
                None => Ok(Bytes::new()),
            };
            Ok((records.map_err(|error| unreadable(&one, &error))?, readable))
        });
        let data = match answer {
            Ok((records, readable)) => {
                bytes_left = bytes_left.saturating_sub(records.len());
                read_any |= !records.is_empty();
                fill(data, records, readable)
            }
            Err(error) => data.with_error_code(error.code()).with_high_watermark(-1),
        };
        answers.push((one.topic, data));
    }
    answers
}

fn fill(data: PartitionData, records: Bytes, readable: Readable) -> PartitionData {
    let aborted = readable.aborted.iter().map(|aborted| {
        AbortedTransaction::default()
            .with_producer_id(aborted.producer_id.into())
            .with_first_offset(aborted.first_offset)
    });
    data.with_high_watermark(readable.offsets.high_watermark)
        .with_last_stable_offset(readable.offsets.last_stable)
        .with_log_start_offset(readable.offsets.log_start)
        .with_aborted_transactions(Some(aborted.collect()))
        .with_records(Some(records))
}

fn unreadable(one: &Wanted, error: &io::Error) -> ResponseError {
    let topic = one.partition.as_ref().map(|partition| partition.topic().to_string()).unwrap_or_default();
    tracing::error!(%topic, partition = one.index, %error, "cannot read the log");
    match error.kind() {
        io::ErrorKind::InvalidData => ResponseError::CorruptMessage,
        _ => ResponseError::KafkaStorageError,
    }
}
