//! Starts a broker from what is on disk, and stops it so that nothing is lost.

use std::fs::{File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::BrokerConfig;
use crate::disk::create_directory;
use crate::error::BrokerError;
use crate::format;
use crate::groups::Groups;
use crate::handlers::FETCH_BYTES_MAX;
use crate::journal::Journal;
use crate::metrics::{BrokerMetrics, Counters};
use crate::node::Node;
use crate::open_files;
use crate::syncer::{Pace, SyncQueue, Syncer};
use crate::topic_admin::TopicAdmin;
use crate::topics::{self, Topics};
use crate::transactions::Transactions;

mod accept;
mod doors;
mod stopped;
mod upkeep;

use self::doors::Doors;
pub use self::doors::OwnAccess;
pub use self::stopped::Stopped;

/// A running broker. Dropped without [`Broker::shutdown`], it stops like a killed process
/// would: nothing that was acknowledged is lost.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    local_addr: SocketAddr,
    own_access: Option<OwnAccess>,
    connections: TaskTracker,
    tasks: Vec<JoinHandle<()>>,
    syncer: Option<Syncer>,
    _lock: File,
}

impl Broker {
    /// Opens the data directory, recovers what a crash left, and listens.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        check(&config)?;
        create_directory(&config.data_dir).map_err(BrokerError::storage("create", &config.data_dir))?;
        let lock = lock(&config.data_dir)?;
        format::check(&config.data_dir)?;
        open_files::raise_limit();
        let doors = Doors::open(&config).await?;
        let (local_addr, own_access) = (doors.local_addr, doors.own_access.clone());
        let counters = Arc::new(Counters::default());
        let queue = Arc::new(SyncQueue::new(Pace::of(&config)));
        let opening = {
            let (queue, counters) = (Arc::clone(&queue), Arc::clone(&counters));
            tokio::task::spawn_blocking(move || open(config, queue, counters)).await
        };
        let node = opening.map_err(|_| BrokerError::Damaged("reading it panicked".into()))??;
        let node = Arc::new(node);
        let syncer = Syncer::start(queue, node.config.fsync, counters)
            .map_err(BrokerError::storage("start syncing", &node.config.data_dir))?;
        let connections = TaskTracker::new();
        let mut tasks = doors.serve(&node, &connections);
        tasks.extend([
            tokio::spawn(watch_groups(Arc::clone(&node))),
            tokio::spawn(Arc::clone(&node.transactions).watch_timeouts()),
            tokio::spawn(upkeep::watch_retention(Arc::clone(&node))),
            tokio::spawn(upkeep::watch_set_aside(Arc::clone(&node))),
            tokio::spawn(watch_journal(Arc::clone(&node))),
        ]);
        tracing::info!(%local_addr, data_dir = %node.config.data_dir.display(), "broker started");
        Ok(Self { node, local_addr, own_access, connections, tasks, syncer: Some(syncer), _lock: lock })
    }

    /// Where clients can connect.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// How this process reaches the broker, if [`BrokerConfig::own_listener`] is set: it need not
    /// be a user, nor trust the broker's certificate.
    pub fn own_access(&self) -> Option<&OwnAccess> {
        self.own_access.as_ref()
    }

    /// Counters and sizes now.
    pub fn metrics(&self) -> BrokerMetrics {
        self.node.metrics()
    }

    /// Waits until the broker cannot go on, and says why. By then it takes no more requests.
    pub fn failed(&self) -> impl Future<Output = BrokerError> + Send + use<> {
        let node = Arc::clone(&self.node);
        async move {
            let error = node.journal.failed().await;
            node.stopping.cancel();
            node.journal_failed(&error)
        }
    }

    /// Takes no new requests, answers those under way, makes everything durable and closes.
    pub async fn shutdown(mut self) -> Result<Stopped, BrokerError> {
        let (began, connections) = (Instant::now(), self.connections.len());
        self.node.stopping.cancel();
        self.connections.close();
        self.connections.wait().await;
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            drop(task.await); // its port is free, or its work done, only now
        }
        let syncer = self.syncer.take();
        let node = Arc::clone(&self.node);
        let closing = tokio::task::spawn_blocking(move || {
            if let Some(syncer) = syncer {
                syncer.stop();
            }
            if node.config.fsync {
                let topics = node.topics.all();
                topics.iter().flat_map(|topic| topic.partitions()).for_each(|partition| partition.close());
            }
            node.journal.close();
        });
        if closing.await.is_err() {
            return Err(BrokerError::Damaged("a thread panicked while closing".into()));
        }
        if let Some(error) = self.node.journal.failure() {
            return Err(self.node.journal_failed(&error));
        }
        let BrokerMetrics { partitions, log_bytes, .. } = self.metrics();
        let stopped = Stopped { connections, partitions, log_bytes, took: began.elapsed() };
        tracing::info!(%stopped, "broker stopped");
        Ok(stopped)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.node.stopping.cancel();
        for task in &self.tasks {
            task.abort();
        }
        if let Some(syncer) = self.syncer.take() {
            syncer.stop();
        }
        self.node.journal.close();
    }
}

