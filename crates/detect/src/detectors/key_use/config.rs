//! What may be set.

use serde::{Deserialize, Serialize};

use super::NAME;
use crate::config::in_range;
use crate::rules::Parameters;

/// Thresholds of the detector of misused API keys.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyUseConfig {
    /// How long a key must have been in use before a place is new to it.
    pub history_ms: i64,
    /// How many uses it must have had before.
    pub history_uses: u32,
    /// How many uses from a new place are told of.
    pub uses_min: u64,
    /// How many uses by a browser on one day are told of.
    pub browser_uses_min: u64,
    /// How long after it was revoked a key may still be accepted.
    pub revoked_grace_ms: i64,
    /// How many refused uses of a revoked key on one day are worth more than a note.
    pub revoked_uses_min: u64,
    /// How long after another came in its place a key may still be used: a day, within which a deployment is over.
    pub rotation_overlap_ms: i64,
    /// After how long without a use a place, or a key, is forgotten.
    pub memory_ms: i64,
}

impl Default for KeyUseConfig {
    fn default() -> Self {
        Self {
            history_ms: 7 * 86_400_000,
            history_uses: 50,
            uses_min: 3,
            browser_uses_min: 3,
            revoked_grace_ms: 300_000,
            revoked_uses_min: 10,
            rotation_overlap_ms: 86_400_000,
            memory_ms: 30 * 86_400_000,
        }
    }
}

impl Parameters for KeyUseConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        in_range("key_use.history_ms", self.history_ms, 3_600_000, 90 * 86_400_000)?;
        in_range("key_use.history_uses", self.history_uses.into(), 1, 100_000)?;
        in_range("key_use.uses_min", self.uses_min as i64, 1, 100_000)?;
        in_range("key_use.browser_uses_min", self.browser_uses_min as i64, 1, 100_000)?;
        in_range("key_use.revoked_grace_ms", self.revoked_grace_ms, 0, 86_400_000)?;
        in_range("key_use.revoked_uses_min", self.revoked_uses_min as i64, 1, 1_000_000)?;
        in_range("key_use.rotation_overlap_ms", self.rotation_overlap_ms, 600_000, 90 * 86_400_000)?;
        in_range("key_use.memory_ms", self.memory_ms, 2 * 86_400_000, 400 * 86_400_000)
    }
}
