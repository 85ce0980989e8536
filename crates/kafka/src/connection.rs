//! How to reach Kafka: bootstrap servers and whatever else librdkafka should be told.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

/// Bootstrap servers and librdkafka properties (TLS, SASL, ...), checked when first used.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `host:port,...`
    pub brokers: String,
    /// Passed to librdkafka as they are, e.g. `security.protocol`.
    pub properties: BTreeMap<String, String>,
}

impl Connection {
    /// A plain connection.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), properties: BTreeMap::new() }
    }

    /// Whether groups are those of KIP-848, whose brokers decide who reads what and how long a member
    /// may be silent.
    pub(crate) fn has_new_groups(&self) -> bool {
        self.properties.get("group.protocol").is_some_and(|protocol| protocol == "consumer")
    }

    /// What every client of ours starts from.
    pub(crate) fn client(&self, name: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("watchfire-{name}"))
            .set("broker.address.family", "v4")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set("log.connection.close", "false");
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }
}