fn check(config: &BrokerConfig) -> Result<(), BrokerError> {
    doors::check(config)?;
    if config.default_partitions < 1 {
        return Err(BrokerError::Misconfigured("default_partitions is at least 1"));
    }
    if config.message_bytes_max > config.request_bytes_max {
        return Err(BrokerError::Misconfigured("message_bytes_max is at most request_bytes_max"));
    }
    if config.request_bytes_max > config.request_bytes_in_flight_max {
        return Err(BrokerError::Misconfigured("request_bytes_max is at most request_bytes_in_flight_max"));
    }
    if config.fetch_bytes_in_flight_max < FETCH_BYTES_MAX {
        return Err(BrokerError::Misconfigured("fetch_bytes_in_flight_max is at least 50 MiB"));
    }
    Ok(())
}

/// The lock ends with the process, however it ends.
fn lock(data_dir: &Path) -> Result<File, BrokerError> {
    let path = data_dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(BrokerError::storage("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(BrokerError::storage("lock", path)(error)),
    }
}

/// Reads what is on disk and puts the parts together.
fn open(config: BrokerConfig, queue: Arc<SyncQueue>, counters: Arc<Counters>) -> Result<Node, BrokerError> {
    let config = Arc::new(config);
    let journal_path = config.data_dir.join("journal");
    let topics_dir = topics::directory(&config.data_dir);
    if !journal_path.exists() && has_entries(&topics_dir) {
        let message = format!("{} is missing, but there are topics", journal_path.display());
        return Err(BrokerError::Damaged(message));
    }
    let state = Journal::load(&journal_path)?;
    if state.cluster_id.is_none() && has_entries(&topics_dir) {
        let message = format!("{} is empty, but there are topics", journal_path.display());
        return Err(BrokerError::Damaged(message));
    }
    let journal = Journal::start(&journal_path, state, config.fsync, Arc::clone(&counters))?;
    let journal = Arc::new(journal);
    let state = journal.read(Clone::clone);
    let topics = Arc::new(Topics::open(topics_dir, queue, &config, &state)?);
    let transactions =
        Transactions::recover(Arc::clone(&journal), Arc::clone(&topics), config.transactional_ids_max);
    let topic_admin = TopicAdmin::new(Arc::clone(&config), Arc::clone(&journal), Arc::clone(&topics));
    Ok(Node {
        cluster_id: state.cluster_id.unwrap_or_default(),
        counters,
        topic_admin,
        groups: Arc::new(Groups::new(&config)),
        journal,
        topics,
        transactions,
        request_memory: Arc::new(Semaphore::new(config.request_bytes_in_flight_max)),
        fetch_memory: Arc::new(Semaphore::new(config.fetch_bytes_in_flight_max)),
        stopping: CancellationToken::new(),
        config,
    })
}

fn has_entries(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Without its journal the broker can keep no promise, so it stops.
async fn watch_journal(node: Arc<Node>) {
    let error = node.journal.failed().await;
    tracing::error!(%error, "broker stopped: its journal cannot be written");
    node.stopping.cancel();
}

async fn watch_groups(node: Arc<Node>) {
    node.groups.watch_deadlines().await;
}

#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod test_client;
#[cfg(test)]
mod tests;
