//! `failed_authentication`: the attempts on one account, and the attempts from one address.

mod account;
mod address;
mod episodes;

use event::{EventTime, Observation, ObservationKind, Severity};

use super::{Verdict, by_key, label};
use episodes::Episode;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// An episode ends after so long without an attempt that belongs to it.
const GAP_MS: i64 = 30 * MINUTE_MS;
/// So many failures ...
const SUCCESS_FAILURES: u64 = 5;
/// ... so soon before a success make it suspicious.
const SUCCESS_WINDOW_MS: i64 = 15 * MINUTE_MS;
/// Whichever window of brute force was full first, so much before is shown.
const SUSTAINED_WINDOW_MS: i64 = 10 * MINUTE_MS;
/// So many logins that fail ...
const BURST_FAILURES: u64 = 6;
/// ... within so long are more than most places let pass.
const BURST_WINDOW_MS: i64 = MINUTE_MS;
/// So many are, too, however slowly, within the longer of the windows of brute force.
const STEADY_FAILURES: u64 = 11;

/// Somebody tried to get in.
struct Attempt<'o> {
    time: EventTime,
    succeeded: bool,
    /// The API key, or else the user; `None` where neither is named.
    account: Option<String>,
    is_api_key: bool,
    /// The account does not exist.
    is_unknown: bool,
    is_malformed: bool,
    is_login: bool,
    net: &'o str,
    browser: Option<&'o str>,
    /// How many alike were folded into this one.
    weight: u64,
}

/// One verdict for each episode of each account and address.
pub(super) fn verdicts(observations: &[Observation<'static>]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for ((tenant, name), of_account) in by_key(observations, ObservationKind::AuthByAccount, account_of) {
        let key = Key { tenant, name: &name, entity: bare(&name) };
        verdicts.extend(account::verdicts(&key, &attempts(&of_account)));
    }
    for ((tenant, name), of_address) in by_key(observations, ObservationKind::AuthByAddress, address_of) {
        let key = Key { tenant, name: &name, entity: &name };
        verdicts.extend(address::verdicts(&key, &attempts(&of_address)));
    }
    verdicts
}

fn attempts<'o>(observations: &[&'o Observation<'static>]) -> Vec<Attempt<'o>> {
    observations.iter().filter_map(|o| attempt(o)).collect()
}

/// What an observation tells, unless it is none that should count: what our own block refused, and
/// tokens that were real ones once.
fn attempt<'o>(o: &'o Observation<'static>) -> Option<Attempt<'o>> {
    let reason = o.reason.as_deref().unwrap_or_default();
    let succeeded = match o.outcome.as_deref() {
        Some("success") => true,
        Some("failure") => false,
        _ => return None,
    };
    let is_token = o.action.as_deref().is_some_and(|action| action.starts_with("session_token."));
    let was_real = !(reason == "malformed" || reason.starts_with("unknown") || reason.starts_with("wrong_"));
    let is_ours = matches!(reason, "blocked" | "blocked_by_control" | "rate_limited");
    if is_ours || is_token && !succeeded && was_real {
        return None;
    }
    let unknown = ["unknown", "invalid_user", "no_such_user", "not_found", "nonexistent"];
    Some(Attempt {
        time: o.time?,
        succeeded,
        account: account_of(o),
        is_api_key: o.api_key.as_deref().is_some_and(|key| !key.is_empty()),
        is_unknown: !succeeded && !is_token && unknown.iter().any(|word| reason.contains(word)),
        is_malformed: !succeeded && reason == "malformed",
        is_login: matches!(o.action.as_deref(), Some("login" | "user.login")) || is_sent_to_login(o),
        net: o.src_net.as_deref().or(o.src_ip.as_deref()).unwrap_or_default(),
        browser: o.ua_fp.as_deref(),
        weight: o.count.unwrap_or(1).max(1) as u64,
    })
}

/// Something was posted to a page that is for logins.
fn is_sent_to_login(o: &Observation<'static>) -> bool {
    let route = o.route.as_deref().unwrap_or_default().to_ascii_lowercase();
    let pages = ["login", "logon", "signin", "sign-in", "sign_in", "password"];
    route.starts_with("post ") && pages.iter().any(|page| route.contains(page))
}

