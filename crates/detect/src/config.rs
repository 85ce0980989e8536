//! What an operator may set: the thresholds of each detector, and how event time advances.

use std::collections::BTreeMap;

use event::Tenant;
use serde::{Deserialize, Serialize};

use crate::detectors::admin_change::AdminChangeConfig;
use crate::detectors::failed_authentication::FailedAuthenticationConfig;
use crate::detectors::impossible_travel::ImpossibleTravelConfig;
use crate::detectors::key_use::KeyUseConfig;
use crate::detectors::object_access::ObjectAccessConfig;
use crate::detectors::probing::ProbingConfig;
use crate::detectors::request_spike::RequestSpikeConfig;
use crate::detectors::source_health::SourceHealthConfig;
use crate::detectors::threshold::ThresholdConfig;
use crate::detectors::token_ledger::TokenLedgerConfig;
use crate::detectors::token_reuse::TokenReuseConfig;
use crate::risk::RiskConfig;
use crate::rules::Parameters;

/// Everything the detectors can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectConfig {
    /// Session tokens presented more often, later, or elsewhere than they may be.
    pub token_reuse: TokenReuseConfig,
    /// Logins and key checks that fail too often, and what follows.
    pub failed_authentication: FailedAuthenticationConfig,
    /// More requests than this hour of the week usually brings.
    pub request_spike: RequestSpikeConfig,
    /// Feeds that fall silent, and clocks that are wrong.
    pub source_health: SourceHealthConfig,
    /// API keys that are used from new places, in browsers, or after they were revoked.
    pub key_use: KeyUseConfig,
    /// Accounts that ask for object after object that is not theirs.
    pub object_access: ObjectAccessConfig,
    /// Things of which one is nothing and many are something.
    pub threshold: ThresholdConfig,
    /// Clients that look for what is not there, or for ways in.
    pub probing: ProbingConfig,
    /// Session tokens that were never issued, or never redeemed.
    pub token_ledger: TokenLedgerConfig,
    /// Keys and rights that are changed from where or when they never are.
    pub admin_change: AdminChangeConfig,
    /// Users who are at two places between which nobody can travel in that time.
    pub impossible_travel: ImpossibleTravelConfig,
    /// What alerts of several detectors amount to, of a partner, key, user or network.
    pub risk: RiskConfig,
    /// How event time advances.
    pub watermark: WatermarkConfig,
    /// What partners have contracted for, by tenant.
    pub contracts: BTreeMap<String, Contract>,
    /// How many keys (tokens, accounts, addresses, endpoints) one detector remembers for one
    /// tenant. Over it the coldest of that tenant are forgotten, never another tenant's.
    pub keys_per_tenant_max: usize,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            token_reuse: TokenReuseConfig::default(),
            failed_authentication: FailedAuthenticationConfig::default(),
            request_spike: RequestSpikeConfig::default(),
            source_health: SourceHealthConfig::default(),
            key_use: KeyUseConfig::default(),
            object_access: ObjectAccessConfig::default(),
            threshold: ThresholdConfig::default(),
            probing: ProbingConfig::default(),
            token_ledger: TokenLedgerConfig::default(),
            admin_change: AdminChangeConfig::default(),
            impossible_travel: ImpossibleTravelConfig::default(),
            risk: RiskConfig::default(),
            watermark: WatermarkConfig::default(),
            contracts: BTreeMap::new(),
            keys_per_tenant_max: 50_000,
        }
    }
}

/// How event time advances.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatermarkConfig {
    /// How far behind the newest event of its source an event may come and still be on time.
    pub allowed_lateness_ms: i64,
    /// After how long without records a source no longer holds the others back. That it has none is
    /// known, not guessed: what was not read yet holds them back.
    pub idle_after_ms: i64,
    /// After how long a source that nobody reads no longer holds the others back, as when its topic
    /// was deleted.
    pub unread_after_ms: i64,
}

impl Default for WatermarkConfig {
    fn default() -> Self {
        Self { allowed_lateness_ms: 120_000, idle_after_ms: 60_000, unread_after_ms: 600_000 }
    }
}

/// What a partner has contracted for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contract {
    /// Requests a minute that the partner may make.
    pub requests_per_minute: f64,
    /// The partner's offset from UTC, `UTC` or `+HH:MM`: its week starts there.
    pub zone: Option<String>,
}

impl Contract {
    /// Milliseconds that the partner's clocks are ahead of UTC; `None` where the zone is unreadable.
    pub(crate) fn zone_offset_ms(&self) -> Option<i64> {
        let Some(zone) = self.zone.as_deref().filter(|zone| *zone != "UTC") else { return Some(0) };
        let (sign, rest) = match zone.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours <= 14 && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes) * 60_000)
    }
}

impl DetectConfig {
    /// Checks every value; the error names the key and says what would be right.
    pub fn validate(&self) -> Result<(), String> {
        in_range("watermark.allowed_lateness_ms", self.watermark.allowed_lateness_ms, 0, 3_600_000)?;
        in_range("watermark.idle_after_ms", self.watermark.idle_after_ms, 1_000, 3_600_000)?;
        in_range("watermark.unread_after_ms", self.watermark.unread_after_ms, 60_000, 86_400_000)?;
        in_range("keys_per_tenant_max", self.keys_per_tenant_max as i64, 16, 10_000_000)?;
        for (tenant, contract) in &self.contracts {
            Tenant::parse(tenant).map_err(|error| format!("contracts.{tenant}: {error}"))?;
            if !contract.requests_per_minute.is_finite() || contract.requests_per_minute <= 0.0 {
                return Err(format!("contracts.{tenant}.requests_per_minute: must be above 0"));
            }
            if contract.zone_offset_ms().is_none() {
                return Err(format!("contracts.{tenant}.zone: must be UTC or an offset such as +01:00"));
            }
        }
        self.token_reuse.validate()?;
        self.failed_authentication.validate()?;
        self.request_spike.validate()?;
        self.source_health.validate()?;
        self.key_use.validate()?;
        self.object_access.validate()?;
        self.threshold.validate()?;
        self.probing.validate()?;
        self.token_ledger.validate()?;
        self.admin_change.validate()?;
        self.impossible_travel.validate()?;
        self.risk.validate()
    }
}

/// Says which key is out of range, and what the range is.
pub(crate) fn in_range(key: &str, value: i64, least: i64, most: i64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{key}: must be between {least} and {most}, is {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(DetectConfig::default().validate(), Ok(()));
    }

    #[test]
    fn an_error_names_the_key_and_says_what_would_be_right() {
        let mut config = DetectConfig::default();
        config.watermark.idle_after_ms = 0;
        let error = config.validate().unwrap_err();
        assert_eq!(error, "watermark.idle_after_ms: must be between 1000 and 3600000, is 0");
    }

    #[test]
    fn a_contract_needs_a_rate_and_a_zone_that_can_be_read() {
        let mut config = DetectConfig::default();
        config.contracts.insert(
            "prt_acme".into(),
            Contract { requests_per_minute: 60.0, zone: Some("Europe/Berlin".into()) },
        );
        assert!(config.validate().unwrap_err().starts_with("contracts.prt_acme.zone"));
        config.contracts.get_mut("prt_acme").unwrap().zone = Some("-05:30".into());
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.contracts["prt_acme"].zone_offset_ms(), Some(-19_800_000));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<DetectConfig>("[watermark]\nlateness = 3").is_err());
        assert!(toml::from_str::<DetectConfig>("keys_per_tenant_max = 100").is_ok());
    }
}
