//! What a broker needs to be told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const MIB: usize = 1024 * 1024;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The PEM files of a listener's TLS. They are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authorities of clients' certificates; without, clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Refuse clients without a certificate; otherwise they may come with a password.
    pub client_certificate_required: bool,
}

/// The broker's settings. [`BrokerConfig::new`] has a sensible value for each.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The directory that holds everything; one process at a time may use it.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The host and port that clients are told to connect to; when absent, the address that they
    /// have come to.
    pub advertised: Option<(String, u16)>,
    /// Encrypts the listener, with TLS 1.3.
    pub tls: Option<TlsFiles>,
    /// The file of users ([`crate::users`]); with one, every client has to show who it is.
    pub users_file: Option<PathBuf>,
    /// How often to look whether the files of certificates and users have changed.
    pub reload_check_ms: u64,
    /// Also listen on a free loopback port for this process alone: see
    /// [`Broker::own_access`](crate::Broker::own_access).
    pub own_listener: bool,
    /// Partitions of a topic that is created without saying how many.
    pub default_partitions: i32,
    /// Create a topic when a client asks about one that does not exist.
    pub auto_create_topics: bool,
    /// Wait for the disk before a write is acknowledged. Without it a power cut loses
    /// acknowledged records; a crash of the process alone does not. A start then looks through all
    /// records: nothing says what is on the disk.
    pub fsync: bool,
    /// How long a write waits for others to share its fsync with, counted from the first of them.
    /// Zero waits for no one: writes that come while the disk is busy share the next fsync anyway.
    pub sync_interval_ms: u64,
    /// So many bytes that wait for an fsync end the wait early.
    pub sync_bytes: u64,
    /// The largest request; a connection that announces more is closed.
    pub request_bytes_max: usize,
    /// The largest record batch, unless a topic says otherwise.
    pub message_bytes_max: usize,
    /// Bytes of requests that are being read or answered, of all connections together; a
    /// connection for which there is no room is not read until there is.
    pub request_bytes_in_flight_max: usize,
    /// Bytes of records that are being read and sent, for all fetches together.
    pub fetch_bytes_in_flight_max: usize,
    /// Connections beyond this many are closed at once. Open files are kept for the log, so half
    /// as many as the process may have is the most.
    pub connections_max: usize,
    /// A connection on which nothing is asked for so long is closed.
    pub idle_ms_max: u64,
    /// So is one that sends half a request, or reads half a response, and then nothing.
    pub stalled_ms_max: u64,
    /// Topics there may be.
    pub topics_max: usize,
    /// Partitions that all topics may have together.
    pub partitions_max: usize,
    /// Consumer groups there may be.
    pub groups_max: usize,
    /// Members that a group may have.
    pub group_members_max: usize,
    /// Transactional ids there may be.
    pub transactional_ids_max: usize,
    /// When a partition begins a new segment, unless a topic says otherwise.
    pub segment_bytes: u64,
    /// How long records are kept, unless a topic says otherwise; negative keeps them for ever.
    pub retention_ms: i64,
    /// How many bytes a partition keeps, unless a topic says otherwise; negative keeps all.
    pub retention_bytes: i64,
    /// How often to look for records to delete.
    pub retention_check_ms: u64,
    /// How long is kept what a repair has set aside, for someone to look at: torn or damaged bytes in
    /// files that end in `.cut`, topics that the journal does not know in `removed`. Negative keeps
    /// it for ever.
    pub set_aside_ms: i64,
    /// The longest transaction timeout a producer may ask for.
    pub transaction_timeout_ms_max: i32,
    /// How long the first member of an empty consumer group waits for others, so that a group
    /// that starts together is not rebalanced for each member.
    pub group_initial_delay_ms: u64,
    /// Listen beyond loopback although nothing is encrypted and no one is authenticated.
    pub allow_insecure_listen: bool,
}

impl BrokerConfig {
    /// Sensible defaults: loopback, durable, a week of records.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9092),
            advertised: None,
            tls: None,
            users_file: None,
            reload_check_ms: 10_000,
            own_listener: false,
            default_partitions: 1,
            auto_create_topics: true,
            fsync: true,
            sync_interval_ms: 0,
            sync_bytes: MIB as u64,
            request_bytes_max: 100 * MIB,
            message_bytes_max: 10 * MIB,
            request_bytes_in_flight_max: 512 * MIB,
            fetch_bytes_in_flight_max: 512 * MIB,
            connections_max: 2000,
            idle_ms_max: 10 * 60 * 1000,
            stalled_ms_max: 30_000,
            topics_max: 10_000,
            partitions_max: 100_000,
            groups_max: 10_000,
            group_members_max: 1000,
            transactional_ids_max: 100_000,
            segment_bytes: 1024 * MIB as u64,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            retention_check_ms: 30_000,
            set_aside_ms: 30 * DAY_MS,
            transaction_timeout_ms_max: 15 * 60 * 1000,
            group_initial_delay_ms: 100,
            allow_insecure_listen: false,
        }
    }
}
