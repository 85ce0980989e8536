//! The parts that stages and the API share, each built from its section.

use std::net::SocketAddr;
use std::sync::Arc;

use alerting::{Control, Destination, OutboxCounters, OutboxOptions};
use anyhow::Context;
use chrono::TimeDelta;
use kafka::topics::Wanted;
use kafka::{Connection, LogWriter};
use pipeline::{Clock, Metrics, SnapshotStore};
use prometheus_client::registry::Registry;
use query::{QueryEngine, QueryLimits};
use store::{StoreOptions, Tables};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::broker::Kafka;
use super::health::ProcessHealth;
use super::intake::KafkaIntake;
use super::partners::PartnerBook;
use super::threads::Threads;
use crate::config::{self, Config};

/// What stages and the API are made from.
pub(crate) struct Parts {
    pub(crate) connection: Connection,
    pub(crate) tables: Tables,
    pub(crate) control: Control,
    pub(crate) query: QueryEngine,
    pub(crate) snapshots: SnapshotStore,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) instance: String,
    destinations: Vec<Destination>,
    outbox: Arc<OutboxCounters>,
    pub(crate) runtime: Handle,
    registry: std::sync::Mutex<Option<Registry>>,
}

/// Makes the topics between our stages, where they are missing.
pub(crate) async fn ensure_topics(config: &Config, connection: &Connection) -> anyhow::Result<()> {
    let topics = config.kafka.topics();
    let retention = (config.kafka.retention_hours * 3_600_000).to_string();
    let bytes = stages::MESSAGE_BYTES_MAX.to_string();
    let batches = [("retention.ms", retention.as_str()), ("max.message.bytes", bytes.as_str())];
    let mut wanted = vec![
        Wanted { name: &topics.events, partitions: config.kafka.event_partitions, config: &batches },
        Wanted { name: &topics.rejects, partitions: 1, config: &batches },
        Wanted {
            name: &topics.observations,
            partitions: config.kafka.observation_partitions,
            config: &batches,
        },
        Wanted { name: &topics.alerts, partitions: 1, config: &[("retention.ms", "-1")] },
    ];
    if let Some(ocsf) = &topics.ocsf {
        let partitions = config.kafka.event_partitions;
        wanted.push(Wanted { name: &ocsf.events, partitions, config: &batches });
        wanted.push(Wanted { name: &ocsf.alerts, partitions: 1, config: &batches });
    }
    Ok(kafka::topics::ensure(connection, &wanted).await?)
}

impl Parts {
    /// Opens everything that is kept.
    pub(crate) async fn open(config: &Config, connection: Connection) -> anyhow::Result<Self> {
        let data_dir = &config.server.data_dir;
        let tables = open_tables(config).await?;
        let limits = QueryLimits {
            time: std::time::Duration::from_secs(config.query.time_max_seconds),
            rows_max: config.query.rows_max,
            memory_bytes: config.query.memory_max_mib << 20,
            concurrent: config.query.concurrent_max,
            ..QueryLimits::default()
        };
        let query = QueryEngine::new(tables.clone(), limits, Some(data_dir.join("spill")))
            .context("start the query engine")?
            .with_fingerprint(fingerprint(config)?);
        let control =
            Control::open(&data_dir.join("control.sqlite")).await.context("open the alert database")?;
        let control = control.with_page_age_max(page_age_max(config)?);
        // Only where alerts are stored: another process on this folder may not know who is to be told,
        // and would turn paging off. It needs no secrets either.
        let mut destinations = Vec::new();
        if config.server.roles.contains(&config::Role::Alerting) {
            destinations = config::destinations(&config.alerting.destinations)?;
            // Before the first alert: an alert is queued in the transaction that stores it.
            control.set_destinations(&destinations).await.context("set destinations")?;
        }
        let outbox = Arc::new(OutboxCounters::new(&destinations));
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        registry.register_collector(Box::new(super::health::OutboxCollector(Arc::clone(&outbox))));
        registry.register_collector(Box::new(crate::telemetry::ProcessCollector));
        Ok(Self {
            connection,
            tables,
            control,
            query,
            snapshots: super::snapshots::open(&config.detect.snapshots_url, data_dir)?,
            metrics,
            clock: Clock::system(),
            instance: instance(config)?,
            destinations,
            outbox,
            runtime: Handle::current(),
            registry: std::sync::Mutex::new(Some(registry)),
        })
    }

    /// Registers metrics of another part; before the API is served, which shows them.
    pub(crate) fn register<M>(&self, register: impl FnOnce(&mut Registry) -> M) -> anyhow::Result<M> {
        let mut registry = self.registry.lock().expect("no holder of this lock panics");
        Ok(register(registry.as_mut().context("the API is served already")?))
    }

