//! The classes of findings: what each means, how bad it is, and by what names others know it.

use std::collections::BTreeMap;

use event::alert::Technique;
use event::{Alert, EventTime, Severity, Tenant};
use serde::{Serialize, Serializer};

use crate::text;

/// One kind of finding of one detector.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ClassInfo {
    /// Its name in alerts, e.g. `token.reuse.other_origin`.
    pub class: &'static str,
    /// How bad it is at first; some rise.
    pub severity: Severity,
    /// What it means, in a sentence.
    pub description: &'static str,
    /// ATT&CK techniques.
    #[serde(serialize_with = "techniques_by_id")]
    pub techniques: &'static [&'static str],
    /// OWASP API Security Top 10 (2023).
    pub owasp_api: Option<&'static str>,
    /// Name in the OWASP logging vocabulary.
    pub owasp_event: Option<&'static str>,
}

/// Id in ATT&CK v18, id in v19, name, tactic. The split of Defense Evasion gave the disabling of logs another
/// number. Of a technique that serves several tactics it is the one that our classes tell it for.
const TECHNIQUES: &[(&str, &str, &str, &str)] = &[
    ("T1040", "T1040", "Network Sniffing", "credential access"),
    ("T1070.006", "T1070.006", "Timestomp", "defense evasion"),
    ("T1078", "T1078", "Valid Accounts", "initial access"),
    ("T1078.004", "T1078.004", "Cloud Accounts", "initial access"),
    ("T1098.001", "T1098.001", "Additional Cloud Credentials", "persistence"),
    ("T1087", "T1087", "Account Discovery", "discovery"),
    ("T1110", "T1110", "Brute Force", "credential access"),
    ("T1110.001", "T1110.001", "Password Guessing", "credential access"),
    ("T1110.003", "T1110.003", "Password Spraying", "credential access"),
    ("T1110.004", "T1110.004", "Credential Stuffing", "credential access"),
    ("T1190", "T1190", "Exploit Public-Facing Application", "initial access"),
    ("T1199", "T1199", "Trusted Relationship", "initial access"),
    ("T1498", "T1498", "Network Denial of Service", "impact"),
    ("T1499.002", "T1499.002", "Service Exhaustion Flood", "impact"),
    ("T1528", "T1528", "Steal Application Access Token", "credential access"),
    ("T1539", "T1539", "Steal Web Session Cookie", "credential access"),
    ("T1550.001", "T1550.001", "Application Access Token", "lateral movement"),
    ("T1557", "T1557", "Adversary-in-the-Middle", "credential access"),
    ("T1552.001", "T1552.001", "Credentials In Files", "credential access"),
    ("T1562.008", "T1685.002", "Disable or Modify Cloud Logs", "defense evasion"),
    ("T1565.001", "T1565.001", "Stored Data Manipulation", "impact"),
    ("T1595.002", "T1595.002", "Vulnerability Scanning", "reconnaissance"),
    ("T1595.003", "T1595.003", "Wordlist Scanning", "reconnaissance"),
    ("T1606", "T1606", "Forge Web Credentials", "credential access"),
    ("T1659", "T1659", "Content Injection", "initial access"),
];

pub(crate) fn technique(id: &str) -> Option<Technique> {
    let (v18, v19, name, _) = TECHNIQUES.iter().find(|(v18, ..)| *v18 == id)?;
    Some(Technique { v18: (*v18).into(), v19: (*v19).into(), name: (*name).into() })
}

/// What a technique of this id in v18 is for.
pub(crate) fn tactic(id: &str) -> Option<&'static str> {
    TECHNIQUES.iter().find(|(v18, ..)| *v18 == id).map(|(.., tactic)| *tactic)
}

fn techniques_by_id<S: Serializer>(ids: &&[&str], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().filter_map(|id| technique(id)))
}

/// Whose alert it is, what it is about, and which episode: all that its identity is made of.
pub(crate) struct Subject<'a> {
    pub(crate) detector: &'static str,
    pub(crate) tenant: &'a Tenant,
    /// What the ids of this alert are made from; outlives a change of class.
    pub(crate) family: &'a str,
    pub(crate) entity_type: &'a str,
    pub(crate) entity: &'a str,
    /// The episode's label; `None` where the entity has but one episode.
    pub(crate) episode: Option<&'a str>,
}

