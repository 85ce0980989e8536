//! The verdict on a token: a pure function of the set of facts.
//!
//! Each rule looks at the facts alone and adds a finding; the worst finding is the verdict. More
//! facts only ever add findings, so what was told once is never taken back. What rests on a fact
//! that is missing (a first use, an end, a page that it was issued for) waits until the watermark
//! says that it will not come.

use event::{EventTime, Severity};

use super::TokenReuseConfig;
use super::classes::{
    BENIGN_DOUBLE, CLASSES, DOUBLE_REDEEM, EXPIRED_ACCEPTED, EXPIRED_REJECTED, NETWORK_SWITCH, OTHER_ORIGIN,
    REPLAY_ACROSS_PARTNERS, REVOKED_USE, SAME_ORIGIN, WRONG_PARTNER, WRONG_USER,
};
use super::facts::{Facts, Issue, Presentation};
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
    /// The issuer says that it was used before, and no log says when.
    pub(super) first_use_unseen: bool,
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
/// `watermark` decides only on what a missing fact says.
pub(super) fn classify(
    facts: &Facts,
    config: &TokenReuseConfig,
    watermark: Option<EventTime>,
) -> Option<Verdict> {
    let mut findings = Vec::new();
    double_redeem(facts, config, &mut findings);
    reuse(facts, config, watermark, &mut findings);
    unseen_first_use(facts, config, watermark, &mut findings);
    for presentation in &facts.presentations {
        let is_settled = watermark.is_some_and(|watermark| watermark >= settled_at(presentation, config));
        after_its_end(facts, presentation, is_settled, config, &mut findings);
        elsewhere(facts, presentation, is_settled, config, &mut findings);
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
        first_use_unseen: is_use_unseen(facts, worst.decisive, config),
        classes,
    })
}

/// Two accepted redemptions, unless they are two logs' records of one.
fn double_redeem<'a>(facts: &'a Facts, config: &TokenReuseConfig, findings: &mut Vec<Finding<'a>>) {
    let accepted: Vec<_> = facts.accepted().collect();
    // One log may see the client's address and the other that of a proxy: only the time tells.
    let other = |first: &Presentation, p: &Presentation| {
        p.topic == first.topic || p.at - first.at > config.witness_ms
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

/// Presented again after it was redeemed, and refused. It is held against the redemption in its
/// own log, if that has one: two logs may name one client's address differently. So another log's
/// is only taken once its own log's can no longer arrive.
fn reuse<'a>(
    facts: &'a Facts,
    config: &TokenReuseConfig,
    watermark: Option<EventTime>,
    findings: &mut Vec<Finding<'a>>,
) {
    let is_settled = witnessed_at(facts, config).is_some_and(|at| watermark >= Some(at));
    for again in facts.refused() {
        let others = || facts.accepted().next().filter(|_| is_settled);
        let Some(first) = own_redemption(facts, again).or_else(others) else { continue };
        let says_nothing = matches!(again.reason.as_deref(), None | Some("other" | "unknown" | "failure"));
        // Where the issuer says it was used before, the order of the stamps is its clocks' affair.
        let is_reuse = says_used(again) || says_nothing && again.at >= first.at;
        if !is_reuse {
            continue;
        }
        let distance_ms = (again.at - first.at).abs();
        let (info, severity) = reuse_class(first, again, distance_ms, config);
        findings.push(Finding { info, severity, decisive: again, earlier: Some(first), distance_ms });
    }
}

/// The first redemption in the log that this presentation stands in.
fn own_redemption<'a>(facts: &'a Facts, p: &Presentation) -> Option<&'a Presentation> {
    facts.accepted().find(|accepted| accepted.topic == p.topic)
}

/// The watermark from which no other log's record of the first redemption can still arrive.
fn witnessed_at(facts: &Facts, config: &TokenReuseConfig) -> Option<EventTime> {
    facts.accepted().next().map(|first| first.at + config.witness_ms + 1)
}

fn says_used(p: &Presentation) -> bool {
    !p.accepted && p.reason.as_deref() == Some("already_used")
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
    let same_ip = first.src_ip.is_some() && first.src_ip == again.src_ip;
    match (other_net, other_browser) {
        (true, _) if same_browser && distance_ms <= config.network_switch_ms => {
            (&NETWORK_SWITCH, Severity::Medium)
        }
        (true, _) => (&OTHER_ORIGIN, Severity::High),
        (false, true) => (&SAME_ORIGIN, Severity::Medium),
        // Harmless is only what is known to come from one browser at one address.
        (false, false) if same_browser && same_ip && distance_ms <= config.grace_ms => {
            (&BENIGN_DOUBLE, Severity::Info)
        }
        (false, false) => (&SAME_ORIGIN, Severity::Low),
    }
}

