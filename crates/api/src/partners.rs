//! Which partners there are, as far as anybody but the alerts knows them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use event::Tenant;

/// One partner that has sent logs or has a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPartner {
    /// The partner.
    pub tenant: Tenant,
    /// Whether something is agreed with it in the configuration.
    pub has_contract: bool,
    /// Whom to tell, as the configuration says.
    pub contacts: Vec<String>,
    /// How many of its events are stored.
    pub events: u64,
    /// When the last of these happened.
    pub last_event_at: Option<DateTime<Utc>>,
}

/// Whoever knows the partners.
#[async_trait]
pub trait Partners: Send + Sync + 'static {
    /// Every partner, in any order. May be some seconds old: it is asked by people, and by pages that
    /// ask again and again. The error is for our log.
    async fn known(&self) -> Result<Vec<KnownPartner>, Box<dyn std::error::Error + Send + Sync>>;
}
