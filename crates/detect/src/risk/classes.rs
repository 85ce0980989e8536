//! What is told.

use event::Severity;

use crate::class::ClassInfo;

pub(super) const ENTITY: ClassInfo = ClassInfo {
    class: "risk.entity",
    severity: Severity::High,
    description: "Alerts of several detectors or tactics about one partner, API key, user or network add up; critical \
                  from twice the points on. Its techniques are those of the alerts.",
    techniques: &[],
    owasp_api: None,
    owasp_event: None,
};

/// Its classes.
pub const CLASSES: &[ClassInfo] = &[ENTITY];
