//! What the broker does unasked, now and then: old records go, and what was set aside.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::now_ms;
use crate::node::Node;
use crate::set_aside;

const LOOK_AT_SET_ASIDE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Deletes old records now and then, and sees to it that what is written slowly gets a checkpoint.
pub(super) async fn watch_retention(node: Arc<Node>) {
    let pause = Duration::from_millis(node.config.retention_check_ms.max(10));
    loop {
        tokio::time::sleep(pause).await;
        let node = Arc::clone(&node);
        let looked = tokio::task::spawn_blocking(move || retain(&node));
        if looked.await.is_err() {
            tracing::error!("looking for old records panicked");
        }
    }
}

/// Does so once.
pub(super) fn retain(node: &Node) {
    let now = now_ms();
    for topic in node.topics.all() {
        for partition in topic.partitions() {
            if let Ok(segments @ 1..) = partition.retain(topic.config().retention, now) {
                let (topic, partition) = (partition.topic(), partition.index());
                tracing::info!(%topic, partition, segments, "deleted old segments");
            }
            partition.checkpoint_if_due();
        }
    }
}

/// Deletes what repairs have set aside, when no one has missed it for long.
pub(super) async fn watch_set_aside(node: Arc<Node>) {
    let kept_ms = node.config.set_aside_ms;
    if kept_ms < 0 {
        return;
    }
    loop {
        let data_dir = node.config.data_dir.clone();
        let looked =
            tokio::task::spawn_blocking(move || set_aside::delete_before(&data_dir, now_ms() - kept_ms));
        if looked.await.is_err() {
            tracing::error!("looking for what was set aside panicked");
        }
        tokio::time::sleep(LOOK_AT_SET_ASIDE_EVERY).await;
    }
}
