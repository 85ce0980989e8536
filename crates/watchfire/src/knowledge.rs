//! What lines are read with: the source descriptions, and what is known of addresses and partners. It
//! may be loaded again while lines are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use normalize::{Enrichment, Normalizer, Places, Schemas};
use tracing::warn;

use crate::config::{self, Config};
use crate::look::{Look, inside};

/// All of it, of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) enrichment: Arc<Enrichment>,
}

impl Knowledge {
    /// Reads everything that the configuration names. A database that cannot be used is done without.
    pub(crate) fn load(config: &Config) -> anyhow::Result<Self> {
        let schemas = schemas(config)?;
        for (topic, source) in &config.normalize.formats {
            is_known(&schemas, source).with_context(|| format!("normalize.formats: {topic}"))?;
        }
        let mut places = Places::default();
        for file in &config.enrich.databases {
            if let Err(error) = places.load(Path::new(file)) {
                let error = anyhow::Error::from(error);
                warn!(error = format!("{error:#}"), "enrich.databases: what it knows stays unknown");
            }
        }
        let facts = |(name, partner): (&String, &config::Partner)| Ok((name.clone(), partner.facts()?));
        let partners = config.partners.iter().map(facts).collect::<anyhow::Result<_>>()?;
        Ok(Self { schemas: Arc::new(schemas), enrichment: Arc::new(Enrichment { places, partners }) })
    }

    /// How the files of it look from outside.
    pub(crate) fn look(config: &Config) -> Look {
        let mut paths: Vec<PathBuf> = config.enrich.databases.iter().map(PathBuf::from).collect();
        paths.extend(inside(&config.normalize.schemas_dir).map(|folder| folder.join("schema.yaml")));
        paths.extend(inside(&config.enrich.partners_dir));
        Look::at(paths)
    }

    /// A normalizer for a command, which reads files; `source` is the one that it names.
    pub(crate) fn normalizer(config: &Config, source: Option<&str>) -> anyhow::Result<Normalizer> {
        let knowledge = Self::load(config)?;
        if let Some(source) = source {
            is_known(&knowledge.schemas, source).with_context(|| format!("--source {source}"))?;
        }
        let fingerprinter = config::fingerprinter(config)?;
        let options = config.normalize.options(1)?;
        let mut normalizer = Normalizer::new(Arc::clone(&knowledge.schemas), fingerprinter, options);
        normalizer.learn(knowledge.schemas, knowledge.enrichment);
        Ok(normalizer)
    }
}

/// The built-in descriptions and the user's own.
pub(crate) fn schemas(config: &Config) -> anyhow::Result<Schemas> {
    if config.normalize.schemas_dir.is_empty() {
        return Ok(Schemas::built_in());
    }
    Schemas::load(Path::new(&config.normalize.schemas_dir)).context("normalize.schemas_dir")
}

fn is_known(schemas: &Schemas, source: &str) -> anyhow::Result<()> {
    let names = schemas.names();
    anyhow::ensure!(names.contains(&source), "there is no source {source}; there are {}", names.join(", "));
    Ok(())
}
