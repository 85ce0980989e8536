//! The rules in force: each detector's parameters, for every partner and for those that have their own.
//!
//! They are resolved once, when they are read, so that a detector that asks for a partner's parameters only
//! follows a pointer. What they come from lies in layers: the detector's defaults, what the configuration
//! says, the detector's file ([`RuleFile`]), and what that file says of the partner.

mod built_in;
mod error;
mod example;
mod file;
mod lines;
mod nearest;
mod per_tenant;

use std::collections::BTreeMap;
use std::sync::Arc;

use event::Alert;
use sha2::{Digest, Sha256};

pub use built_in::built_in;
pub use error::RuleError;
pub use example::{BEGIN, Example};
pub use file::RuleFile;
pub(crate) use per_tenant::{Parameters, PerTenant};

use crate::config::DetectConfig;
use crate::detectors;
use crate::detectors::admin_change::AdminChangeConfig;
use crate::detectors::failed_authentication::FailedAuthenticationConfig;
use crate::detectors::impossible_travel::ImpossibleTravelConfig;
use crate::detectors::key_use::KeyUseConfig;
use crate::detectors::object_access::ObjectAccessConfig;
use crate::detectors::probing::ProbingConfig;
use crate::detectors::request_spike::RequestSpikeConfig;
use crate::detectors::secret_exposure::SecretExposureConfig;
use crate::detectors::source_health::SourceHealthConfig;
use crate::detectors::threshold::ThresholdConfig;
use crate::detectors::token_ledger::TokenLedgerConfig;
use crate::detectors::token_reuse::TokenReuseConfig;
use crate::risk::RiskConfig;
use file::Files;
use per_tenant::AnyRules;

/// What every detector goes by. A copy shares what it holds.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What is the same for every partner and does not change while detectors run.
    pub(crate) config: Arc<DetectConfig>,
    pub(crate) token_reuse: PerTenant<TokenReuseConfig>,
    pub(crate) failed_authentication: PerTenant<FailedAuthenticationConfig>,
    pub(crate) request_spike: PerTenant<RequestSpikeConfig>,
    pub(crate) source_health: PerTenant<SourceHealthConfig>,
    pub(crate) secret_exposure: PerTenant<SecretExposureConfig>,
    pub(crate) key_use: PerTenant<KeyUseConfig>,
    pub(crate) object_access: PerTenant<ObjectAccessConfig>,
    pub(crate) threshold: PerTenant<ThresholdConfig>,
    pub(crate) probing: PerTenant<ProbingConfig>,
    pub(crate) token_ledger: PerTenant<TokenLedgerConfig>,
    pub(crate) admin_change: PerTenant<AdminChangeConfig>,
    pub(crate) impossible_travel: PerTenant<ImpossibleTravelConfig>,
    pub(crate) risk: PerTenant<RiskConfig>,
    /// Those of files.
    examples: Arc<Vec<Example>>,
}

impl Rules {
    /// Those of a valid configuration and of the files that lie on it, each of another detector.
    pub fn read(config: &DetectConfig, files: &[RuleFile]) -> Result<Self, RuleError> {
        let files = Files::read(files)?;
        let examples = detectors::NAMES.into_iter().flat_map(|detector| files.examples(detector));
        Ok(Self {
            examples: Arc::new(examples.cloned().collect()),
            config: Arc::new(config.clone()),
            token_reuse: files.resolve(&config.token_reuse)?,
            failed_authentication: files.resolve(&config.failed_authentication)?,
            request_spike: files.resolve(&config.request_spike)?,
            source_health: files.resolve(&config.source_health)?,
            secret_exposure: files.resolve(&SecretExposureConfig {})?,
            key_use: files.resolve(&config.key_use)?,
            object_access: files.resolve(&config.object_access)?,
            threshold: files.resolve(&config.threshold)?,
            probing: files.resolve(&config.probing)?,
            token_ledger: files.resolve(&config.token_ledger)?,
            admin_change: files.resolve(&config.admin_change)?,
            impossible_travel: files.resolve(&config.impossible_travel)?,
            risk: files.resolve(&config.risk)?,
        })
    }

    /// The rules of every detector, in the order of their names.
    fn each(&self) -> [&dyn AnyRules; 13] {
        [
            &self.token_reuse,
            &self.failed_authentication,
            &self.request_spike,
            &self.source_health,
            &self.secret_exposure,
            &self.key_use,
            &self.object_access,
            &self.threshold,
            &self.probing,
            &self.token_ledger,
            &self.admin_change,
            &self.impossible_travel,
            &self.risk,
        ]
    }

    fn of(&self, detector: &str) -> Option<&dyn AnyRules> {
        self.each().into_iter().find(|rules| rules.detector() == detector)
    }

    /// The version of a detector's rule for those partners that have none of their own, as alerts carry it:
    /// `1.0.0+2.3f9a1c0b5d7e8246` is the detector's version, that of its file, and the hash of the parameters.
    pub fn version(&self, detector: &str) -> Option<&str> {
        Some(self.of(detector)?.version(None))
    }

    /// The same for one partner.
    pub fn version_for(&self, detector: &str, partner: &str) -> Option<&str> {
        Some(self.of(detector)?.version(Some(partner)))
    }

    /// A detector's parameters by name, for those partners that have none of their own.
    pub fn parameters(&self, detector: &str) -> BTreeMap<String, serde_json::Value> {
        self.of(detector).map(|rules| rules.parameters(None)).unwrap_or_default()
    }

    /// The partners for which a detector has parameters of their own.
    pub fn partners(&self, detector: &str) -> Vec<&str> {
        self.of(detector).map(AnyRules::partners).unwrap_or_default()
    }

    /// What shows that they do what they shall: the examples of the files, and those that the binary brings
    /// with it of detectors whose file has none.
    pub fn examples(&self) -> Vec<Example> {
        let has_own = |detector: &str| self.examples.iter().any(|example| example.detector == detector);
        let built_in = built_in::examples().filter(|example| !has_own(example.detector));
        built_in.chain(self.examples.iter().cloned()).collect()
    }

    /// Whether an example is one of a file, and not one that the binary brings with it.
    pub fn has(&self, example: &Example) -> bool {
        self.examples.contains(example)
    }

    /// Says in an alert which rule has made it.
    pub(crate) fn sign(&self, alert: &mut Alert) {
        if let Some(rules) = self.of(&alert.detector) {
            alert.rule_version = rules.version(Some(alert.tenant.as_str())).to_owned();
        }
    }

    /// A short hash of all of them.
    pub fn hash(&self) -> String {
        let mut whole = Sha256::new();
        for rules in self.each() {
            let mut add = |of: &str, version: &str| {
                whole.update(format!("{}/{of}/{version}\n", rules.detector()));
            };
            add("", rules.version(None));
            for partner in rules.partners() {
                add(partner, rules.version(Some(partner)));
            }
        }
        short(whole)
    }
}

/// The first sixteen hex digits.
fn short(hash: Sha256) -> String {
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A configuration alone, without files. It must be valid.
impl From<&DetectConfig> for Rules {
    fn from(config: &DetectConfig) -> Self {
        Self::read(config, &[]).expect("a configuration that was found valid resolves without files")
    }
}

impl From<&Rules> for Rules {
    fn from(rules: &Rules) -> Self {
        rules.clone()
    }
}

#[cfg(test)]
mod tests;
