//! `watchfire broker`: the embedded Kafka broker alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use ::broker::{Broker, BrokerConfig};

/// Flags of `broker`.
#[derive(clap::Args)]
pub(crate) struct BrokerArgs {
    /// Where its log is kept.
    #[arg(long, value_name = "DIR", default_value = "watchfire-data/broker")]
    data_dir: PathBuf,
    /// Where it listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
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
        println!(
            "kafka broker listens on {} (one node, no replication); stop it with Ctrl-C",
            broker.local_addr()
        );
        crate::serve::asked_to_stop().await?;
        broker.shutdown().await?;
        println!("broker stopped; its log is whole");
        Ok(())
    })
}
