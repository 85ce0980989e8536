//! The commands beside `serve`.

pub(crate) mod bench_limits;
pub(crate) mod broker;
pub(crate) mod check;
pub(crate) mod drift;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod groups;
pub(crate) mod query;
pub(crate) mod redrive;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod score;
pub(crate) mod send;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod topics;
pub(crate) mod user;

mod confirm;
mod lines;
mod place;
mod printable;
mod server;
mod table;

use kafka::Connection;
use kafka::admin::AdminError;

/// How to reach Kafka from a command without a configuration.
#[derive(clap::Args, Clone)]
pub(crate) struct KafkaArgs {
    /// Bootstrap servers.
    #[arg(long, visible_alias = "brokers", value_name = "HOST:PORT,...", default_value = "127.0.0.1:9092")]
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

/// Whether whoever reads what is printed has gone.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let of_json = || error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or_else(of_json);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

/// What went wrong with a cluster, and what may help.
fn with_cure(error: AdminError) -> anyhow::Error {
    let cure = match &error {
        AdminError::Unreachable { .. } => "is it running there? Another address: --kafka HOST:PORT",
        AdminError::Missing(what) if what.starts_with("group") => {
            "`watchfire groups list` shows those there are"
        }
        AdminError::Missing(_) => "`watchfire topics list` and `describe` show what there is",
        AdminError::Refused { .. } => return error.into(),
    };
    anyhow::anyhow!("{error}; {cure}")
}
