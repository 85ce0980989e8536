//! The topics between our stages.

use std::sync::Arc;

/// Partners' raw logs: `logs.<partner>.<feed>`.
pub const LOGS: &str = r"^logs\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_.-]{1,64}$";

/// The topics that are ours, all under one prefix.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Normalized events, Arrow batches.
    pub events: Arc<str>,
    /// What could not be read, Arrow batches.
    pub rejects: Arc<str>,
    /// What detectors count, Arrow batches by key.
    pub observations: Arc<str>,
    /// Alert changes, JSON, keyed by alert id.
    pub alerts: Arc<str>,
    /// What is written for others, if anything is.
    pub ocsf: Option<OcsfTopics>,
}

/// Topics for other systems: an object of OCSF 1.8.0 a record, keyed by partner.
#[derive(Clone, Debug)]
pub struct OcsfTopics {
    /// Every event.
    pub events: Arc<str>,
    /// Every change of an alert, as a Detection Finding.
    pub alerts: Arc<str>,
}

impl Topics {
    /// `watchfire` gives `watchfire.events` and so on.
    pub fn new(prefix: &str) -> Self {
        let name = |name: &str| Arc::from(format!("{prefix}.{name}"));
        Self {
            events: name("events"),
            rejects: name("rejects"),
            observations: name("observations"),
            alerts: name("alerts"),
            ocsf: None,
        }
    }

    /// With those for other systems.
    pub fn with_ocsf(self, prefix: &str) -> Self {
        let name = |name: &str| Arc::from(format!("{prefix}.ocsf.{name}"));
        Self { ocsf: Some(OcsfTopics { events: name("events"), alerts: name("alerts") }), ..self }
    }
}
