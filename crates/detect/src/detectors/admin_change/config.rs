//! What may be set.

use serde::{Deserialize, Serialize};

use super::NAME;
use crate::config::in_range;
use crate::rules::Parameters;

/// From where and when keys and rights are changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminChangeConfig {
    /// A partner's first change must be so long ago before a network is new to it: a week, as for API keys.
    pub history_ms: i64,
    /// It must have made so many before. Changes are rare, so few have to do.
    pub changes_min: u64,
    /// A network from which nothing was changed for so long is forgotten.
    pub memory_ms: i64,
    /// Changes are made from this hour (UTC) on ...
    pub from_hour: u8,
    /// ... until this one; from 0 until 24 at any.
    pub until_hour: u8,
    /// On so many days of the week from Monday on: 5 leaves out the week-end.
    pub days_of_week: u8,
}

impl Default for AdminChangeConfig {
    fn default() -> Self {
        Self {
            history_ms: 7 * 86_400_000,
            changes_min: 5,
            memory_ms: 90 * 86_400_000,
            from_hour: 0,
            until_hour: 24,
            days_of_week: 7,
        }
    }
}

impl Parameters for AdminChangeConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        in_range("admin_change.history_ms", self.history_ms, 3_600_000, 90 * 86_400_000)?;
        in_range("admin_change.changes_min", self.changes_min as i64, 1, 10_000)?;
        in_range("admin_change.memory_ms", self.memory_ms, 2 * 86_400_000, 400 * 86_400_000)?;
        in_range("admin_change.from_hour", self.from_hour.into(), 0, 23)?;
        in_range("admin_change.until_hour", self.until_hour.into(), i64::from(self.from_hour) + 1, 24)?;
        in_range("admin_change.days_of_week", self.days_of_week.into(), 1, 7)
    }
}
