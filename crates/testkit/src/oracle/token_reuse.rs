//! `token_reuse`: every rule looks at all that is known of one token; the worst finding is the verdict.

use event::{EventTime, Observation, ObservationKind, Severity};

use super::{Verdict, by_key};

/// How long a token lives where no issue record says so.
const TTL_MS: i64 = 300_000;
/// By how much clocks may differ at a token's end or revocation.
const SKEW_MS: i64 = 30_000;
/// The same browser at the same address within this time: a double click.
const GRACE_MS: i64 = 10_000;
/// The same browser in another network within this time: a phone that left the Wi-Fi.
const NETWORK_SWITCH_MS: i64 = 30_000;
/// Two logs' records of one redemption lie at most this far apart.
const WITNESS_MS: i64 = 10_000;
/// Refused so long after its end is more than a slow user.
const LONG_EXPIRED_MS: i64 = 3_600_000;

/// Of two findings of one severity the one that stands first here names the alert.
const WORST_FIRST: [&str; 11] = [
    "token.double_redeem",
    "token.replay_across_partners",
    "token.expired_use.accepted",
    "token.wrong_user",
    "token.wrong_partner",
    "token.reuse.other_origin",
    "token.revoked_use",
    "token.reuse.network_switch",
    "token.reuse.same_origin",
    "token.reuse.benign_double",
    "token.expired_use.rejected",
];

type Fact<'o> = &'o Observation<'static>;
type Finding = (Severity, &'static str);

/// All that is known of one token, each list in the order it happened.
#[derive(Default)]
struct Token<'o> {
    issues: Vec<Fact<'o>>,
    revocations: Vec<Fact<'o>>,
    presentations: Vec<Fact<'o>>,
    accepted: Vec<Fact<'o>>,
    refused: Vec<Fact<'o>>,
}