/// Refused as used before, by a token whose use nobody saw: before our first log, or longer ago
/// than tokens are remembered. It is a reuse by the issuer's word; only where to is not known. A
/// redemption that follows long after is not the use that the issuer spoke of.
fn unseen_first_use<'a>(
    facts: &'a Facts,
    config: &TokenReuseConfig,
    watermark: Option<EventTime>,
    findings: &mut Vec<Finding<'a>>,
) {
    let is_settled =
        |p: &&Presentation| watermark.is_some_and(|watermark| watermark >= settled_at(p, config));
    let used: Vec<_> =
        facts.refused().filter(|p| is_use_unseen(facts, p, config)).filter(is_settled).collect();
    let Some(first) = used.first() else { return };
    let other = used.iter().find(|p| p.topic == first.topic && differ(p.net, first.net));
    findings.push(match other {
        Some(other) => Finding {
            info: &OTHER_ORIGIN,
            severity: Severity::High,
            decisive: other,
            earlier: Some(first),
            distance_ms: other.at - first.at,
        },
        None => Finding {
            info: &SAME_ORIGIN,
            severity: Severity::Low,
            decisive: first,
            earlier: None,
            distance_ms: 0,
        },
    });
}

/// Refused as used before, and no redemption is known that can have been that use.
fn is_use_unseen(facts: &Facts, p: &Presentation, config: &TokenReuseConfig) -> bool {
    let settled_at = settled_at(p, config);
    says_used(p) && facts.accepted().next().is_none_or(|first| first.at >= settled_at)
}

/// The watermark from which a fact close to this presentation can no longer arrive.
fn settled_at(p: &Presentation, config: &TokenReuseConfig) -> EventTime {
    p.at + config.grace_ms.max(config.network_switch_ms) + 1
}

/// When the watermark next settles that a fact is missing, if that is still open.
pub(super) fn settles_at(
    facts: &Facts,
    config: &TokenReuseConfig,
    watermark: Option<EventTime>,
) -> Option<EventTime> {
    let waiting = facts.presentations.iter().filter(|p| rests_on_what_is_missing(facts, p, config));
    let foreign = facts.refused().any(|p| own_redemption(facts, p).is_none());
    let witnessed_at = witnessed_at(facts, config).filter(|_| foreign);
    let all = waiting.map(|p| settled_at(p, config)).chain(witnessed_at);
    all.filter(|at| watermark.is_none_or(|watermark| watermark < *at)).min()
}

fn rests_on_what_is_missing(facts: &Facts, p: &Presentation, config: &TokenReuseConfig) -> bool {
    let is_overdue = || implied_end(facts, p, config).is_some_and(|end| p.at - end > config.skew_ms);
    is_use_unseen(facts, p, config) || is_overdue() || is_other_page(facts, p, config)
}

/// The issue records that a presentation is held against. One that is made later changes nothing.
fn issues_before<'a>(
    facts: &'a Facts,
    p: &Presentation,
    config: &TokenReuseConfig,
) -> impl Iterator<Item = &'a Issue> {
    let settled_at = settled_at(p, config);
    facts.issues.iter().filter(move |issue| issue.at < settled_at)
}

/// When the token ended where no issue record said so: as long after the first as tokens live.
fn implied_end(facts: &Facts, p: &Presentation, config: &TokenReuseConfig) -> Option<EventTime> {
    let is_said = issues_before(facts, p, config).any(|issue| issue.expires_at.is_some());
    let first = issues_before(facts, p, config).map(|issue| issue.at).min().filter(|_| !is_said);
    first.map(|first| first + config.ttl_ms)
}

/// Presented in a page that it was not issued for.
fn is_other_page(facts: &Facts, p: &Presentation, config: &TokenReuseConfig) -> bool {
    let issued_for = issues_before(facts, p, config).filter_map(|issue| issue.origin.as_deref());
    contradicts(p.origin.as_deref().map(host), issued_for.chain(p.bound_origin.as_deref()).map(host))
}

/// Presented after the token's end, or after it was revoked.
fn after_its_end<'a>(
    facts: &'a Facts,
    p: &'a Presentation,
    is_settled: bool,
    config: &TokenReuseConfig,
    findings: &mut Vec<Finding<'a>>,
) {
    let mut found = |info, severity, since: Option<EventTime>| {
        let distance_ms = since.map_or(0, |since| p.at - since);
        findings.push(Finding { info, severity, decisive: p, earlier: None, distance_ms });
    };
    let said = facts.issues.iter().filter_map(|issue| issue.expires_at).min();
    let implied = implied_end(facts, p, config).filter(|_| is_settled);
    let expires_at = said.into_iter().chain(implied).min();
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
fn elsewhere<'a>(
    facts: &'a Facts,
    p: &'a Presentation,
    is_settled: bool,
    config: &TokenReuseConfig,
    findings: &mut Vec<Finding<'a>>,
) {
    let mut found = |info, severity| {
        findings.push(Finding { info, severity, decisive: p, earlier: None, distance_ms: 0 });
    };
    let refused_for = |reason: &str| !p.accepted && p.reason.as_deref() == Some(reason);
    let severity = if p.accepted { Severity::Critical } else { Severity::High };
    // Another log may call the same user and partner by other names.
    let issues = || facts.issues.iter().filter(|issue| issue.topic == p.topic);
    let users = issues().filter_map(|issue| issue.user.as_deref());
    if contradicts(p.user.as_deref(), users) || refused_for("wrong_user") {
        found(&WRONG_USER, severity);
    }
    let partners = issues().filter_map(|issue| issue.partner.as_deref());
    if contradicts(p.partner.as_deref(), partners) || refused_for("wrong_partner") {
        found(&WRONG_PARTNER, severity);
    }
    if refused_for("wrong_origin") || is_settled && is_other_page(facts, p, config) {
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
