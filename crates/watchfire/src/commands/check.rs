//! `watchfire check`: is the configuration right, are the source descriptions right, do the detectors' rules
//! do what their examples say?

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use detect::Rules;
use normalize::{Places, Schemas};

use crate::cli::ConfigArgs;
use crate::config::Overrides;
use crate::knowledge::Knowledge;
use crate::rules;

pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    let config = args.load(Overrides::default())?;
    let knowledge = Knowledge::load(&config)?;
    let rules = rules::load(&config, &knowledge.schemas)?;
    crate::config::destinations(&config.alerting.destinations)?;
    println!("configuration is valid");
    println!("sources      {}", knowledge.schemas.names().join(", "));
    print_rules(&rules, &knowledge.schemas);
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

/// Each detector's rule, for whom it is another, and which of its examples hold. That one of ours does not is
/// no error: parameters that are meant so may well be the reason.
fn print_rules(rules: &Rules, schemas: &Arc<Schemas>) {
    println!("rules        {}", rules.hash());
    let shown = stages::examples::run(rules, schemas);
    for detector in detect::catalogue(rules) {
        let own: Vec<_> = shown.iter().filter(|shown| shown.example.detector == detector.name).collect();
        let held = own.iter().filter(|shown| shown.holds()).count();
        println!("  {}  {}: {held} of {} examples hold", detector.name, detector.version, own.len());
        for partner in rules.partners(detector.name) {
            let version = rules.version_for(detector.name, partner).unwrap_or_default();
            println!("    {partner} has its own parameters: {version}");
        }
        for shown in own.into_iter().filter(|shown| !shown.holds()) {
            println!("    {shown} (a built-in example; the file of rules has none of its own)");
        }
    }
}
