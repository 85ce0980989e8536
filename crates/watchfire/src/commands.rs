//! The commands beside `serve`.

pub(crate) mod bench_limits;
pub(crate) mod broker;
pub(crate) mod check;
pub(crate) mod generate;
pub(crate) mod query;
pub(crate) mod send;
pub(crate) mod token;
pub(crate) mod user;

use kafka::Connection;

/// How to reach Kafka from a command without a configuration.
#[derive(clap::Args, Clone)]
pub(crate) struct KafkaArgs {
    /// Bootstrap servers.
    #[arg(long, value_name = "HOST:PORT,...", default_value = "127.0.0.1:9092")]
    kafka: String,
    /// A librdkafka property, e.g. -X security.protocol=ssl; may be given several times.
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    properties: Vec<String>,
}

impl KafkaArgs {
    pub(crate) fn connection(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection::new(&self.kafka);
        for property in &self.properties {
            let Some((key, value)) = property.split_once('=') else {
                anyhow::bail!("-X {property}: expected KEY=VALUE");
            };
            connection.properties.insert(key.to_owned(), value.to_owned());
        }
        Ok(connection)
    }
}
