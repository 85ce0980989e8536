//! Kafka for this process: a cluster's, or the embedded broker.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use broker::{Broker, OwnAccess};
use kafka::Connection;
use tokio::sync::mpsc;

use crate::config::{Config, variable};
use crate::telemetry::broker::Held;

/// How to reach Kafka, and the embedded broker if it is ours.
pub(crate) struct Kafka {
    /// Where others reach it.
    pub(crate) address: String,
    pub(crate) connection: Connection,
    pub(crate) embedded: Option<Held>,
}

/// Starts the embedded broker, unless a cluster is configured.
pub(crate) async fn start(config: &Config) -> anyhow::Result<Kafka> {
    let mut properties = config.kafka.properties.clone();
    for (property, name) in &config.kafka.properties_env {
        properties.insert(property.clone(), variable(name).context("kafka.properties_env")?);
    }
    if !config.kafka.brokers.is_empty() {
        let connection = Connection { brokers: config.kafka.brokers.clone(), properties };
        return Ok(Kafka { address: connection.brokers.clone(), connection, embedded: None });
    }
    let mut broker = config.broker.settings(config.server.data_dir.join("broker"))?;
    // Where others have to show who they are, this process has a way in of its own.
    broker.own_listener = broker.tls.is_some() || broker.users_file.is_some();
    let embedded = Broker::start(broker).await.with_context(|| {
        let listen = config.broker.listen;
        format!("start the embedded broker on {listen} (another address: --broker-listen; a cluster instead: --kafka)")
    })?;
    let address = embedded.local_addr().to_string();
    let brokers = match embedded.own_access() {
        Some(own) => {
            properties.extend(own_properties(own));
            own.address.to_string()
        }
        None => address.clone(),
    };
    let connection = Connection { brokers, properties };
    Ok(Kafka { address, connection, embedded: Some(Arc::new(Mutex::new(Some(embedded)))) })
}

fn own_properties(own: &OwnAccess) -> impl Iterator<Item = (String, String)> {
    [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", own.username),
        ("sasl.password", own.password.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into_iter()
}

impl Kafka {
    /// Tells when the embedded broker cannot go on.
    pub(crate) fn watch(&self, ended: mpsc::UnboundedSender<String>) {
        let Some(embedded) = &self.embedded else { return };
        let failed = embedded.lock().expect("no holder of this lock panics").as_ref().map(Broker::failed);
        if let Some(failed) = failed {
            tokio::spawn(async move {
                // While the process stops, nobody listens any more.
                drop(ended.send(format!("embedded broker: {}", failed.await)));
            });
        }
    }

    /// Stops the embedded broker; its log is synced before this returns.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let embedded =
            self.embedded.and_then(|held| held.lock().expect("no holder of this lock panics").take());
        match embedded {
            Some(broker) => broker.shutdown().await.map(drop).context("stop the embedded broker"),
            None => Ok(()),
        }
    }
}