    /// Binds and serves the API.
    pub(crate) async fn serve_api(
        &self,
        config: &Config,
        broker: &Kafka,
        threads: &Threads,
        rules: watch::Receiver<detect::Rules>,
        outbox: AbortHandle,
        stop: CancellationToken,
    ) -> anyhow::Result<(SocketAddr, JoinHandle<anyhow::Result<()>>)> {
        let listen = config.server.listen;
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("listen on {listen} (another address: --listen)"))?;
        let listen = listener.local_addr().context("ask for the bound address")?;
        let taken = self.registry.lock().expect("no holder of this lock panics").take();
        let mut registry = taken.expect("the API is served once");
        if let Some(embedded) = &broker.embedded {
            registry.register_collector(Box::new(crate::telemetry::broker::BrokerCollector(Arc::clone(
                embedded,
            ))));
        }
        let gauges = super::health::ControlGauges::register(&mut registry, &self.metrics);
        let health = ProcessHealth::new(threads.statuses(), gauges.report(), outbox);
        tokio::spawn(gauges.keep(self.control.clone(), stop.clone()));
        let metrics = api::ApiMetrics::register(&mut registry);
        let catalogue = move || serde_json::json!(detect::catalogue(&*rules.borrow()));
        let state = api::ApiState {
            control: self.control.clone(),
            query: self.query.clone(),
            intake: Arc::new(KafkaIntake::new(LogWriter::new(&self.connection, "intake")?)),
            partners: Arc::new(PartnerBook::new(self.query.clone(), config)),
            health: Arc::new(health),
            registry: Arc::new(registry),
            metrics,
            detectors: Arc::new(catalogue),
            config: Arc::new(api::ApiConfig {
                listen,
                intake_line_bytes_max: super::intake::LINE_BYTES_MAX,
                metrics_public: config.server.metrics_public,
                behind_proxy: !config.server.public_url.is_empty(),
                ..api::ApiConfig::default()
            }),
        };
        let serving = api::serve(listener, state, stop.cancelled_owned());
        Ok((listen, tokio::spawn(async { serving.await.context("serve the API") })))
    }

    /// Delivers to on-call, where alerting is a role of this process, until told to stop.
    pub(crate) fn run_outbox(
        &self,
        config: &Config,
        stop: CancellationToken,
    ) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
        let public_url = match config.server.public_url.as_str() {
            "" => None,
            url => Some(Url::parse(url).context("server.public_url")?),
        };
        let keep = match config.alerting.retention_days {
            0 => None,
            days => Some(std::time::Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
        };
        let options = OutboxOptions { public_url, keep };
        let (control, destinations) = (self.control.clone(), self.destinations.clone());
        let (counters, due) =
            (Arc::clone(&self.outbox), config.server.roles.contains(&config::Role::Alerting));
        Ok(tokio::spawn(async move {
            if !due {
                stop.cancelled().await;
                return Ok(());
            }
            let outbox = alerting::run_outbox(control, destinations, options, stop, counters);
            outbox.await.context("run the outbox")
        }))
    }
}

fn page_age_max(config: &Config) -> anyhow::Result<Option<TimeDelta>> {
    match config.alerting.page_max_age_hours {
        0 => Ok(None),
        hours => TimeDelta::try_hours(hours.into())
            .map(Some)
            .context("alerting.page_max_age_hours is longer than time itself"),
    }
}

/// What `fingerprint('…')` means in SQL: what a token or key became in the tables.
fn fingerprint(config: &Config) -> anyhow::Result<impl Fn(&str) -> String + Send + Sync + 'static> {
    let (fingerprinter, clock) = (config::kept_fingerprinter(config)?, Clock::system());
    Ok(move |raw: &str| fingerprinter.at(clock.now()).token(raw))
}

async fn open_tables(config: &Config) -> anyhow::Result<Tables> {
    if config.store.url.is_empty() {
        let dir = config.server.data_dir.join("tables");
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    }
    Tables::open(&table_url("", config)?, StoreOptions::default()).await.context("open the tables")
}

/// Where tables are that somebody names, as a folder or a URL; where nobody does, the configured ones.
pub(crate) fn table_url(named: &str, config: &Config) -> anyhow::Result<Url> {
    let dir = match (named, config.store.url.as_str()) {
        ("", "") => config.server.data_dir.join("tables"),
        ("", url) => return Url::parse(url).context("store.url"),
        (url, _) if url.contains("://") => {
            return Url::parse(url).with_context(|| format!("{url} is no URL"));
        }
        (dir, _) => dir.into(),
    };
    let dir = dir.canonicalize().with_context(|| format!("find the tables in {}", dir.display()))?;
    Url::from_directory_path(&dir).map_err(|()| anyhow::anyhow!("{} is no folder", dir.display()))
}

/// Opens tables for reading only: where there are none, none are made.
pub(crate) async fn existing_tables(url: &Url) -> anyhow::Result<Tables> {
    if let Ok(dir) = url.to_file_path() {
        let log = dir.join(store::Table::Events.name()).join("_delta_log");
        anyhow::ensure!(log.is_dir(), "{} holds no table of events", dir.display());
    }
    Tables::open(url, StoreOptions::default()).await.context("open the tables")
}

/// This instance's name: configured, or made once and kept.
fn instance(config: &Config) -> anyhow::Result<String> {
    if !config.server.instance.is_empty() {
        return Ok(config.server.instance.clone());
    }
    let path = config.server.data_dir.join("instance");
    if let Ok(name) = std::fs::read_to_string(&path) {
        return Ok(name.trim().to_owned());
    }
    let name = format!("{:016x}", rand::random::<u64>());
    config::write_private(&path, &name)?;
    Ok(name)
}
