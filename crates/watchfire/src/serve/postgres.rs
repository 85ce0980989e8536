//! The listener for PostgreSQL's clients, where one is configured.

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
    let Some((listen, server)) = config.postgres.postgres()? else { return Ok(None) };
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen} (another address: postgres.listen)"))?;
    let listen = listener.local_addr().context("ask for the bound address")?;
    let metrics = parts.register(postgres::PostgresMetrics::register)?;
    let state = postgres::PostgresState {
        control: parts.control.clone(),
        query: parts.query.clone(),
        metrics,
        config: server,
    };
    let serving =
        postgres::serve(listener, state, stop.cancelled_owned()).context("postgres.tls_certificate")?;
    let serving = async {
        serving.await;
        Ok(())
    };
    Ok(Some((listen, tokio::spawn(serving))))
}
