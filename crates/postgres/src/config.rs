//! What the server needs to be told. Every limit has its default here, and nowhere else.

use std::time::Duration;

use listener::TlsFiles;

/// Limits of the server, already checked.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// With what connections are encrypted, for clients that ask for it.
    pub tls: Option<TlsFiles>,
    /// Whether a token may come unencrypted from beyond loopback.
    pub allow_insecure: bool,
    /// Connections at once; further ones are told so and closed.
    pub connections_max: usize,
    /// Connections that one token may have open.
    pub connections_per_token_max: usize,
    /// From the connection to the token.
    pub startup_timeout: Duration,
    /// How long a connection may say nothing between two statements.
    pub idle_timeout: Duration,
    /// How long a client may take nothing from a socket that has something for it.
    pub write_stall_timeout: Duration,
    /// How long statements under way may take to end after the server was asked to stop.
    pub shutdown_grace: Duration,
    /// The most bytes of one message.
    pub message_bytes_max: usize,
    /// Statements and portals that one connection may keep.
    pub prepared_max: usize,
    /// The most bytes of text and values that one connection may keep with them.
    pub prepared_bytes_max: usize,
    /// Wrong tokens that one address may present in a minute before it is told to wait.
    pub failed_auth_per_minute_max: u32,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            tls: None,
            allow_insecure: false,
            connections_max: 64,
            connections_per_token_max: 32,
            startup_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60 * 60),
            write_stall_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
            message_bytes_max: 256 << 10,
            prepared_max: 256,
            prepared_bytes_max: 2 << 20,
            failed_auth_per_minute_max: 30,
        }
    }
}
