//! Produce: check each batch, append it, answer when it is as durable as the client wants.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{TopicName, TransactionalId};

use super::code;
use crate::connection::Reply;
use crate::frame::{self, FrameError, Request};
use crate::journal::record::PartitionName;
use crate::log::Placed;
use crate::log::batch::{BatchError, BatchHeader};
use crate::log::marker::Producer;
use crate::log::records;
use crate::metrics::Counters;
use crate::node::Node;
use crate::partition::Partition;
use crate::security::client::{Access, Client};
use crate::topics::Topic;

/// Kafka knows none, gzip, snappy, lz4 and zstd.
const CODEC_MAX: i16 = 4;

/// A batch that is in the log.
struct Appended {
    partition: Arc<Partition>,
    placed: Placed,
}

/// What became of one topic's batches, by partition.
struct Outcome {
    topic: TopicName,
    partitions: Vec<(i32, Result<Appended, ResponseError>)>,
}

/// Appends everything at once; the reply waits for the disk if the client does.
pub(super) fn begin(node: &Arc<Node>, request: &mut Request, client: &Client) -> Result<Reply, FrameError> {
    let produce: ProduceRequest = request.decode()?;
    let (key, version, correlation_id) = (request.key, request.version, request.correlation_id);
    let acks = produce.acks;
    let transactional_id = produce.transactional_id;
    let counters = Arc::clone(&node.counters);
    let may_transact = transactional_id.as_ref().map_or(Ok(()), |id| client.may(Access::Transaction(id)));
    let outcomes: Vec<_> = produce
        .topic_data
        .into_iter()
        .map(|data| {
            let may = may_transact.and_then(|()| client.may(Access::Append(&data.name)));
            append_topic(node, data, transactional_id.as_ref(), acks, may)
        })
        .collect();
    if acks == 0 {
        // A producer that reads no answers learns from the end of its connection.
        let mut refusals = outcomes.iter().flat_map(|outcome| &outcome.partitions);
        if let Some(refusal) = refusals.find_map(|(_, appended)| appended.as_ref().err()) {
            return Err(FrameError::Unacknowledged(*refusal));
        }
        return Ok(Box::pin(async { Ok(None) }));
    }
    Ok(Box::pin(async move {
        let mut responses = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            responses.push(respond(outcome, acks, &counters).await);
        }
        let response = ProduceResponse::default().with_responses(responses);
        frame::encode(key, version, correlation_id, &response).map(Some)
    }))
}

fn append_topic(
    node: &Node,
    data: TopicProduceData,
    transactional_id: Option<&TransactionalId>,
    acks: i16,
    may: Result<(), ResponseError>,
) -> Outcome {
    let topic = node.topics.get(&data.name);
    let append = |data: PartitionProduceData| {
        let appended = match &topic {
            _ if may.is_err() => may.and(Err(ResponseError::TopicAuthorizationFailed)),
            _ if !(-1..=1).contains(&acks) => Err(ResponseError::InvalidRequiredAcks),
            None => Err(ResponseError::UnknownTopicOrPartition),
            Some(topic) => append(node, topic, &data, transactional_id),
        };
        (data.index, appended)
    };
    Outcome { partitions: data.partition_data.into_iter().map(append).collect(), topic: data.name }
}

fn append(
    node: &Node,
    topic: &Topic,
    data: &PartitionProduceData,
    transactional_id: Option<&TransactionalId>,
) -> Result<Appended, ResponseError> {
    if node.journal.has_failed() {
        return Err(ResponseError::KafkaStorageError); // the broker is stopping
    }
    let partition = topic.partition(data.index)?;
    let batch = data.records.as_ref().ok_or(ResponseError::InvalidRecord)?;
    let header = check(batch, topic.config().message_bytes_max)?;
    let write = || partition.append(header, batch, topic.config().segment_bytes);
    let placed = if header.is_transactional() {
        let id = transactional_id.ok_or(ResponseError::TransactionalIdAuthorizationFailed)?;
        let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
        let to = PartitionName { topic: topic.record().name.clone(), partition: data.index };
        node.transactions.while_open(id, producer, &to, write).map_err(in_produce)?
    } else {
        write()?
    };
    Ok(Appended { partition: Arc::clone(partition), placed })
}

/// Producers know a fenced epoch under its older name. One whose transaction took too long keeps
/// the milder error that the coordinator gives it: librdkafka takes this one for the end.
fn in_produce(refusal: ResponseError) -> ResponseError {
    match refusal {
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}

/// Refuses anything but one whole, plausible batch.
pub(crate) fn check(batch: &Bytes, bytes_max: usize) -> Result<BatchHeader, ResponseError> {
    let header = BatchHeader::read_whole(batch).map_err(|error| match error {
        // Message sets of old, and nothing whole at all.
        BatchError::Magic(0 | 1) | BatchError::Short | BatchError::Count => ResponseError::InvalidRecord,
        BatchError::Magic(_) | BatchError::Length(_) | BatchError::Checksum => ResponseError::CorruptMessage,
    })?;
    if header.total_bytes > bytes_max {
        return Err(ResponseError::MessageTooLarge);
    }
    if header.codec() > CODEC_MAX {
        return Err(ResponseError::UnsupportedCompressionType);
    }
    let is_alone = header.total_bytes == batch.len() && header.base_offset == 0;
    let counts_right = header.record_count > 0 && i64::from(header.record_count) == header.record_span();
    let is_sequenced = header.base_sequence >= 0 && header.producer_epoch >= 0;
    let is_sound = if header.has_producer() { is_sequenced } else { !header.is_transactional() };
    if is_alone && counts_right && is_sound && !header.is_control() && records::are_sound(&header, batch) {
        Ok(header)
    } else {
        Err(ResponseError::InvalidRecord)
    }
}

async fn respond(outcome: Outcome, acks: i16, counters: &Counters) -> TopicProduceResponse {
    let mut partitions = Vec::with_capacity(outcome.partitions.len());
    for (index, appended) in outcome.partitions {
        let answered = match appended {
            Ok(appended) if acks == -1 => {
                appended.partition.durable(appended.placed.next_offset).await.map(|()| appended)
            }
            other => other,
        };
        if let Err(error) = &answered {
            counters.count_error("Produce", *error);
        }
        let base_offset = answered.as_ref().map_or(-1, |appended| appended.placed.base_offset);
        let response = PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(code(&answered))
            .with_base_offset(base_offset)
            .with_log_append_time_ms(-1);
        partitions.push(response);
    }
    TopicProduceResponse::default().with_name(outcome.topic).with_partition_responses(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::batch_of;

    #[test]
    fn a_valid_checksum_over_garbage_is_refused() {
        for (record_count, body) in [(i32::MAX, &[][..]), (1, b"garbage")] {
            let batch = Bytes::from(batch_of(record_count, body));
            assert_eq!(check(&batch, 1000), Err(ResponseError::InvalidRecord));
        }
        let whole = [16, 0, 0, 0, 2, b'k', 2, b'v', 0];
        assert!(check(&Bytes::from(batch_of(1, &whole)), 1000).is_ok());
    }
}
