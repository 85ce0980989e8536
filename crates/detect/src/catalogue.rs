//! What the detectors find, for people to read: the answer of `GET /v1/detectors`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::class::ClassInfo;
use crate::detectors::{
    admin_change, failed_authentication, impossible_travel, key_use, object_access, probing, request_spike,
    secret_exposure, source_health, threshold, token_ledger, token_reuse,
};
use crate::risk;
use crate::rules::Rules;

/// One detector, described.
#[derive(Clone, Debug, Serialize)]
pub struct DetectorInfo {
    /// Its name in alerts.
    pub name: &'static str,
    /// Which rule is in force for partners that have none of their own, as alerts carry it.
    pub version: String,
    /// What it notices, in a sentence.
    pub description: &'static str,
    /// Which events it reads.
    pub reads: &'static str,
    /// What it finds.
    pub classes: Vec<ClassInfo>,
    /// The parameters in force for those partners, by name.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// Every detector with the parameters in force.
pub fn catalogue(rules: impl Into<Rules>) -> Vec<DetectorInfo> {
    let rules = rules.into();
    let version = |name| rules.version(name).unwrap_or_default().to_owned();
    vec![
        DetectorInfo {
            name: token_reuse::NAME,
            version: version(token_reuse::NAME),
            description: "A session token that is presented more often, later, or elsewhere than it may be.",
            reads: "session_token.issued, .redeemed, .rejected and .revoked, by token fingerprint",
            classes: token_reuse::CLASSES.to_vec(),
            parameters: rules.parameters(token_reuse::NAME),
        },
        DetectorInfo {
            name: failed_authentication::NAME,
            version: version(failed_authentication::NAME),
            description: "Logins and key checks that fail too often for one account or from one address, \
                          and a success after such failures.",
            reads: "authentications that succeeded or failed, by account and by address",
            classes: failed_authentication::CLASSES.to_vec(),
            parameters: rules.parameters(failed_authentication::NAME),
        },
        DetectorInfo {
            name: request_spike::NAME,
            version: version(request_spike::NAME),
            description: "Far more requests, or a far greater share of refused ones, than this partner or endpoint has at \
                          this hour of the week.",
            reads: "requests counted by minute, partner, route and class of status",
            classes: request_spike::CLASSES.to_vec(),
            parameters: rules.parameters(request_spike::NAME),
        },
        DetectorInfo {
            name: source_health::NAME,
            version: version(source_health::NAME),
            description: "A feed that falls silent, and a shipper whose clock is wrong.",
            reads: "when the lines of each feed and shipper arrived, and how long after their stamps",
            classes: source_health::CLASSES.to_vec(),
            parameters: rules.parameters(source_health::NAME),
        },
        DetectorInfo {
            name: secret_exposure::NAME,
            version: version(secret_exposure::NAME),
            description: "A key, password or token in a place of a log where none belongs.",
            reads: "what normalization took out of URLs, user agents, messages and other fields",
            classes: secret_exposure::CLASSES.to_vec(),
            parameters: rules.parameters(secret_exposure::NAME),
        },
        DetectorInfo {
            name: key_use::NAME,
            version: version(key_use::NAME),
            description: "An API key that is used from where it never was, in a browser, in the wrong environment, or \
                          after it was revoked.",
            reads: "calls that the holder of an API key makes, by key",
            classes: key_use::CLASSES.to_vec(),
            parameters: rules.parameters(key_use::NAME),
        },
        DetectorInfo {
            name: object_access::NAME,
            version: version(object_access::NAME),
            description: "An account that asks for object after object that is not its own, or is given another \
                          partner's.",
            reads: "calls for one object that were given, forbidden or not found, by API key or user",
            classes: object_access::CLASSES.to_vec(),
            parameters: rules.parameters(object_access::NAME),
        },
        DetectorInfo {
            name: threshold::NAME,
            version: version(threshold::NAME),
            description: "Things of which one is nothing and many within minutes are something.",
            reads: "tokens issued by user, calls refused with 429 by caller, webhooks with wrong signatures and reports \
                    of a page's policy by feed",
            classes: threshold::CLASSES.to_vec(),
            parameters: rules.parameters(threshold::NAME),
        },
        DetectorInfo {
            name: probing::NAME,
            version: version(probing::NAME),
            description: "A network whose requests look for what is not there, or for files, consoles and holes that \
                          attackers look for everywhere.",
            reads: "requests that were refused with 400, 403, 404 or 405, and those that no client of a product makes",
            classes: probing::CLASSES.to_vec(),
            parameters: rules.parameters(probing::NAME),
        },
        DetectorInfo {
            name: token_ledger::NAME,
            version: version(token_ledger::NAME),
            description: "Session tokens that were presented and never issued, or issued and hardly ever redeemed.",
            reads: "every session token of a partner that was issued, redeemed or refused",
            classes: token_ledger::CLASSES.to_vec(),
            parameters: rules.parameters(token_ledger::NAME),
        },
        DetectorInfo {
            name: admin_change::NAME,
            version: version(admin_change::NAME),
            description: "Keys that are made or changed, and rights that are given, from a network or at an hour at which this partner never does.",
            reads: "what changes keys and rights, by partner",
            classes: admin_change::CLASSES.to_vec(),
            parameters: rules.parameters(admin_change::NAME),
        },
        DetectorInfo {
            name: impossible_travel::NAME,
            version: version(impossible_travel::NAME),
            description: "A user who is let in at two places between which nobody can travel in that time.",
            reads: "logins and redeemed session tokens of users, with the places of their addresses (which need \
                    enrich.databases, where the log does not tell them)",
            classes: impossible_travel::CLASSES.to_vec(),
            parameters: rules.parameters(impossible_travel::NAME),
        },
        DetectorInfo {
            name: risk::NAME,
            version: version(risk::NAME),
            description: "A partner, API key, user or network of which several detectors have told within days: what \
                          none of them would wake somebody for may together be an attack.",
            reads: "the alerts of all other detectors but source_health, those for the record too, by partner and by \
                    the key, user or network that all their evidence names",
            classes: risk::CLASSES.to_vec(),
            parameters: rules.parameters(risk::NAME),
        },
    ]
}
