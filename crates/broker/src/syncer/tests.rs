//! Batches share a sync when they are told to wait for each other, and no longer than that.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::log::batch::BatchHeader;
use crate::log::tests::batch;

const HOUR: Duration = Duration::from_secs(3600);
const BODY_BYTES: usize = 700;
const BATCH_BYTES: u64 = 761;

/// A partition whose syncs keep a pace.
struct Paced {
    partition: Arc<Partition>,
    syncer: Syncer,
    counters: Arc<Counters>,
}

impl Paced {
    /// One batch is in the log already, so that no directory needs to be synced any more.
    fn start(dir: &Path, pace: Pace) -> Self {
        let queue = Arc::new(SyncQueue::new(pace));
        let partition = Partition::open("t".into(), 0, dir, 0, Arc::clone(&queue)).unwrap();
        let partition = Arc::new(partition);
        append(&partition, 1);
        let round = queue.next_round_now();
        round.iter().for_each(|partition| sync(partition, true, &Counters::default()));
        let counters = Arc::new(Counters::default());
        let syncer = Syncer::start(queue, true, Arc::clone(&counters)).unwrap();
        Self { partition, syncer, counters }
    }

    fn fsyncs(&self) -> u64 {
        self.counters.snapshot().fsyncs
    }

    fn is_durable(&self, end: i64) -> bool {
        self.partition.offsets().unwrap().high_watermark >= end
    }
}

impl SyncQueue {
    /// A round without waiting for company.
    fn next_round_now(&self) -> Vec<Arc<Partition>> {
        let mut pending = self.locked();
        (pending.since, pending.bytes) = (None, 0);
        std::mem::take(&mut pending.partitions)
    }
}

fn append(partition: &Arc<Partition>, count: usize) {
    for _ in 0..count {
        let batch = batch(1, BODY_BYTES);
        partition.append(BatchHeader::read_whole(&batch).unwrap(), &batch, u64::MAX).unwrap();
    }
}

#[tokio::test]
async fn batches_of_one_interval_share_a_sync() {
    let dir = TempDir::new().unwrap();
    let interval = Duration::from_millis(100);
    let began = Instant::now();
    let paced = Paced::start(dir.path(), Pace { interval, bytes: u64::MAX });
    append(&paced.partition, 3);
    assert!(began.elapsed() > interval || !paced.is_durable(2), "nothing is durable before its sync");
    paced.partition.durable(4).await.unwrap();
    assert_eq!(paced.fsyncs(), 1);
    assert!(began.elapsed() >= interval);
    append(&paced.partition, 2);
    paced.partition.durable(6).await.unwrap();
    assert_eq!(paced.fsyncs(), 2);
}

#[tokio::test]
async fn enough_bytes_end_the_wait() {
    let dir = TempDir::new().unwrap();
    let paced = Paced::start(dir.path(), Pace { interval: HOUR, bytes: 5 * BATCH_BYTES });
    append(&paced.partition, 4);
    assert!(!paced.is_durable(2));
    append(&paced.partition, 1);
    paced.partition.durable(6).await.unwrap();
    assert_eq!(paced.fsyncs(), 1);
}

#[test]
fn a_stop_waits_for_no_interval() {
    let dir = TempDir::new().unwrap();
    let paced = Paced::start(dir.path(), Pace { interval: HOUR, bytes: u64::MAX });
    append(&paced.partition, 1);
    paced.syncer.stop();
    assert!(paced.partition.offsets().unwrap().high_watermark == 2);
    assert_eq!(paced.counters.snapshot().fsyncs, 1);
}
