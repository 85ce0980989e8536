//! Runs a broker on its own: `cargo run --example serve -- DATA_DIR [PORT]`. Ctrl-C stops it.

use broker::{Broker, BrokerConfig, BrokerError};

#[tokio::main]
async fn main() -> Result<(), BrokerError> {
    let mut arguments = std::env::args().skip(1);
    let mut config = BrokerConfig::new(arguments.next().unwrap_or_else(|| "broker-data".into()));
    if let Some(port) = arguments.next().and_then(|port| port.parse().ok()) {
        config.listen.set_port(port);
    }
    let broker = Broker::start(config).await?;
    println!("listening on {}", broker.local_addr());
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("cannot listen for Ctrl-C, stopping: {error}");
    }
    println!("{:?}", broker.metrics());
    broker.shutdown().await
}