/// An API key's name begins with `api_key:`, and a user of such a name with `user:`.
fn account_of(o: &Observation<'static>) -> Option<String> {
    let said = |text: &Option<std::borrow::Cow<'static, str>>| {
        text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let user = || match said(&o.user_ref) {
        Some(user) if user.starts_with("api_key:") || user.starts_with("user:") => {
            Some(format!("user:{user}"))
        }
        user => user,
    };
    said(&o.api_key).map(|key| format!("api_key:{key}")).or_else(user)
}

fn bare(account: &str) -> &str {
    account.strip_prefix("api_key:").or_else(|| account.strip_prefix("user:")).unwrap_or(account)
}

/// Of IPv4 the address, of IPv6 the network.
fn address_of(o: &Observation<'static>) -> Option<String> {
    let ip = o.src_ip.as_deref().filter(|ip| !ip.is_empty());
    let v4 = ip.filter(|ip| !ip.contains(':'));
    v4.or(o.src_net.as_deref()).or(ip).map(str::to_owned)
}

/// The account or address that the attempts are of.
struct Key<'k> {
    tenant: &'k str,
    /// As it is keyed.
    name: &'k str,
    /// As alerts name it.
    entity: &'k str,
}

/// One rule's episodes on one key, as they are told.
struct Rule<'r> {
    /// What the ids of its alerts are made from.
    family: &'r str,
    /// What stands behind the key's name in them.
    from: &'r str,
    /// What stands behind the episode in them.
    part: &'r str,
}

impl Key<'_> {
    /// The verdicts of one rule's episodes, which are in order.
    fn verdicts(&self, rule: &Rule<'_>, episodes: &[Episode<'_, '_>]) -> Vec<Verdict> {
        let starts: Vec<_> = episodes.iter().map(|episode| episode.start).collect();
        let labels = label::of(&[self.tenant, self.name], &starts);
        let told = labels.iter().zip(episodes).map(|(label, episode)| Verdict {
            dedup_key: format!(
                "{}/{}/{}{}/{label}{}",
                self.tenant, rule.family, self.name, rule.from, rule.part
            ),
            detector: "failed_authentication".to_owned(),
            class: episode.class(rule.family).to_owned(),
            tenant: self.tenant.to_owned(),
            entity: self.entity.to_owned(),
            severity: episode.severity,
            count: weight(&episode.members),
            first_seen: episode.first(),
            last_seen: episode.last(),
        });
        told.collect()
    }
}

fn weight(attempts: &[&Attempt<'_>]) -> u64 {
    attempts.iter().map(|attempt| attempt.weight).sum()
}

/// The attempts that lie at most so long before a moment, or at it.
fn just_before<'a, 'o>(
    attempts: &[&'a Attempt<'o>],
    time: EventTime,
    within_ms: i64,
) -> Vec<&'a Attempt<'o>> {
    attempts.iter().copied().filter(|a| (0..=within_ms).contains(&(time - a.time))).collect()
}

/// The attempts in the window that ends with the last of them.
fn window<'a, 'o>(attempts: &[&'a Attempt<'o>], window_ms: i64) -> Vec<&'a Attempt<'o>> {
    let Some(last) = attempts.last() else { return Vec::new() };
    just_before(attempts, last.time, window_ms - 1)
}

/// Suspicious successes: each joins the one before, or opens an episode with what led up to it.
fn success_episodes<'a, 'o>(
    failures: &[&'a Attempt<'o>],
    successes: impl Iterator<Item = (&'a Attempt<'o>, Severity)>,
) -> Vec<Episode<'a, 'o>> {
    let mut episodes: Vec<Episode<'a, 'o>> = Vec::new();
    for (success, severity) in successes {
        match episodes.last_mut().filter(|open| success.time - open.last() < GAP_MS) {
            Some(open) => {
                open.members.push(success);
                open.severity = open.severity.max(severity);
            }
            None => {
                let mut members = just_before(failures, success.time, SUCCESS_WINDOW_MS);
                members.push(success);
                episodes.push(Episode { start: success.time, severity, members });
            }
        }
    }
    episodes
}
