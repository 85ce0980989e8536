//! A disk that is really full: a small tmpfs, mounted where no one else sees it.
//!
//! The test runs itself again as a child in a mount namespace of its own, which takes the tmpfs
//! along when it ends. Where the system allows no such namespace it says that it is skipped.

use std::path::Path;
use std::process::Command;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use tempfile::TempDir;

use crate::harness::{Kafka, raw};

/// Tells the child where to mount.
const CHILD: &str = "BROKER_TEST_FULL_DISK";
const KAFKA_STORAGE_ERROR: i16 = 56;
const VALUE_BYTES: usize = 100_000;

/// Ways into a mount namespace: as a user, where that is allowed, or as root.
const WAYS: [&[&str]; 2] = [&["--map-root-user", "--mount"], &["--mount"]];

fn may_mount(way: &[&str], at: &Path) -> bool {
    let mount = Command::new("unshare").args(way).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(at).output();
    mount.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_costs_no_acknowledged_record() {
    let dir = TempDir::new().unwrap();
    let Some(way) = WAYS.iter().find(|way| may_mount(way, dir.path())) else {
        return eprintln!("skipped, may not mount a tmpfs in a namespace of its own: a really full disk");
    };
    let child = Command::new("unshare")
        .args(*way)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::child", "--nocapture"])
        .env(CHILD, dir.path())
        .env_remove("KAFKA_BROKERS")
        .output()
        .unwrap();
    let said = [child.stdout, child.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(child.status.success() && said[0].contains("1 passed"), "{}\n{}", said[0], said[1]);
}

/// Not a case of its own: what [`a_full_disk_costs_no_acknowledged_record`] runs in its namespace.
#[test]
fn child() {
    let Some(at) = std::env::var_os(CHILD) else { return };
    let at = Path::new(&at);
    let mount = ["-t", "tmpfs", "-o", "size=16m", "tmpfs"];
    assert!(Command::new("mount").args(mount).arg(at).status().unwrap().success());
    let mut disk = FullDisk::start(at);

    disk.fill();
    disk.check_that_readers_go_on();
    disk.make_room();
    assert_eq!(disk.produce(), 0, "the broker goes on by itself");
    disk.check_that_readers_go_on();

    disk.fill();
    disk.kafka.stop();
    disk.make_room();
    disk.kafka.start_again();
    disk.check_that_readers_go_on();
    assert_eq!(disk.produce(), 0);
    disk.check_that_readers_go_on();
}

struct FullDisk<'a> {
    at: &'a Path,
    kafka: Kafka,
    topic: String,
    sent: usize,
    acknowledged: Vec<String>,
}

impl<'a> FullDisk<'a> {
    fn start(at: &'a Path) -> Self {
        let kafka = Kafka::own_in(at);
        let topic = kafka.topic_with(1, &[("segment.bytes", "1000000")]);
        Self { at, kafka, topic, sent: 0, acknowledged: Vec::new() }
    }

    /// Sends one record; returns what the broker answered.
    fn produce(&mut self) -> i16 {
        let value = format!("v{:06}{}", self.sent, "x".repeat(VALUE_BYTES));
        self.sent += 1;
        let data = PartitionProduceData::default().with_records(Some(batch(&value)));
        let topic = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(self.topic.clone())))
            .with_partition_data(vec![data]);
        let produce = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
        let answer: ProduceResponse = raw::ask(&self.kafka, ApiKey::Produce, 8, &produce);
        let error_code = answer.responses[0].partition_responses[0].error_code;
        if error_code == 0 {
            self.acknowledged.push(value);
        }
        error_code
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.at.join("ballast")
    }

    /// Something else takes a part of the disk; producers take the rest, and are then refused.
    fn fill(&mut self) {
        // As much of it as there is room for.
        drop(std::fs::write(self.ballast(), vec![0; 4 << 20]));
        let refused = (0..1000).map(|_| self.produce()).find(|code| *code != 0);
        assert_eq!(refused, Some(KAFKA_STORAGE_ERROR));
        for _ in 0..5 {
            assert_eq!(self.produce(), KAFKA_STORAGE_ERROR);
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn check_that_readers_go_on(&self) {
        let read = self.kafka.uncommitted(&self.topic);
        assert!(read == self.acknowledged, "{} read of {}", read.len(), self.acknowledged.len());
    }
}

fn batch(value: &str) -> Bytes {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        timestamp: 0,
        sequence: -1,
        offset: 0,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
    };
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, [&record], &options).unwrap();
    bytes.freeze()
}
