//! `watchfire check`: is the configuration right, are the source descriptions right?

use std::path::Path;

use anyhow::Context;
use normalize::Places;

use crate::cli::ConfigArgs;
use crate::config::Overrides;
use crate::knowledge::Knowledge;

pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    let config = args.load(Overrides::default())?;
    let knowledge = Knowledge::load(&config)?;
    crate::config::destinations(&config.alerting.destinations)?;
    println!("configuration is valid");
    println!("sources      {}", knowledge.schemas.names().join(", "));
    for file in &config.enrich.databases {
        let mut places = Places::default();
        places.load(Path::new(file)).context("enrich.databases")?;
        println!("addresses    {file} ({})", places.versions());
    }
    if !config.partners.is_empty() {
        let partners: Vec<&str> = config.partners.keys().map(String::as_str).collect();
        println!("partners     {}", partners.join(", "));
    }
    println!(
        "kafka        {}",
        if config.kafka.brokers.is_empty() { "embedded broker" } else { &config.kafka.brokers }
    );
    if let Some(next) = &config.privacy.next {
        crate::config::fingerprinter(&config)?;
        println!("privacy key  {}, from {} on {}", config.privacy.key_id, next.from, next.key_id);
    }
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
