//! `watchfire broker`: the embedded Kafka broker alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ::broker::{Broker, BrokerConfig};
use anyhow::{Context, bail};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::telemetry::ProcessCollector;
use crate::telemetry::broker::{BrokerCollector, Held};

/// Flags of `broker`.
#[derive(clap::Args)]
pub(crate) struct BrokerArgs {
    /// Where its log is kept.
    #[arg(long, value_name = "DIR", default_value = "watchfire-data/broker")]
    data_dir: PathBuf,
    /// Where it listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
    /// Serve its metrics for Prometheus there, at /metrics: say, 127.0.0.1:9093. They name topics
    /// and groups.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Listen beyond loopback although this listener has neither TLS nor authentication.
    #[arg(long)]
    allow_insecure_listen: bool,
}

pub(crate) fn run(args: &BrokerArgs) -> anyhow::Result<()> {
    crate::telemetry::start(&crate::config::Log::default())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut config = BrokerConfig::new(&args.data_dir);
        config.listen = args.listen;
        config.allow_insecure_listen = args.allow_insecure_listen;
        config.message_bytes_max = crate::serve::MESSAGE_BYTES_MAX;
        let broker = Broker::start(config).await?;
        let failed = broker.failed();
        println!(
            "kafka broker listens on {} (one node, no replication); stop it with Ctrl-C",
            broker.local_addr()
        );
        let held: Held = Arc::new(Mutex::new(Some(broker)));
        if let Some(listen) = args.metrics_listen {
            serve_metrics(listen, args.allow_insecure_listen, Arc::clone(&held)).await?;
        }
        tokio::select! {
            why = crate::serve::asked_to_stop() => println!("stopping: {} (again to stop at once)", why?),
            error = failed => println!("stopping: {error}"),
        }
        tokio::spawn(async {
            if crate::serve::asked_to_stop().await.is_ok() {
                std::process::exit(130);
            }
        });
        let broker = held.lock().expect("no holder of this lock panics").take();
        let stopped = broker.context("the broker is stopped once")?.shutdown().await?;
        println!("broker stopped: {stopped}");
        Ok(())
    })
}

/// Serves until the process ends.
async fn serve_metrics(listen: SocketAddr, allow_insecure: bool, broker: Held) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() && !allow_insecure {
        bail!(
            "--metrics-listen {listen} is beyond loopback, and metrics name topics and groups to whoever asks: listen \
             on 127.0.0.1, or add --allow-insecure-listen if the network itself is trusted"
        );
    }
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen} (another address: --metrics-listen)"))?;
    println!("metrics at http://{}/metrics", listener.local_addr().context("ask for the bound address")?);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(BrokerCollector(broker)));
    registry.register_collector(Box::new(ProcessCollector));
    tokio::spawn(api::serve_metrics(listener, registry, std::future::pending()));
    Ok(())
}
