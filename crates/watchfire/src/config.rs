//! The configuration: a file, then `WATCHFIRE_*` variables, then flags. Every default is in here
//! and in `watchfire.example.toml`, which a test compares with it.

mod broker;
mod layers;
mod normalize;
mod partners;
mod secrets;
mod sql_listener;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::normalize::{Enrich, Normalize};
pub(crate) use broker::Broker;
pub(crate) use layers::{Overrides, load};
pub(crate) use partners::Partner;
pub(crate) use secrets::{destinations, fingerprinter, kept_fingerprinter, variable, write_private};
pub(crate) use sql_listener::SqlListener;

/// The whole file: each part's section side by side.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) kafka: Kafka,
    pub(crate) broker: Broker,
    pub(crate) normalize: Normalize,
    pub(crate) enrich: Enrich,
    pub(crate) privacy: Privacy,
    pub(crate) detect: Detect,
    pub(crate) store: Store,
    pub(crate) query: Query,
    pub(crate) postgres: SqlListener,
    pub(crate) flight: SqlListener,
    pub(crate) alerting: Alerting,
    pub(crate) log: Log,
    /// What is agreed with each partner, by partner id.
    pub(crate) partners: BTreeMap<String, Partner>,
}

/// What one process of a cluster can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Normalize,
    Detect,
    Store,
    Alerting,
    Api,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Where the API listens.
    pub(crate) listen: SocketAddr,
    /// Listen beyond loopback although the API has no TLS of its own (put a proxy in front).
    pub(crate) allow_insecure_listen: bool,
    /// Everything that is kept: broker, tables, snapshots, databases.
    pub(crate) data_dir: PathBuf,
    /// Which stages run in this process.
    pub(crate) roles: Vec<Role>,
    /// How people reach this server; links in pages begin with it.
    pub(crate) public_url: String,
    /// This instance's name; part of transactional ids, so unique in a cluster. Empty: made once and kept in data_dir.
    pub(crate) instance: String,
    /// Whether /metrics, and the details of /readyz, are served without a token. Otherwise they are for
    /// loopback, if neither a proxy's header nor a public_url says that it may be anybody, and for
    /// tokens that see every partner.
    pub(crate) metrics_public: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            allow_insecure_listen: false,
            data_dir: "watchfire-data".into(),
            roles: vec![Role::Normalize, Role::Detect, Role::Store, Role::Alerting, Role::Api],
            public_url: String::new(),
            instance: String::new(),
            metrics_public: false,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Kafka {
    /// `host:port,...` of a Kafka cluster. Empty: the embedded broker.
    pub(crate) brokers: String,
    /// librdkafka properties, e.g. `"security.protocol" = "ssl"`.
    pub(crate) properties: BTreeMap<String, String>,
    /// librdkafka properties whose value is in an environment variable: property = variable.
    pub(crate) properties_env: BTreeMap<String, String>,
    /// Put before our topics, consumer groups and transactional ids.
    pub(crate) prefix: String,
    /// How soon a partner's new topic is noticed, in milliseconds.
    pub(crate) discovery_ms: u64,
    /// Partitions of watchfire.observations; more of them let more instances detect.
    pub(crate) observation_partitions: i32,
    /// Partitions of watchfire.events.
    pub(crate) event_partitions: i32,
    /// How long our own topics keep what the tables hold already, in hours.
    pub(crate) retention_hours: u64,
    /// What a crash may do to lines that are under way.
    pub(crate) delivery: Delivery,
    /// Whether events and alerts are also written as OCSF 1.8.0, for other systems.
    pub(crate) ocsf: bool,
}

/// How NORMALIZE and DETECT write what they make of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Delivery {
    /// With the batch's offsets, in one transaction.
    ExactlyOnce,
    /// Before the batch's offsets: a crash in between has it written, stored and counted again.
    AtLeastOnce,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            properties: BTreeMap::new(),
            properties_env: BTreeMap::new(),
            prefix: "watchfire".into(),
            discovery_ms: 1_000,
            observation_partitions: 4,
            event_partitions: 2,
            retention_hours: 24,
            delivery: Delivery::ExactlyOnce,
            ocsf: false,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Privacy {
    /// Id of the key that fingerprints are made with; part of every fingerprint.
    pub(crate) key_id: String,
    /// Environment variable that holds the key (32 bytes as 64 hex digits).
    pub(crate) key_env: String,
    /// File that holds the key. Neither: one is made and kept in data_dir.
    pub(crate) key_file: String,
    /// The key that takes over, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<NextKey>,
}