/// One verdict for each token whose facts amount to one.
pub(super) fn verdicts(observations: &[Observation<'static>]) -> Vec<Verdict> {
    let fingerprint =
        |o: Fact<'_>| o.token_fp.as_deref().filter(|fp| fp.starts_with("hmac256:")).map(str::to_owned);
    let tokens = by_key(observations, ObservationKind::Token, fingerprint);
    tokens.iter().filter_map(|((tenant, token_fp), facts)| verdict(tenant, token_fp, facts)).collect()
}

fn verdict(tenant: &str, token_fp: &str, facts: &[Fact<'_>]) -> Option<Verdict> {
    let token = Token::of(facts);
    let rank = |class: &str| WORST_FIRST.iter().position(|known| *known == class);
    let findings = token.findings();
    let (severity, class) =
        findings.into_iter().min_by_key(|(severity, class)| (std::cmp::Reverse(*severity), rank(class)))?;
    Some(Verdict {
        // A token has one episode in its life, so its key holds no time.
        dedup_key: format!("{tenant}/token.reuse/{token_fp}"),
        detector: "token_reuse".to_owned(),
        class: class.to_owned(),
        tenant: tenant.to_owned(),
        entity: token_fp.to_owned(),
        severity,
        count: token.presentations.len() as u64,
        first_seen: at(token.presentations.first()?),
        last_seen: at(token.presentations.last()?),
    })
}

impl<'o> Token<'o> {
    fn of(facts: &[Fact<'o>]) -> Self {
        let mut token = Self::default();
        for &fact in facts {
            match fact.action.as_deref().and_then(|action| action.strip_prefix("session_token.")) {
                Some("issued") => token.issues.push(fact),
                Some("revoked") => token.revocations.push(fact),
                Some("redeemed" | "rejected") => token.presentations.push(fact),
                _ => {}
            }
        }
        (token.accepted, token.refused) = token.presentations.iter().partition(|p| is_accepted(p));
        token
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.double_redeem());
        findings.extend(self.refused.iter().filter_map(|again| self.reuse(again)));
        findings.extend(self.unseen_first_use());
        findings.extend(self.presentations.iter().filter_map(|p| self.after_its_end(p)));
        findings.extend(self.presentations.iter().filter_map(|p| self.after_its_revocation(p)));
        findings.extend(self.presentations.iter().filter_map(|p| self.wrong_user(p)));
        findings.extend(self.presentations.iter().filter_map(|p| self.wrong_partner(p)));
        findings.extend(self.presentations.iter().filter_map(|p| self.wrong_page(p)));
        findings.extend(self.replay_across_partners());
        findings
    }

    /// Two accepted redemptions that are not two logs' records of one.
    fn double_redeem(&self) -> Option<Finding> {
        let are_two =
            |a: Fact<'_>, b: Fact<'_>| a.kafka_topic == b.kafka_topic || distance(a, b) > WITNESS_MS;
        let any = pairs(&self.accepted).any(|(a, b)| are_two(a, b));
        any.then_some((Severity::Critical, "token.double_redeem"))
    }

    /// Refused after it was redeemed. It is held against the first redemption in its own log, or
    /// else in any.
    fn reuse(&self, again: Fact<'_>) -> Option<Finding> {
        let own = self.accepted.iter().find(|first| first.kafka_topic == again.kafka_topic);
        let first = own.or(self.accepted.first())?;
        let says_nothing = matches!(again.reason.as_deref(), None | Some("other" | "unknown" | "failure"));
        // The issuer's word that it was used before counts whatever the stamps say.
        let is_reuse = says_used(again) || says_nothing && again.time >= first.time;
        is_reuse.then(|| reuse_class(first, again))
    }

    /// Refused as used before, though nobody saw it used.
    fn unseen_first_use(&self) -> Option<Finding> {
        // A redemption that follows long after is not the use that the issuer spoke of.
        let is_seen = |p: Fact<'_>| self.accepted.iter().any(|a| at(a) - at(p) <= NETWORK_SWITCH_MS);
        let used: Vec<_> = self.refused.iter().filter(|p| says_used(p) && !is_seen(p)).collect();
        let first = used.first()?;
        let from_elsewhere =
            used.iter().any(|p| p.kafka_topic == first.kafka_topic && differ(network(p), network(first)));
        Some(match from_elsewhere {
            true => (Severity::High, "token.reuse.other_origin"),
            false => (Severity::Low, "token.reuse.same_origin"),
        })
    }

    /// The issue records there were when it was presented, or moments later.
    fn issues_before(&self, p: Fact<'_>) -> impl Iterator<Item = Fact<'o>> {
        let until = at(p) + NETWORK_SWITCH_MS;
        self.issues.iter().copied().filter(move |issue| at(issue) <= until)
    }

    /// When the token ended for this presentation: when an issue record says, or else, if none had
    /// said so by then, after the usual life. Of several ends the earliest.
    fn expires_at(&self, p: Fact<'_>) -> Option<EventTime> {
        let said = self.issues.iter().filter_map(|issue| issue.token_expires_at).min();
        let is_said = self.issues_before(p).any(|issue| issue.token_expires_at.is_some());
        let implied = self.issues_before(p).next().map(|issue| at(issue) + TTL_MS);
        said.into_iter().chain(implied.filter(|_| !is_said)).min()
    }

    fn after_its_end(&self, p: Fact<'_>) -> Option<Finding> {
        let overdue_ms = self.expires_at(p).map(|expires_at| at(p) - expires_at);
        let is_overdue_by = |ms: i64| overdue_ms.is_some_and(|overdue_ms| overdue_ms > ms);
        match (is_accepted(p), p.reason.as_deref()) {
            (true, _) if is_overdue_by(SKEW_MS) => Some((Severity::Critical, "token.expired_use.accepted")),
            // Whatever it was accepted with, the log says that it had ended.
            (_, Some("expired")) if is_overdue_by(LONG_EXPIRED_MS) => {
                Some((Severity::Medium, "token.expired_use.rejected"))
            }
            (_, Some("expired")) => Some((Severity::Info, "token.expired_use.rejected")),
            _ => None,
        }
    }

    fn after_its_revocation(&self, p: Fact<'_>) -> Option<Finding> {
        let revoked_at = self.revocations.first().map(|revocation| at(revocation));
        let is_after = revoked_at.is_some_and(|revoked_at| at(p) - revoked_at > SKEW_MS);
        let severity = if is_accepted(p) { Severity::Critical } else { Severity::Medium };
        (is_after || refused_for(p, "revoked")).then_some((severity, "token.revoked_use"))
    }

    /// Of issue records only those in the same log name users and partners alike.
    fn issues_in_the_log_of(&self, p: Fact<'_>) -> impl Iterator<Item = Fact<'o>> {
        self.issues.iter().copied().filter(|issue| issue.kafka_topic == p.kafka_topic)
    }

    fn wrong_user(&self, p: Fact<'_>) -> Option<Finding> {
        let bound = self.issues_in_the_log_of(p).filter_map(|issue| issue.user_ref.as_deref()).collect();
        let is_wrong = is_none_of(p.user_ref.as_deref(), bound) || refused_for(p, "wrong_user");
        is_wrong.then_some((severe(p), "token.wrong_user"))
    }

    fn wrong_partner(&self, p: Fact<'_>) -> Option<Finding> {
        let bound = self.issues_in_the_log_of(p).filter_map(|issue| issue.partner_id.as_deref()).collect();
        let is_wrong = is_none_of(p.partner_id.as_deref(), bound) || refused_for(p, "wrong_partner");
        is_wrong.then_some((severe(p), "token.wrong_partner"))
    }

    /// A page's host may be stripped or added on the way, so this is never worse than medium.
    fn wrong_page(&self, p: Fact<'_>) -> Option<Finding> {
        let issued_for = self.issues_before(p).filter_map(|issue| issue.bound_origin.as_deref());
        let bound = issued_for.chain(p.bound_origin.as_deref()).map(host).collect();
        let is_wrong =
            is_none_of(p.origin_host.as_deref().map(host), bound) || refused_for(p, "wrong_origin");
        is_wrong.then_some((Severity::Medium, "token.wrong_partner"))
    }

    /// One log names two partners that presented it.
    fn replay_across_partners(&self) -> Option<Finding> {
        let are_two = |a: Fact<'_>, b: Fact<'_>| {
            a.kafka_topic == b.kafka_topic && differ(a.partner_id.as_deref(), b.partner_id.as_deref())
        };
        let any = pairs(&self.presentations).any(|(a, b)| are_two(a, b));
        any.then_some((Severity::Critical, "token.replay_across_partners"))
    }
}

fn reuse_class(first: Fact<'_>, again: Fact<'_>) -> Finding {
    let apart_ms = distance(first, again);
    let same_browser = first.ua_fp.is_some() && first.ua_fp == again.ua_fp;
    let same_address = first.src_ip.is_some() && first.src_ip == again.src_ip;
    if differ(network(first), network(again)) {
        return match same_browser && apart_ms <= NETWORK_SWITCH_MS {
            true => (Severity::Medium, "token.reuse.network_switch"),
            false => (Severity::High, "token.reuse.other_origin"),
        };
    }
    if differ(first.ua_fp.as_deref(), again.ua_fp.as_deref()) {
        return (Severity::Medium, "token.reuse.same_origin");
    }
    match same_browser && same_address && apart_ms <= GRACE_MS {
        true => (Severity::Info, "token.reuse.benign_double"),
        false => (Severity::Low, "token.reuse.same_origin"),
    }
}

fn at(fact: Fact<'_>) -> EventTime {
    fact.time.unwrap_or_default()
}

fn distance(a: Fact<'_>, b: Fact<'_>) -> i64 {
    (at(b) - at(a)).abs()
}

fn is_accepted(p: Fact<'_>) -> bool {
    p.action.as_deref() == Some("session_token.redeemed") && p.outcome.as_deref() != Some("failure")
}

fn refused_for(p: Fact<'_>, reason: &str) -> bool {
    !is_accepted(p) && p.reason.as_deref() == Some(reason)
}

fn says_used(p: Fact<'_>) -> bool {
    refused_for(p, "already_used")
}

/// Being let in where it should not is worse than trying.
fn severe(p: Fact<'_>) -> Severity {
    if is_accepted(p) { Severity::Critical } else { Severity::High }
}

fn network<'o>(p: Fact<'o>) -> Option<&'o str> {
    p.src_net.as_deref().or(p.src_ip.as_deref())
}

/// Both are known and they are not the same.
fn differ(a: Option<&str>, b: Option<&str>) -> bool {
    a.is_some() && b.is_some() && a != b
}

/// It is known, something else is known, and it is none of that.
fn is_none_of(said: Option<&str>, known: Vec<&str>) -> bool {
    said.is_some_and(|said| !known.is_empty() && !known.contains(&said))
}

/// `https://shop.example:443/cart` and `shop.example` are the same page's host.
fn host(origin: &str) -> &str {
    let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or(rest)
}

fn pairs<'f, 'o>(facts: &'f [Fact<'o>]) -> impl Iterator<Item = (Fact<'o>, Fact<'o>)> + use<'f, 'o> {
    facts.iter().enumerate().flat_map(|(n, a)| facts[n + 1..].iter().map(move |b| (*a, *b)))
}
