//! The verdict on a token: a pure function of the set of facts.
//!
//! Each rule looks at the facts alone and adds a finding; the worst finding is the verdict. More
//! facts only ever add findings, so what was told once is never taken back.

use event::{EventTime, Severity};

use super::TokenReuseConfig;
use super::classes::{
    BENIGN_DOUBLE, CLASSES, DOUBLE_REDEEM, EXPIRED_ACCEPTED, EXPIRED_REJECTED, NETWORK_SWITCH, OTHER_ORIGIN,
    REPLAY_ACROSS_PARTNERS, REVOKED_USE, SAME_ORIGIN, WRONG_PARTNER, WRONG_USER,
};
use super::facts::{Facts, Presentation};
use crate::class::ClassInfo;

/// How long after its end a refused use is more than a slow user.
const LONG_EXPIRED_MS: i64 = 3_600_000;

/// What the facts amount to.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) info: ClassInfo,
    pub(super) severity: Severity,
    /// The presentation that decided it.
    pub(super) decisive: Presentation,
    /// The redemption it is held against, where there is one.
    pub(super) earlier: Option<Presentation>,
    /// Milliseconds between the two, or after the token's end or revocation.
    pub(super) distance_ms: i64,
    /// Every class that applies, the verdict's own first.
    pub(super) classes: Vec<&'static str>,
}

struct Finding<'a> {
    info: &'static ClassInfo,
    severity: Severity,
    decisive: &'a Presentation,
    earlier: Option<&'a Presentation>,
    distance_ms: i64,
}

/// The verdict on a token, if its facts amount to one.
pub(super) fn classify(facts: &Facts, config: &TokenReuseConfig) -> Option<Verdict> {
    let mut findings = Vec::new();
    double_redeem(facts, config, &mut findings);
    reuse(facts, config, &mut findings);
    for presentation in &facts.presentations {
        after_its_end(facts, presentation, config, &mut findings);
        elsewhere(facts, presentation, &mut findings);
    }
    replay_across_partners(facts, &mut findings);

    let rank = |info: &ClassInfo| CLASSES.iter().position(|class| class.class == info.class);
    findings
        .sort_by_key(|f| (std::cmp::Reverse(f.severity), rank(f.info), f.decisive.at, f.decisive.delivery));
    let worst = findings.first()?;
    let mut classes = Vec::new();
    for finding in &findings {
        if !classes.contains(&finding.info.class) {
            classes.push(finding.info.class);
        }
    }
    Some(Verdict {
        info: *worst.info,
        severity: worst.severity,
        decisive: worst.decisive.clone(),
        earlier: worst.earlier.cloned(),
        distance_ms: worst.distance_ms,
        classes,
    })
}

/// Two accepted redemptions, unless they are two logs' records of one.
fn double_redeem<'a>(facts: &'a Facts, config: &TokenReuseConfig, findings: &mut Vec<Finding<'a>>) {
    let accepted: Vec<_> = facts.accepted().collect();
    let other = |first: &Presentation, p: &Presentation| {
        p.topic == first.topic || differ(p.net, first.net) || p.at - first.at > config.witness_ms
    };
    for (n, first) in accepted.iter().enumerate() {
        if let Some(second) = accepted[n + 1..].iter().find(|p| other(first, p)) {
            findings.push(Finding {
                info: &DOUBLE_REDEEM,
                severity: Severity::Critical,
                decisive: second,
                earlier: Some(first),
                distance_ms: second.at - first.at,
            });
            return;
        }
    }
}

/// Presented again after it was redeemed, and refused.
fn reuse<'a>(facts: &'a Facts, config: &TokenReuseConfig, findings: &mut Vec<Finding<'a>>) {
    let Some(first) = facts.accepted().next() else { return };
    for again in facts.presentations.iter().filter(|p| !p.accepted) {
        let says_used = again.reason.as_deref() == Some("already_used");
        let says_nothing = matches!(again.reason.as_deref(), None | Some("other" | "unknown" | "failure"));
        // Where the issuer says it was used before, the order of the stamps is its clocks' affair.
        let is_reuse = says_used || says_nothing && again.at >= first.at;
        if !is_reuse {
            continue;
        }
        let distance_ms = (again.at - first.at).abs();
        let (info, severity) = reuse_class(first, again, distance_ms, config);
        findings.push(Finding { info, severity, decisive: again, earlier: Some(first), distance_ms });
    }
}