impl Subject<'_> {
    /// The alert's id: a hash, in which neither part can run into the next.
    pub(crate) fn alert_id(&self) -> String {
        event::ids::alert_id(self.detector, &self.identity())
    }

    /// Lengths stand in front, so that `("a/b", "c")` and `("a", "b/c")` differ.
    fn identity(&self) -> String {
        let parts = [self.tenant.as_str(), self.family, self.entity, self.episode.unwrap_or_default()];
        parts.iter().map(|part| format!("{}:{part}/", part.len())).collect()
    }

    /// What receivers de-duplicate by: readable, and at most 255 bytes.
    fn dedup_key(&self) -> String {
        let tail = self.episode.map(|episode| format!("/{episode}")).unwrap_or_default();
        let entity = text::clean(self.entity, 512);
        let head = format!("{}/{}/", self.tenant, self.family);
        let room = 255_usize.saturating_sub(head.len() + tail.len());
        if entity.len() <= room {
            return format!("{head}{entity}{tail}");
        }
        let hash = format!("~{:016x}", crate::stable::hash(&[self.entity]));
        format!("{head}{}{hash}{tail}", text::prefix(&entity, room.saturating_sub(hash.len())))
    }

    /// An alert of this class with everything that the class and the subject decide; the
    /// detector fills in what happened.
    pub(crate) fn alert(&self, info: &ClassInfo, severity: Severity) -> Alert {
        Alert {
            alert_id: self.alert_id(),
            dedup_key: self.dedup_key(),
            detector: self.detector.to_owned(),
            class: info.class.to_owned(),
            rule_version: RULE_VERSION.to_owned(),
            title: String::new(),
            description: String::new(),
            tenant: self.tenant.clone(),
            entity_type: self.entity_type.to_owned(),
            entity: text::clean(self.entity, 256),
            severity,
            page: severity >= Severity::High,
            confidence: 80,
            triggered_at: EventTime(0),
            ingested_at: EventTime(0),
            first_seen: EventTime(0),
            last_seen: EventTime(0),
            count: 0,
            observed: 0.0,
            threshold: 0.0,
            baseline: None,
            parameters: BTreeMap::new(),
            details: BTreeMap::new(),
            techniques: info.techniques.iter().filter_map(|id| technique(id)).collect(),
            owasp_api: info.owasp_api.map(str::to_owned),
            owasp_event: info.owasp_event.map(str::to_owned),
            evidence: Vec::new(),
            query_sql: String::new(),
            episode_open: true,
            late: false,
            approx: false,
        }
    }
}

/// Raised when a detector's meaning changes.
pub(crate) const RULE_VERSION: &str = "1.0.0";

/// A config as an alert's `parameters` and the catalogue show it.
pub(crate) fn parameters(config: &impl Serialize) -> BTreeMap<String, serde_json::Value> {
    match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(map)) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// The columns of the evidence, from the events of one tenant between two moments.
pub(crate) fn evidence_sql(tenant: &Tenant, from: EventTime, to: EventTime, condition: &str) -> String {
    format!(
        "SELECT time, action, outcome, reason, src_ip, user_ref, coalesce(api_key_id, api_key_fp) AS api_key, \
         route, status, event_id FROM events \
         WHERE tenant = {} AND time >= TIMESTAMP '{from}' AND time <= TIMESTAMP '{to}' AND {condition} \
         ORDER BY time, event_id",
        text::sql(tenant.as_str()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject<'a>(tenant: &'a Tenant, entity: &'a str) -> Subject<'a> {
        Subject {
            detector: "d",
            tenant,
            family: "auth.spray",
            entity_type: "address",
            entity,
            episode: Some("20260314T0926"),
        }
    }

    #[test]
    fn a_dedup_key_reads_well_and_is_never_too_long() {
        let tenant = Tenant::parse("prt_acme").unwrap();
        let short = subject(&tenant, "203.0.113.9").dedup_key();
        assert_eq!(short, "prt_acme/auth.spray/203.0.113.9/20260314T0926");
        let (a, b) = ("ü".repeat(400) + "a", "ü".repeat(400) + "b");
        let (long, other) = (subject(&tenant, &a).dedup_key(), subject(&tenant, &b).dedup_key());
        assert!(long.len() <= 255 && long.ends_with("/20260314T0926"));
        assert_ne!(long, other);
    }

    #[test]
    fn keys_do_not_collide_through_their_separator() {
        let tenant = Tenant::parse("p").unwrap();
        let mut odd = subject(&tenant, "x/y");
        odd.episode = Some("z");
        let mut other = subject(&tenant, "x");
        other.episode = Some("y/z");
        assert_ne!(odd.alert_id(), other.alert_id());
    }

    #[test]
    fn every_technique_of_every_class_is_known() {
        for detector in crate::catalogue(&crate::DetectConfig::default()) {
            for class in &detector.classes {
                assert!(class.techniques.iter().all(|id| technique(id).is_some()), "{}", class.class);
            }
        }
    }
}