/// A key that takes over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NextKey {
    /// Its id.
    pub(crate) key_id: String,
    /// Environment variable that holds it.
    #[serde(default)]
    pub(crate) key_env: String,
    /// File that holds it.
    #[serde(default)]
    pub(crate) key_file: String,
    /// What happened from then on is fingerprinted with it, RFC 3339.
    pub(crate) from: String,
}

impl Default for Privacy {
    fn default() -> Self {
        Self { key_id: "k1".into(), key_env: String::new(), key_file: String::new(), next: None }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Detect {
    /// How long one transaction gathers observations, in milliseconds.
    pub(crate) commit_interval_ms: u64,
    /// How often state is snapshot, in seconds.
    pub(crate) snapshot_interval_seconds: u64,
    /// Where it is kept, as a URL. Empty: `snapshots` in data_dir.
    pub(crate) snapshots_url: String,
    /// A folder with a file DETECTOR.toml for each detector whose rules are your own.
    pub(crate) rules_dir: String,
    /// How often it is looked at for changes; 0 never.
    pub(crate) reload_interval_ms: u64,
    /// How often the metric `watchfire_coverage` is brought up to date, in seconds; 0 never.
    pub(crate) coverage_interval_seconds: u64,
    /// The detectors' own parameters, below those of the files.
    pub(crate) detectors: detect::DetectConfig,
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            commit_interval_ms: 100,
            snapshot_interval_seconds: 30,
            snapshots_url: String::new(),
            rules_dir: String::new(),
            reload_interval_ms: 2_000,
            coverage_interval_seconds: 300,
            detectors: detect::DetectConfig::default(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    /// Where the tables are, as a URL. Empty: `tables` in data_dir.
    pub(crate) url: String,
    /// How often tables are committed to, in milliseconds.
    pub(crate) commit_interval_ms: u64,
    /// How often small files are merged, in seconds; 0 never.
    pub(crate) compact_interval_seconds: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: String::new(), commit_interval_ms: 1_000, compact_interval_seconds: 300 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Query {
    /// Longest query, in seconds.
    pub(crate) time_max_seconds: u64,
    /// Most rows in an answer. One that would have more is cut off, and says so.
    pub(crate) rows_max: usize,
    /// Most memory that all queries share, in MiB. Half of it is divided evenly between the places of
    /// `concurrent_max`; the other half goes to whoever asks first.
    pub(crate) memory_max_mib: usize,
    /// Most queries at once. One partner may have half of these places, and all partners together all
    /// but one, which is kept for who sees every partner.
    pub(crate) concurrent_max: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self { time_max_seconds: 30, rows_max: 100_000, memory_max_mib: 256, concurrent_max: 4 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Alerting {
    /// How long one transaction gathers alert changes, in milliseconds.
    pub(crate) commit_interval_ms: u64,
    /// How old an alert's last event may be when we first hear of it for anybody to be told, in hours; 0: any age.
    pub(crate) page_max_age_hours: u32,
    /// How long alerts that are over are kept with their trail, in days; 0: for ever.
    pub(crate) retention_days: u32,
    /// Who is told.
    #[serde(skip_serializing)]
    pub(crate) destinations: Vec<alerting::DestinationConfig>,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { commit_interval_ms: 20, page_max_age_hours: 24, retention_days: 400, destinations: Vec::new() }
    }
}

/// How log lines of Watchfire itself look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Human,
    Json,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// human or json.
    pub(crate) format: LogFormat,
    /// Which lines: a level, or `target=level,...`.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "warn".into() }
    }
}

impl Kafka {
    /// The topics that this configuration writes to.
    pub(crate) fn topics(&self) -> stages::Topics {
        let topics = stages::Topics::new(&self.prefix);
        if self.ocsf { topics.with_ocsf(&self.prefix) } else { topics }
    }
}
