//! `watchfire check`: is the configuration right, are the source descriptions right?

use std::path::Path;

use anyhow::Context;
use normalize::Schemas;

use crate::cli::ConfigArgs;
use crate::config::{Config, Overrides};

pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    let config = args.load(Overrides::default())?;
    let schemas = schemas(&config)?;
    for (topic, source) in &config.normalize.formats {
        if !schemas.names().contains(&source.as_str()) {
            anyhow::bail!(
                "normalize.formats: {topic} names the source {source}, which there is not; there are {}",
                schemas.names().join(", ")
            );
        }
    }
    crate::config::destinations(&config.alerting.destinations)?;
    println!("configuration is valid");
    println!("sources      {}", schemas.names().join(", "));
    println!(
        "kafka        {}",
        if config.kafka.brokers.is_empty() { "embedded broker" } else { &config.kafka.brokers }
    );
    println!("data         {}", config.server.data_dir.display());
    println!("api          http://{}", config.server.listen);
    let destinations: Vec<&str> =
        config.alerting.destinations.iter().map(|destination| destination.name.as_str()).collect();
    println!(
        "told         {}",
        if destinations.is_empty() {
            "nobody (no alerting.destinations)".into()
        } else {
            destinations.join(", ")
        }
    );
    Ok(())
}

/// The built-in descriptions and the user's own.
pub(crate) fn schemas(config: &Config) -> anyhow::Result<Schemas> {
    if config.normalize.schemas_dir.is_empty() {
        return Ok(Schemas::built_in());
    }
    Schemas::load(Path::new(&config.normalize.schemas_dir)).context("normalize.schemas_dir")
}

/// The same, and one of them is this.
pub(crate) fn schemas_with(config: &Config, source: Option<&str>) -> anyhow::Result<Schemas> {
    let schemas = schemas(config)?;
    if let Some(source) = source.filter(|source| !schemas.names().contains(source)) {
        anyhow::bail!("--source {source}: there is none; there are {}", schemas.names().join(", "));
    }
    Ok(schemas)
}
