//! What the server needs to be told. Every limit has its default here, and nowhere else.

use std::time::Duration;

use listener::TlsFiles;

/// Limits of the server, already checked.
#[derive(Clone, Debug)]
pub struct FlightConfig {
    /// With what connections are encrypted. With it, no other ones are taken.
    pub tls: Option<TlsFiles>,
    /// Whether a token may come unencrypted from beyond loopback.
    pub allow_insecure: bool,
    /// Connections at once; further ones are closed.
    pub connections_max: usize,
    /// Connections that one token may use at once.
    pub connections_per_token_max: usize,
    /// Calls at once on one connection.
    pub calls_per_connection_max: u32,
    /// From the connection to the first call with a token.
    pub startup_timeout: Duration,
    /// How long a connection may be without a call.
    pub idle_timeout: Duration,
    /// How long a call may go on beyond the time that a statement has.
    pub call_grace: Duration,
    /// How often a quiet connection is asked whether it is still there, and how long it has to say so.
    pub keepalive: Duration,
    /// How long calls under way may take to end after the server was asked to stop.
    pub shutdown_grace: Duration,
    /// The most bytes of one message that is sent to the server.
    pub message_bytes_max: usize,
    /// Prepared statements that one token may keep.
    pub prepared_max: usize,
    /// The most bytes of text and values that one token may keep with them.
    pub prepared_bytes_max: usize,
    /// How long a prepared statement is kept that nobody uses.
    pub prepared_unused_max: Duration,
    /// Wrong tokens that one address may present in a minute before it is told to wait.
    pub failed_auth_per_minute_max: u32,
}

impl Default for FlightConfig {
    fn default() -> Self {
        Self {
            tls: None,
            allow_insecure: false,
            connections_max: 64,
            connections_per_token_max: 32,
            calls_per_connection_max: 32,
            startup_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60 * 60),
            call_grace: Duration::from_secs(30),
            keepalive: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(10),
            message_bytes_max: 256 << 10,
            prepared_max: 256,
            prepared_bytes_max: 2 << 20,
            prepared_unused_max: Duration::from_secs(60 * 60),
            failed_auth_per_minute_max: 30,
        }
    }
}
