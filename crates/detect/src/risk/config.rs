//! What may be set.

use event::Severity;
use serde::{Deserialize, Serialize};

use super::NAME;
use crate::config::in_range;
use crate::rules::Parameters;

/// What an alert is worth, and how much is too much.
///
/// Three detectors that each tell something medium of one key within half a day are a page (3 × 40, less what
/// has gone meanwhile), two never are by mediums alone unless they come within minutes of each other. High and
/// critical alerts have woken somebody already; two of them and anything else make a page. Of what is for the
/// record alone it takes thirty alerts to count as much as a detector may.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskConfig {
    /// Points of an alert for the record.
    pub info_points: u32,
    /// Points of a low one.
    pub low_points: u32,
    /// Points of a medium one.
    pub medium_points: u32,
    /// Points of a high one.
    pub high_points: u32,
    /// Points of a critical one.
    pub critical_points: u32,
    /// After so long an alert is worth half of its points.
    pub half_life_ms: i64,
    /// So many points are told ...
    pub points: u32,
    /// ... that come from so many detectors ...
    pub detectors: u32,
    /// ... or are about so many tactics of ATT&CK.
    pub tactics: u32,
    /// All alerts of one detector together are worth no more than this, so that none can tell by itself.
    pub detector_points_max: u32,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self {
            info_points: 2,
            low_points: 15,
            medium_points: 40,
            high_points: 50,
            critical_points: 60,
            half_life_ms: 86_400_000,
            points: 100,
            detectors: 3,
            tactics: 2,
            detector_points_max: 60,
        }
    }
}

impl RiskConfig {
    /// What an alert of this severity is worth at first.
    pub(super) fn points_of(&self, severity: Severity) -> u32 {
        match severity {
            Severity::Info => self.info_points,
            Severity::Low => self.low_points,
            Severity::Medium => self.medium_points,
            Severity::High => self.high_points,
            Severity::Critical => self.critical_points,
        }
    }
}

impl Parameters for RiskConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        let mut least = 0;
        for (name, points) in [
            ("risk.info_points", self.info_points),
            ("risk.low_points", self.low_points),
            ("risk.medium_points", self.medium_points),
            ("risk.high_points", self.high_points),
            ("risk.critical_points", self.critical_points),
        ] {
            in_range(name, points.into(), least, 1_000)?;
            least = points.into();
        }
        in_range("risk.half_life_ms", self.half_life_ms, 3_600_000, 30 * 86_400_000)?;
        in_range("risk.points", self.points.into(), 10, 10_000)?;
        in_range("risk.detectors", self.detectors.into(), 2, 10)?;
        in_range("risk.tactics", self.tactics.into(), 2, 10)?;
        in_range("risk.detector_points_max", self.detector_points_max.into(), 1, i64::from(self.points) - 1)
    }
}
