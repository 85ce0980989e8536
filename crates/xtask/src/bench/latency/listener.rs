//! Who listens for alerts, over plain HTTP as it comes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// An alert that was heard of.
pub(super) struct Heard {
    pub(super) detector: String,
    /// When the broker had the line that met the rule first.
    pub(super) ingested_at: DateTime<Utc>,
    pub(super) latency_ms: i64,
}

/// What of an event of the stream is looked at.
#[derive(Deserialize)]
struct Told {
    alert: Alert,
}

#[derive(Deserialize)]
struct Alert {
    detector: String,
    ingested_at: DateTime<Utc>,
}

/// Listens until the server ends the stream.
pub(super) struct Listener(JoinHandle<anyhow::Result<Vec<Heard>>>);

impl Listener {
    /// Connects, and has been answered when this returns.
    pub(super) fn start(server: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(server).context("connect to the server")?;
        write!(
            stream,
            "GET /v1/alerts/stream HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {token}\r\n\r\n"
        )
        .context("ask for the stream of alerts")?;
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next().transpose()?.unwrap_or_default();
        ensure!(status.contains(" 200 "), "GET /v1/alerts/stream: {status}");
        Ok(Self(std::thread::spawn(move || {
            let mut heard = Vec::new();
            let mut is_new = false;
            // An event is one chunk of the answer, so no line of it is torn.
            for line in lines.map_while(Result::ok) {
                if let Some(name) = line.strip_prefix("event:") {
                    is_new = name.trim() == "create";
                } else if let Some(data) = line.strip_prefix("data:").filter(|_| is_new) {
                    heard.push(Heard::now(data)?);
                }
            }
            Ok(heard)
        })))
    }

    /// What was heard until the end.
    pub(super) fn heard(self) -> anyhow::Result<Vec<Heard>> {
        self.0.join().map_err(|_| anyhow::anyhow!("the listener panicked"))?
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the time of day at which somebody hears")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

impl Heard {
    fn now(data: &str) -> anyhow::Result<Self> {
        let heard_at = now();
        let Told { alert } = serde_json::from_str(data).context("read an alert of the stream")?;
        let latency_ms = (heard_at - alert.ingested_at).num_milliseconds();
        Ok(Self { detector: alert.detector, ingested_at: alert.ingested_at, latency_ms })
    }
}
