//! The listener for clients of Arrow Flight SQL, where one is configured.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::parts::Parts;
use crate::config::Config;

/// Binds and serves it. Before the API, which takes the registry of metrics.
pub(super) async fn start(
    config: &Config,
    parts: &Parts,
    stop: CancellationToken,
) -> anyhow::Result<Option<(SocketAddr, JoinHandle<anyhow::Result<()>>)>> {
    let Some((listen, server)) = config.flight.flight()? else { return Ok(None) };
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen} (another address: flight.listen)"))?;
    let listen = listener.local_addr().context("ask for the bound address")?;
    let metrics = parts.register(flight::FlightMetrics::register)?;
    let state = flight::FlightState {
        control: parts.control.clone(),
        query: parts.query.clone(),
        metrics,
        config: server,
    };
    let serving = flight::serve(listener, state, stop.cancelled_owned()).context("flight.tls_certificate")?;
    let serving = async {
        serving.await;
        Ok(())
    };
    Ok(Some((listen, tokio::spawn(serving))))
}
