//! How lines are read, and what is known beside what they say.

use std::collections::BTreeMap;

use ::normalize::{Limits, Networks, Options};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Normalize {
    /// A folder of your own source descriptions; they stand beside the built-in ones or replace them.
    pub(crate) schemas_dir: String,
    /// Source description by topic or feed name, where it shall not be recognised from the bytes.
    pub(crate) formats: BTreeMap<String, String>,
    /// Networks of proxies that are believed when they say for whom they speak, by topic, feed or source.
    pub(crate) trusted_hops: BTreeMap<String, Vec<String>>,
    /// Longest line, in bytes.
    pub(crate) line_bytes_max: usize,
    /// Deepest nesting.
    pub(crate) depth_max: usize,
    /// How long one transaction gathers records, in milliseconds.
    pub(crate) commit_interval_ms: u64,
    /// How far a partition may be ahead of a backlog of the same partner, in milliseconds of event time.
    pub(crate) drift_max_ms: i64,
    /// How often descriptions, databases and partners' files are looked at for changes; 0 never.
    pub(crate) reload_interval_ms: u64,
}

impl Default for Normalize {
    fn default() -> Self {
        Self {
            schemas_dir: String::new(),
            formats: BTreeMap::new(),
            trusted_hops: BTreeMap::new(),
            line_bytes_max: 1 << 20,
            depth_max: 64,
            commit_interval_ms: 100,
            drift_max_ms: 600_000,
            reload_interval_ms: 2_000,
        }
    }
}

impl Normalize {
    /// With less than this, partitions would wait for one another all the time, or each for itself.
    const DRIFT_MS_MIN: i64 = 1_000;

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        let drift_max_ms = self.drift_max_ms;
        ensure!(
            drift_max_ms >= Self::DRIFT_MS_MIN,
            "normalize.drift_max_ms: must be at least {}, is {drift_max_ms}",
            Self::DRIFT_MS_MIN
        );
        self.hops().map(drop)
    }

    /// How a normalizer reads that routes observations into so many partitions.
    pub(crate) fn options(&self, observation_partitions: i32) -> anyhow::Result<Options> {
        let Self { line_bytes_max, depth_max, .. } = *self;
        Ok(Options {
            limits: Limits { line_bytes_max, depth_max, ..Limits::default() },
            observation_partitions,
            formats: self.formats.clone(),
            trusted_hops: self.hops()?,
        })
    }

    fn hops(&self) -> anyhow::Result<BTreeMap<String, Networks>> {
        let hops = self.trusted_hops.iter();
        hops.map(|(of, hops)| {
            let networks = networks(hops).with_context(|| format!("normalize.trusted_hops.{of}"))?;
            Ok((of.clone(), networks))
        })
        .collect()
    }
}

/// Reads networks as people write them.
pub(super) fn networks(texts: &[String]) -> anyhow::Result<Networks> {
    let wrong = |text| anyhow::anyhow!("`{text}` is no network; write one like 10.0.0.0/8 or 2001:db8::/32");
    Networks::parse(texts.iter().map(String::as_str)).map_err(wrong)
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Enrich {
    /// MaxMind DB files that know where addresses are. The first that knows something counts.
    pub(crate) databases: Vec<String>,
    /// A folder with a file PARTNER.toml for each partner, beside those of `[partners]`.
    pub(crate) partners_dir: String,
}
