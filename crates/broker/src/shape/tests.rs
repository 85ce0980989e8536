//! The shapes agree with the codec, for every request and version.

use bytes::BytesMut;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;

use super::*;
use crate::api::APIS;

fn name() -> StrBytes {
    StrBytes::from_static_str("name")
}

/// A request of this key with something in every array.
pub(crate) fn filled(key: ApiKey, version: i16) -> BytesMut {
    let mut bytes = BytesMut::new();
    let text = name();
    let topic = TopicName(text.clone());
    let (bytes_mut, v) = (&mut bytes, version);
    match key {
        ApiKey::Produce => ProduceRequest::default()
            .with_topic_data(vec![
                produce_request::TopicProduceData::default().with_name(topic).with_partition_data(vec![
                    produce_request::PartitionProduceData::default().with_records(Some(text.into_bytes())),
                ]),
            ])
            .encode(bytes_mut, v),
        ApiKey::Fetch => FetchRequest::default()
            .with_topics(vec![
                fetch_request::FetchTopic::default()
                    .with_topic(topic)
                    .with_partitions(vec![fetch_request::FetchPartition::default(); 2]),
            ])
            .encode(bytes_mut, v),
        ApiKey::ListOffsets => ListOffsetsRequest::default()
            .with_topics(vec![
                list_offsets_request::ListOffsetsTopic::default()
                    .with_name(topic)
                    .with_partitions(vec![list_offsets_request::ListOffsetsPartition::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::Metadata => MetadataRequest::default()
            .with_topics(Some(vec![metadata_request::MetadataRequestTopic::default().with_name(Some(topic))]))
            .encode(bytes_mut, v),
        ApiKey::OffsetCommit => OffsetCommitRequest::default()
            .with_topics(vec![
                offset_commit_request::OffsetCommitRequestTopic::default()
                    .with_name(topic)
                    .with_partitions(vec![offset_commit_request::OffsetCommitRequestPartition::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::OffsetFetch if v >= 8 => OffsetFetchRequest::default()
            .with_groups(vec![offset_fetch_request::OffsetFetchRequestGroup::default().with_topics(Some(
                vec![
                offset_fetch_request::OffsetFetchRequestTopics::default()
                    .with_name(topic)
                    .with_partition_indexes(vec![1, 2]),
            ],
            ))])
            .encode(bytes_mut, v),
        ApiKey::OffsetFetch => OffsetFetchRequest::default()
            .with_topics(Some(vec![
                offset_fetch_request::OffsetFetchRequestTopic::default()
                    .with_name(topic)
                    .with_partition_indexes(vec![1, 2]),
            ]))
            .encode(bytes_mut, v),
        ApiKey::FindCoordinator if v >= 4 => {
            FindCoordinatorRequest::default().with_coordinator_keys(vec![text]).encode(bytes_mut, v)
        }
        ApiKey::FindCoordinator => FindCoordinatorRequest::default().with_key(text).encode(bytes_mut, v),
        ApiKey::JoinGroup => JoinGroupRequest::default()
            .with_protocols(vec![
                join_group_request::JoinGroupRequestProtocol::default().with_metadata(text.into_bytes()),
            ])
            .encode(bytes_mut, v),
        ApiKey::Heartbeat => HeartbeatRequest::default().encode(bytes_mut, v),
        ApiKey::LeaveGroup if v >= 3 => LeaveGroupRequest::default()
            .with_members(vec![leave_group_request::MemberIdentity::default()])
            .encode(bytes_mut, v),
        ApiKey::LeaveGroup => LeaveGroupRequest::default().encode(bytes_mut, v),
        ApiKey::SyncGroup => SyncGroupRequest::default()
            .with_assignments(vec![sync_group_request::SyncGroupRequestAssignment::default()])
            .encode(bytes_mut, v),
        ApiKey::DescribeGroups => {
            DescribeGroupsRequest::default().with_groups(vec![GroupId(text)]).encode(bytes_mut, v)
        }
        ApiKey::ListGroups if v >= 5 => ListGroupsRequest::default()
            .with_states_filter(vec![text.clone()])
            .with_types_filter(vec![text])
            .encode(bytes_mut, v),
        ApiKey::ListGroups => ListGroupsRequest::default().encode(bytes_mut, v),
        ApiKey::SaslHandshake => SaslHandshakeRequest::default().with_mechanism(text).encode(bytes_mut, v),
        ApiKey::SaslAuthenticate => {
            SaslAuthenticateRequest::default().with_auth_bytes(text.into_bytes()).encode(bytes_mut, v)
        }
        ApiKey::ApiVersions => ApiVersionsRequest::default().encode(bytes_mut, v),
        ApiKey::CreateTopics => CreateTopicsRequest::default()
            .with_topics(vec![
                create_topics_request::CreatableTopic::default()
                    .with_name(topic)
                    .with_assignments(vec![
                        create_topics_request::CreatableReplicaAssignment::default()
                            .with_broker_ids(vec![BrokerId(1)]),
                    ])
                    .with_configs(vec![create_topics_request::CreatableTopicConfig::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::DeleteTopics => {
            DeleteTopicsRequest::default().with_topic_names(vec![topic]).encode(bytes_mut, v)
        }
        ApiKey::DeleteRecords => DeleteRecordsRequest::default()
            .with_topics(vec![
                delete_records_request::DeleteRecordsTopic::default()
                    .with_partitions(vec![delete_records_request::DeleteRecordsPartition::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::InitProducerId => InitProducerIdRequest::default().encode(bytes_mut, v),
        ApiKey::AddPartitionsToTxn => AddPartitionsToTxnRequest::default()
            .with_v3_and_below_topics(vec![
                add_partitions_to_txn_request::AddPartitionsToTxnTopic::default().with_partitions(vec![1, 2]),
            ])
            .encode(bytes_mut, v),
        ApiKey::AddOffsetsToTxn => AddOffsetsToTxnRequest::default().encode(bytes_mut, v),
        ApiKey::EndTxn => EndTxnRequest::default().encode(bytes_mut, v),
        ApiKey::TxnOffsetCommit => TxnOffsetCommitRequest::default()
            .with_topics(vec![
                txn_offset_commit_request::TxnOffsetCommitRequestTopic::default().with_partitions(vec![
                    txn_offset_commit_request::TxnOffsetCommitRequestPartition::default(),
                ]),
            ])
            .encode(bytes_mut, v),
        ApiKey::DescribeConfigs => DescribeConfigsRequest::default()
            .with_resources(vec![
                describe_configs_request::DescribeConfigsResource::default()
                    .with_configuration_keys(Some(vec![text])),
            ])
            .encode(bytes_mut, v),
        ApiKey::AlterConfigs => AlterConfigsRequest::default()
            .with_resources(vec![
                alter_configs_request::AlterConfigsResource::default()
                    .with_configs(vec![alter_configs_request::AlterableConfig::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::IncrementalAlterConfigs => IncrementalAlterConfigsRequest::default()
            .with_resources(vec![
                incremental_alter_configs_request::AlterConfigsResource::default()
                    .with_configs(vec![incremental_alter_configs_request::AlterableConfig::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::CreatePartitions => CreatePartitionsRequest::default()
            .with_topics(vec![create_partitions_request::CreatePartitionsTopic::default().with_assignments(
                Some(vec![
                    create_partitions_request::CreatePartitionsAssignment::default()
                        .with_broker_ids(vec![BrokerId(1)]),
                ]),
            )])
            .encode(bytes_mut, v),
        ApiKey::DeleteGroups => {
            DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text)]).encode(bytes_mut, v)
        }
        ApiKey::OffsetDelete => OffsetDeleteRequest::default()
            .with_topics(vec![
                offset_delete_request::OffsetDeleteRequestTopic::default()
                    .with_name(topic)
                    .with_partitions(vec![offset_delete_request::OffsetDeleteRequestPartition::default()]),
            ])
            .encode(bytes_mut, v),
        ApiKey::DescribeLogDirs => DescribeLogDirsRequest::default()
            .with_topics(Some(vec![
                describe_log_dirs_request::DescribableLogDirTopic::default()
                    .with_topic(topic)
                    .with_partitions(vec![1, 2]),
            ]))
            .encode(bytes_mut, v),
        ApiKey::WriteTxnMarkers => WriteTxnMarkersRequest::default()
            .with_markers(vec![write_txn_markers_request::WritableTxnMarker::default().with_topics(vec![
                write_txn_markers_request::WritableTxnMarkerTopic::default()
                    .with_name(topic)
                    .with_partition_indexes(vec![1, 2]),
            ])])
            .encode(bytes_mut, v),
        ApiKey::ConsumerGroupHeartbeat => ConsumerGroupHeartbeatRequest::default()
            .with_subscribed_topic_names(Some(vec![topic]))
            .with_topic_partitions(Some(vec![
                consumer_group_heartbeat_request::TopicPartitions::default().with_partitions(vec![1, 2]),
            ]))
            .encode(bytes_mut, v),
        ApiKey::DescribeCluster => DescribeClusterRequest::default().encode(bytes_mut, v),
        ApiKey::DescribeProducers => DescribeProducersRequest::default()
            .with_topics(vec![
                describe_producers_request::TopicRequest::default()
                    .with_name(topic)
                    .with_partition_indexes(vec![1, 2]),
            ])
            .encode(bytes_mut, v),
        ApiKey::DescribeTransactions => DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![TransactionalId(text)])
            .encode(bytes_mut, v),
        ApiKey::ListTransactions => ListTransactionsRequest::default()
            .with_state_filters(vec![text])
            .with_producer_id_filters(vec![ProducerId(1)])
            .encode(bytes_mut, v),
        other => panic!("no sample of {other:?}"),
    }
    .unwrap_or_else(|error| panic!("{key:?} {version}: {error}"));
    bytes
}

#[test]
fn every_request_fits_its_shape_to_the_last_byte() {
    for api in APIS {
        for version in api.min..=api.max {
            if crate::api::find(api.key as i16, version).is_none() {
                continue; // listed for show
            }
            let body = filled(api.key, version);
            assert!(fits(api.key, version, &body), "{:?} {version}", api.key);
            let trailing = [&body[..], &[0; TRAILING_BYTES_MAX + 1]].concat();
            assert!(!fits(api.key, version, &trailing), "{:?} {version}, trailing", api.key);
            if let Some(cut) = body.len().checked_sub(1) {
                assert!(!fits(api.key, version, &body[..cut]), "{:?} {version}, cut", api.key);
            }
        }
    }
}

/// A Metadata request, version 9, with so many tagged fields and so many topics.
fn metadata(tags: u8, topics: u32) -> Vec<u8> {
    let mut body = Vec::new();
    let mut count = topics + 1;
    while count >= 0x80 {
        body.push((count & 0x7f) as u8 | 0x80);
        count >>= 7;
    }
    body.push(count as u8);
    body.extend((0..topics).flat_map(|_| [2, b'a', 0]));
    body.extend_from_slice(&[0, 0, 0, tags]);
    body.extend((0..tags).flat_map(|tag| [tag, 0]));
    body
}

#[test]
fn tagged_fields_and_items_are_bounded() {
    assert!(fits(ApiKey::Metadata, 9, &metadata(64, 10)));
    assert!(!fits(ApiKey::Metadata, 9, &metadata(65, 10)));
    assert!(fits(ApiKey::Metadata, 9, &metadata(0, 200_000)));
    assert!(!fits(ApiKey::Metadata, 9, &metadata(0, 200_001)));
}

proptest! {
    #[test]
    fn random_bodies_are_never_a_panic(
        index in 0..APIS.len(),
        version in 0..13_i16,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        fits(APIS[index].key, version, &body);
    }
}
