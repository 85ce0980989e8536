//! What the HTTP server needs to be told. Every limit has its default here, and nowhere else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Limits and addresses of the HTTP server, already checked.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where to listen. [`crate::serve`] takes a bound listener; this is for whoever binds it.
    pub listen: SocketAddr,
    /// Connections served at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a client may take to send a request's head, and to stay idle between two.
    pub header_timeout: Duration,
    /// How long a request may take: its body to arrive, its answer to begin.
    pub request_timeout: Duration,
    /// The same for `POST /v1/query`. Longer than the engine's own limit, so that the engine is the
    /// one that says which limit was met.
    pub query_timeout: Duration,
    /// How long a client may take nothing from a socket that has something for it.
    pub write_stall_timeout: Duration,
    /// How long requests under way may take to end after the server was asked to stop.
    pub shutdown_grace: Duration,

    /// The most bytes of one intake request as it travels.
    pub intake_compressed_bytes_max: usize,
    /// The most bytes of one intake request once decompressed.
    pub intake_bytes_max: usize,
    /// The most lines of one intake request.
    pub intake_lines_max: usize,
    /// The most bytes of one line: what the broker takes, less what goes with it. A longer one is
    /// refused before any other line of its request was sent.
    pub intake_line_bytes_max: usize,
    /// The most memory that all intake requests may hold at once.
    pub intake_memory_bytes_max: usize,
    /// The most of it that one partner's requests may hold, so that nobody fills it alone.
    pub intake_memory_per_partner_bytes_max: usize,

    /// The most bytes of one SQL statement, with whatever it is wrapped in.
    pub query_text_bytes_max: usize,

    /// Live alert streams open at once.
    pub streams_max: usize,
    /// Live alert streams that one token may have open.
    pub streams_per_caller_max: usize,
    /// How long a live stream stays silent before a comment shows that it lives. The token is
    /// looked at again then.
    pub heartbeat: Duration,

    /// Wrong tokens that one address may present in a minute before it is told to wait.
    pub failed_auth_per_minute_max: u32,
    /// Whether `/metrics`, and the details of `/readyz`, are for everybody. Otherwise they are for
    /// loopback, and for tokens that may read every partner's data.
    pub metrics_public: bool,
    /// Whether people reach this server through a proxy. What comes from loopback then may come from
    /// anywhere, and has to bring a token to see what is for operators.
    pub behind_proxy: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8321)),
            connections_max: 1_024,
            header_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(120),
            write_stall_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
            intake_compressed_bytes_max: 8 * MIB,
            intake_bytes_max: 16 * MIB,
            intake_lines_max: 200_000,
            intake_line_bytes_max: 10 * MIB - (16 << 10),
            intake_memory_bytes_max: 128 * MIB,
            intake_memory_per_partner_bytes_max: 48 * MIB,
            query_text_bytes_max: 256 << 10,
            streams_max: 256,
            streams_per_caller_max: 16,
            heartbeat: Duration::from_secs(15),
            failed_auth_per_minute_max: 30,
            metrics_public: false,
            behind_proxy: false,
        }
    }
}
