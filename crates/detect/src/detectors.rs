//! The detectors, one file or folder each, and the list of them.

pub mod failed_authentication;
pub mod key_use;
pub mod object_access;

pub mod admin_change;
pub mod impossible_travel;
pub mod probing;
pub mod request_spike;
pub mod secret_exposure;
pub mod source_health;
pub mod threshold;
pub mod token_ledger;
pub mod token_reuse;

use crate::class::ClassInfo;
use crate::detector::Detector;
use crate::risk;
use crate::rules::Rules;

/// Their names; the last is that of what reads the alerts of the others ([`crate::risk`]).
pub(crate) const NAMES: [&str; 13] = [
    token_reuse::NAME,
    failed_authentication::NAME,
    request_spike::NAME,
    source_health::NAME,
    secret_exposure::NAME,
    key_use::NAME,
    object_access::NAME,
    threshold::NAME,
    probing::NAME,
    token_ledger::NAME,
    admin_change::NAME,
    impossible_travel::NAME,
    risk::NAME,
];

/// What a detector of this name can find; nothing where there is none.
pub(crate) fn classes(detector: &str) -> &'static [ClassInfo] {
    match detector {
        token_reuse::NAME => token_reuse::CLASSES,
        failed_authentication::NAME => failed_authentication::CLASSES,
        request_spike::NAME => request_spike::CLASSES,
        source_health::NAME => source_health::CLASSES,
        secret_exposure::NAME => secret_exposure::CLASSES,
        key_use::NAME => key_use::CLASSES,
        object_access::NAME => object_access::CLASSES,
        threshold::NAME => threshold::CLASSES,
        probing::NAME => probing::CLASSES,
        token_ledger::NAME => token_ledger::CLASSES,
        admin_change::NAME => admin_change::CLASSES,
        impossible_travel::NAME => impossible_travel::CLASSES,
        risk::NAME => risk::CLASSES,
        _ => &[],
    }
}

/// Every detector that reads observations.
pub fn all(rules: &Rules) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(token_reuse::TokenReuse::new(rules)),
        Box::new(failed_authentication::FailedAuthentication::new(rules)),
        Box::new(request_spike::RequestSpike::new(rules)),
        Box::new(source_health::SourceHealth::new(rules)),
        Box::new(secret_exposure::SecretExposure::new(rules)),
        Box::new(key_use::KeyUse::new(rules)),
        Box::new(object_access::ObjectAccess::new(rules)),
        Box::new(threshold::Threshold::new(rules)),
        Box::new(probing::Probing::new(rules)),
        Box::new(token_ledger::TokenLedger::new(rules)),
        Box::new(admin_change::AdminChange::new(rules)),
        Box::new(impossible_travel::ImpossibleTravel::new(rules)),
    ]
}
