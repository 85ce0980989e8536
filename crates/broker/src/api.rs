//! Which requests are understood, in which versions. Clients read this list and keep to it.
//!
//! The newest versions left out need what this broker does not have: topic ids, the server-side
//! group protocol, and transactions that begin with the first record.

use kafka_protocol::messages::ApiKey;

/// A request and its versions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

const fn api(key: ApiKey, min: i16, max: i16) -> Api {
    Api { key, min, max }
}

/// Everything that is understood.
pub(crate) const APIS: &[Api] = &[
    // Versions below 3 are listed, though refused: librdkafka takes their absence to mean that
    // no codec is supported. Apache Kafka 4 does the same.
    api(ApiKey::Produce, 0, 9),
    api(ApiKey::Fetch, 4, 12),
    api(ApiKey::ListOffsets, 1, 7),
    api(ApiKey::Metadata, 0, 9),
    api(ApiKey::OffsetCommit, 2, 8),
    api(ApiKey::OffsetFetch, 1, 8),
    api(ApiKey::FindCoordinator, 0, 4),
    api(ApiKey::JoinGroup, 0, 9),
    api(ApiKey::Heartbeat, 0, 4),
    api(ApiKey::LeaveGroup, 0, 5),
    api(ApiKey::SyncGroup, 0, 5),
    api(ApiKey::DescribeGroups, 0, 5),
    api(ApiKey::ListGroups, 0, 4),
    api(ApiKey::SaslHandshake, 0, 1),
    api(ApiKey::SaslAuthenticate, 0, 2),
    api(ApiKey::ApiVersions, 0, 3),
    api(ApiKey::CreateTopics, 2, 6),
    api(ApiKey::DeleteTopics, 1, 5),
    api(ApiKey::DeleteRecords, 0, 2),
    api(ApiKey::InitProducerId, 0, 4),
    api(ApiKey::AddPartitionsToTxn, 0, 3),
    api(ApiKey::AddOffsetsToTxn, 0, 3),
    api(ApiKey::EndTxn, 0, 3),
    api(ApiKey::TxnOffsetCommit, 0, 3),
    api(ApiKey::DescribeConfigs, 1, 4),
    api(ApiKey::AlterConfigs, 0, 2),
    api(ApiKey::IncrementalAlterConfigs, 0, 1),
    api(ApiKey::CreatePartitions, 0, 3),
    api(ApiKey::DeleteGroups, 0, 2),
    api(ApiKey::DescribeCluster, 0, 1),
    api(ApiKey::DescribeProducers, 0, 0),
    api(ApiKey::DescribeTransactions, 0, 0),
    api(ApiKey::ListTransactions, 0, 0),
];

/// Whether a request of this key and version can be decoded.
pub(crate) fn find(key: i16, version: i16) -> Option<ApiKey> {
    let understood = APIS.iter().find(|api| api.key as i16 == key)?;
    let min = match understood.key {
        ApiKey::Produce => 3,
        // After version 0 the client's messages would come without a header. It is listed, because
        // librdkafka takes its absence to mean that there is no SASL.
        ApiKey::SaslHandshake => 1,
        _ => understood.min,
    };
    (min..=understood.max).contains(&version).then_some(understood.key)
}
