//! Runs a broker on its own: `cargo run --example serve -- DATA_DIR [PORT]`. Ctrl-C stops it.

use tokio::signal::unix::{SignalKind, signal};

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
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        pressed = tokio::signal::ctrl_c() => {
            if let Err(error) = pressed {
                eprintln!("cannot listen for Ctrl-C, stopping: {error}");
            }
        }
        error = broker.failed() => eprintln!("cannot go on, stopping: {error}"),
    }
    println!("{:?}", broker.metrics());
    println!("{}", broker.shutdown().await?);
    Ok(())
}
