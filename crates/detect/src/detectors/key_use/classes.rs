//! What the detector finds.

use event::Severity;
use serde::{Deserialize, Serialize};

use crate::class::ClassInfo;

/// A class of finding, in the order in which one of several that say the same is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Class {
    NewCountry,
    NewAsn,
    NewIp,
    UsedInBrowser,
    EnvMixup,
    RevokedUse,
    RotationOverlap,
}

impl Class {
    pub(super) fn info(self) -> &'static ClassInfo {
        &CLASSES[self as usize]
    }
}

/// Every class.
pub const CLASSES: &[ClassInfo] = &[
    ClassInfo {
        class: "key.new_country",
        severity: Severity::Medium,
        description: "An API key that has been in use for a week or more was accepted from a country that it was \
                      never used from; low in a sandbox.",
        techniques: &["T1078.004"],
        owasp_api: Some("API2"),
        owasp_event: None,
    },
    ClassInfo {
        class: "key.new_asn",
        severity: Severity::Low,
        description: "An API key was accepted from an autonomous system that it was never used from, in a country \
                      that it was; medium from outside of the addresses that the partner declared.",
        techniques: &["T1078.004"],
        owasp_api: Some("API2"),
        owasp_event: None,
    },
    ClassInfo {
        class: "key.new_ip",
        severity: Severity::Info,
        description: "An API key was accepted from a network that it was never used from, in an autonomous system \
                      that it was, or in one that is not known.",
        techniques: &["T1078.004"],
        owasp_api: Some("API2"),
        owasp_event: None,
    },
    ClassInfo {
        class: "key.used_in_browser",
        severity: Severity::High,
        description: "A secret API key was used by a browser: it is in a page that anybody can read. Low in a \
                      sandbox.",
        techniques: &["T1552.001"],
        owasp_api: Some("API8"),
        owasp_event: None,
    },
    ClassInfo {
        class: "key.env_mixup",
        severity: Severity::Medium,
        description: "An API key of one environment was used in the other; high where it was accepted.",
        techniques: &["T1078"],
        owasp_api: Some("API9"),
        owasp_event: None,
    },
    ClassInfo {
        class: "key.revoked_use",
        severity: Severity::Low,
        description: "An API key was used after it was revoked: low while it is refused, medium where that goes on, \
                      critical where it was accepted.",
        techniques: &["T1078"],
        owasp_api: Some("API2"),
        owasp_event: Some("authn_token_reuse"),
    },
    ClassInfo {
        class: "key.rotation_overlap",
        severity: Severity::Low,
        description: "An API key was still accepted more than a day after another was issued in its place.",
        techniques: &[],
        owasp_api: Some("API9"),
        owasp_event: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_its_own_description() {
        for (class, name) in [
            (Class::NewCountry, "key.new_country"),
            (Class::NewAsn, "key.new_asn"),
            (Class::NewIp, "key.new_ip"),
            (Class::UsedInBrowser, "key.used_in_browser"),
            (Class::EnvMixup, "key.env_mixup"),
            (Class::RevokedUse, "key.revoked_use"),
            (Class::RotationOverlap, "key.rotation_overlap"),
        ] {
            assert_eq!(class.info().class, name);
        }
    }
}
