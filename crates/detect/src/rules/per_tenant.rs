//! One detector's parameters: those of every partner, and of partners that have their own.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::short;
use crate::class::{RULE_VERSION, parameters};

/// What may be set of a detector.
pub(crate) trait Parameters:
    Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The detector's name.
    const DETECTOR: &'static str;

    /// Checks every value; the error names the key as `DETECTOR.key: ` and says what would be right.
    fn validate(&self) -> Result<(), String>;
}

/// Parameters that were found to make sense, and what alerts call them.
#[derive(Debug)]
struct Rule<P> {
    parameters: P,
    version: String,
}

/// One detector's parameters. A copy shares what it holds.
#[derive(Clone, Debug)]
pub(crate) struct PerTenant<P> {
    everyone: Arc<Rule<P>>,
    partners: Arc<HashMap<Box<str>, Rule<P>>>,
}

impl<P: Parameters> PerTenant<P> {
    pub(super) fn new(file_version: u32, everyone: P, partners: BTreeMap<String, P>) -> Self {
        let rule = |parameters: P| Rule { version: version(file_version, &parameters), parameters };
        let partners = partners.into_iter().map(|(partner, own)| (partner.into(), rule(own)));
        Self { partners: Arc::new(partners.collect()), everyone: Arc::new(rule(everyone)) }
    }

    /// What a tenant is judged by.
    pub(crate) fn of(&self, tenant: &str) -> &P {
        &self.rule(tenant).parameters
    }

    fn rule(&self, tenant: &str) -> &Rule<P> {
        // Nearly nobody has partners with parameters of their own, and this is asked for every observation.
        if self.partners.is_empty() {
            return &self.everyone;
        }
        self.partners.get(tenant).unwrap_or(&self.everyone)
    }
}

/// The detector's version, that of its file, and a hash of the parameters, which are written in the order of
/// their names.
fn version(file_version: u32, of: &impl Parameters) -> String {
    let canonical = serde_json::to_vec(&parameters(of)).expect("parameters are numbers and texts");
    format!("{RULE_VERSION}+{file_version}.{}", short(Sha256::new().chain_update(canonical)))
}

/// One detector's parameters, whatever they are.
pub(super) trait AnyRules {
    fn detector(&self) -> &'static str;
    fn version(&self, tenant: Option<&str>) -> &str;
    fn parameters(&self, tenant: Option<&str>) -> BTreeMap<String, serde_json::Value>;
    /// In order.
    fn partners(&self) -> Vec<&str>;
}

impl<P: Parameters> AnyRules for PerTenant<P> {
    fn detector(&self) -> &'static str {
        P::DETECTOR
    }

    fn version(&self, tenant: Option<&str>) -> &str {
        &tenant.map_or(&*self.everyone, |tenant| self.rule(tenant)).version
    }

    fn parameters(&self, tenant: Option<&str>) -> BTreeMap<String, serde_json::Value> {
        parameters(&tenant.map_or(&*self.everyone, |tenant| self.rule(tenant)).parameters)
    }

    fn partners(&self) -> Vec<&str> {
        let mut partners: Vec<&str> = self.partners.keys().map(|partner| &**partner).collect();
        partners.sort_unstable();
        partners
    }
}
