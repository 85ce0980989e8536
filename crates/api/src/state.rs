//! What the routes work with: the parts that the binary hands over, and the limits that the
//! server keeps for itself.

use std::ops::Deref;
use std::sync::Arc;

use alerting::Control;
use event::Tenant;
use prometheus_client::registry::Registry;
use query::QueryEngine;

use crate::auth::FailedAuth;
use crate::intake::Intake;
use crate::shares::Shares;
use crate::{ApiConfig, ApiMetrics, Health, Partners};

/// Says what is looked for, and with which parameters, at the moment.
pub type Catalogue = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// The parts of Watchfire that the API shows to the world.
#[derive(Clone)]
pub struct ApiState {
    /// Alerts, their history, and who may come in.
    pub control: Control,
    /// SQL over the tables.
    pub query: QueryEngine,
    /// Where log lines go that come by HTTP.
    pub intake: Arc<dyn Intake>,
    /// Which partners there are.
    pub partners: Arc<dyn Partners>,
    /// How the parts of this process are.
    pub health: Arc<dyn Health>,
    /// Everything that `/metrics` prints.
    pub registry: Arc<Registry>,
    /// The API's own metrics: [`ApiMetrics::register`] them before sharing the registry.
    pub metrics: ApiMetrics,
    /// The catalogue of detectors, as `/v1/detectors` answers it.
    pub detectors: Catalogue,
    /// Limits.
    pub config: Arc<ApiConfig>,
}

/// The state that handlers see: what was handed over, plus what is counted here.
pub(crate) struct App {
    parts: ApiState,
    /// Bytes that intake requests hold, by partner.
    pub(crate) intake_bytes: Arc<Shares<Tenant>>,
    /// Live streams, by the name of their token.
    pub(crate) streams: Arc<Shares<String>>,
    pub(crate) failed_auth: FailedAuth,
}

impl App {
    pub(crate) fn new(parts: ApiState) -> Arc<Self> {
        let config = &parts.config;
        Arc::new(Self {
            intake_bytes: Shares::new(
                config.intake_memory_bytes_max,
                config.intake_memory_per_partner_bytes_max,
            ),
            streams: Shares::new(config.streams_max, config.streams_per_caller_max),
            failed_auth: FailedAuth::new(config.failed_auth_per_minute_max),
            parts,
        })
    }
}

impl Deref for App {
    type Target = ApiState;
    fn deref(&self) -> &ApiState {
        &self.parts
    }
}
