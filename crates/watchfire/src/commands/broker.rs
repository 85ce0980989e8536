//! `watchfire broker`: the embedded Kafka broker alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ::broker::Broker;
use anyhow::{Context, bail};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::cli::ConfigArgs;
use crate::config::Overrides;
use crate::telemetry::ProcessCollector;
use crate::telemetry::broker::{BrokerCollector, Held};

/// Flags of `broker`. They stand for keys of the section [broker].
#[derive(clap::Args)]
pub(crate) struct BrokerArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where everything is kept; the log in its folder broker [default: watchfire-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where it listens [default: 127.0.0.1:9092].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// What clients are told to connect to [default: the address that they have come to].
    #[arg(long, value_name = "HOST:PORT")]
    advertised: Option<String>,
    /// PEM file of its certificate; with --tls-key, it speaks TLS 1.3.
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// PEM file of the certificate's key.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// PEM file of the authorities of clients' certificates.
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<String>,
    /// Who may log in, and what each may do; `watchfire user` writes it.
    #[arg(long, value_name = "FILE")]
    users_file: Option<String>,
    /// Serve its metrics for Prometheus there, at /metrics: say, 127.0.0.1:9093. They name topics
    /// and groups.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Listen beyond loopback although there are not both TLS and users.
    #[arg(long)]
    allow_insecure_listen: bool,
}

impl BrokerArgs {
    fn overrides(&self) -> Overrides {
        let mut flags = Overrides::default();
        flags.set("server.data_dir", self.data_dir.clone());
        flags.set("broker.listen", self.listen.map(|address| address.to_string()));
        flags.set("broker.advertised", self.advertised.clone());
        flags.set("broker.tls_certificate", self.tls_certificate.clone());
        flags.set("broker.tls_key", self.tls_key.clone());
        flags.set("broker.tls_client_ca", self.tls_client_ca.clone());
        flags.set("broker.users_file", self.users_file.clone());
        flags.set("broker.allow_insecure_listen", self.allow_insecure_listen.then_some(true));
        flags
    }
}

pub(crate) fn run(args: &BrokerArgs) -> anyhow::Result<()> {
    let config = args.config.load(args.overrides())?;
    crate::telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let settings = config.broker.settings(config.server.data_dir.join("broker"))?;
        let broker = Broker::start(settings).await?;
        let failed = broker.failed();
        println!(
            "kafka broker listens on {} (one node, no replication); stop it with Ctrl-C",
            broker.local_addr()
        );
        let held: Held = Arc::new(Mutex::new(Some(broker)));
        if let Some(listen) = args.metrics_listen {
            serve_metrics(listen, config.broker.allow_insecure_listen, Arc::clone(&held)).await?;
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
