//! The detectors, one file or folder each, and the list of them.

pub mod failed_authentication;
pub mod key_use;
pub mod object_access;

pub mod probing;
pub mod request_spike;
pub mod secret_exposure;
pub mod source_health;
pub mod threshold;
pub mod token_reuse;

use crate::config::DetectConfig;
use crate::detector::Detector;

/// Every detector there is.
pub fn all(config: &DetectConfig) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(token_reuse::TokenReuse::new(config)),
        Box::new(failed_authentication::FailedAuthentication::new(config)),
        Box::new(request_spike::RequestSpike::new(config)),
        Box::new(source_health::SourceHealth::new(config)),
        Box::new(secret_exposure::SecretExposure::new(config)),
        Box::new(key_use::KeyUse::new(config)),
        Box::new(object_access::ObjectAccess::new(config)),
        Box::new(threshold::Threshold::new(config)),
        Box::new(probing::Probing::new(config)),
    ]
}