fn reuse_class(
    first: &Presentation,
    again: &Presentation,
    distance_ms: i64,
    config: &TokenReuseConfig,
) -> (&'static ClassInfo, Severity) {
    let other_net = differ(first.net, again.net);
    let other_browser = differ(first.browser, again.browser);
    let same_browser = first.browser.is_some() && first.browser == again.browser;
    match (other_net, other_browser) {
        (true, _) if same_browser && distance_ms <= config.network_switch_ms => {
            (&NETWORK_SWITCH, Severity::Medium)
        }
        (true, _) => (&OTHER_ORIGIN, Severity::High),
        (false, true) => (&SAME_ORIGIN, Severity::Medium),
        (false, false) if distance_ms <= config.grace_ms => (&BENIGN_DOUBLE, Severity::Info),
        (false, false) => (&SAME_ORIGIN, Severity::Low),
    }
}

/// Presented after the token's end, or after it was revoked.
fn after_its_end<'a>(
    facts: &'a Facts,
    p: &'a Presentation,
    config: &TokenReuseConfig,
    findings: &mut Vec<Finding<'a>>,
) {
    let mut found = |info, severity, since: Option<EventTime>| {
        let distance_ms = since.map_or(0, |since| p.at - since);
        findings.push(Finding { info, severity, decisive: p, earlier: None, distance_ms });
    };
    let expires_at = facts.expires_at(config);
    let expired = expires_at.is_some_and(|expires| p.at - expires > config.skew_ms);
    if p.accepted && expired {
        found(&EXPIRED_ACCEPTED, Severity::Critical, expires_at);
    } else if p.reason.as_deref() == Some("expired") {
        let long = expires_at.is_some_and(|expires| p.at - expires > LONG_EXPIRED_MS);
        found(&EXPIRED_REJECTED, if long { Severity::Medium } else { Severity::Info }, expires_at);
    }
    let revoked = facts.revoked_at.is_some_and(|revoked| p.at - revoked > config.skew_ms);
    if revoked || (!p.accepted && p.reason.as_deref() == Some("revoked")) {
        let severity = if p.accepted { Severity::Critical } else { Severity::Medium };
        found(&REVOKED_USE, severity, facts.revoked_at);
    }
}

/// Presented for another user, at another partner, or in another page than it was issued for.
fn elsewhere<'a>(facts: &'a Facts, p: &'a Presentation, findings: &mut Vec<Finding<'a>>) {
    let mut found = |info, severity| {
        findings.push(Finding { info, severity, decisive: p, earlier: None, distance_ms: 0 });
    };
    let refused_for = |reason: &str| !p.accepted && p.reason.as_deref() == Some(reason);
    let severity = if p.accepted { Severity::Critical } else { Severity::High };
    let users = facts.issues.iter().filter_map(|issue| issue.user.as_deref());
    if contradicts(p.user.as_deref(), users) || refused_for("wrong_user") {
        found(&WRONG_USER, severity);
    }
    let partners = facts.issues.iter().filter_map(|issue| issue.partner.as_deref());
    if contradicts(p.partner.as_deref(), partners) || refused_for("wrong_partner") {
        found(&WRONG_PARTNER, severity);
    }
    let origins = facts.issues.iter().filter_map(|issue| issue.origin.as_deref());
    if contradicts(p.origin.as_deref().map(host), origins.chain(p.bound_origin.as_deref()).map(host))
        || refused_for("wrong_origin")
    {
        found(&WRONG_PARTNER, Severity::Medium);
    }
}

fn replay_across_partners<'a>(facts: &'a Facts, findings: &mut Vec<Finding<'a>>) {
    // Two logs may write one partner's name differently, so only one log's word is compared.
    let named: Vec<_> = facts.presentations.iter().filter(|p| p.partner.is_some()).collect();
    let differs = |a: &Presentation, b: &Presentation| a.topic == b.topic && a.partner != b.partner;
    let pairs = named.iter().enumerate().flat_map(|(n, a)| named[n + 1..].iter().map(move |b| (a, b)));
    if let Some((first, other)) = pairs.into_iter().find(|(a, b)| differs(a, b)) {
        findings.push(Finding {
            info: &REPLAY_ACROSS_PARTNERS,
            severity: Severity::Critical,
            decisive: other,
            earlier: Some(first),
            distance_ms: other.at - first.at,
        });
    }
}

/// Both are known and they are not the same.
fn differ(a: Option<u64>, b: Option<u64>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// A value is named, others are known, and it is none of them.
fn contradicts<'a>(said: Option<&str>, mut known: impl Iterator<Item = &'a str>) -> bool {
    let Some(said) = said else { return false };
    let Some(first) = known.next() else { return false };
    first != said && known.all(|other| other != said)
}

/// The host of an origin: `https://shop.example:443` and `shop.example` are the same page.
fn host(origin: &str) -> &str {
    let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or(rest)
}
