//! One attempt to log in or to use a key, as both views of it need it.

use std::borrow::Cow;
use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use crate::stable;
use crate::text;
use crate::witness::{self, Witness};

/// How long failures are kept for the slowest of the rules.
pub(super) const RECENT_MS: i64 = 21_600_000;

/// Longer reasons and networks are cut.
const WORD_BYTES_MAX: usize = 64;

/// An attempt. Equal deliveries have equal `time` and `delivery`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) time: EventTime,
    pub(super) delivery: u64,
    pub(super) ingested_at: EventTime,
    pub(super) succeeded: bool,
    /// Somebody, or something, gave a password or the like. A program that calls with a key or a
    /// session that has ended calls again at once, and in parallel; that is no guessing.
    pub(super) is_login: bool,
    /// The account does not exist, so no typo of its owner explains the failure.
    pub(super) no_such_account: bool,
    pub(super) weight: u32,
    /// A hash of the account; 0 where none is named.
    pub(super) account: u64,
    /// The account as alerts name it; empty where none is named.
    pub(super) account_said: Box<str>,
    pub(super) net: Box<str>,
    pub(super) browser: Option<u64>,
    pub(super) reason: Box<str>,
    pub(super) witness: Arc<Witness>,
}

impl Attempt {
    /// What an observation tells; `None` where it is no attempt that should count, such as one
    /// that our own block has refused: counting those would keep the block alive for ever.
    pub(super) fn new(o: &Observation<'_>) -> Option<Self> {
        let reason = o.reason.as_deref().unwrap_or_default();
        let succeeded = match o.outcome.as_deref()? {
            "success" => true,
            "failure" => false,
            _ => return None,
        };
        if matches!(reason, "blocked" | "blocked_by_control" | "rate_limited") {
            return None;
        }
        let action = o.action.as_deref().unwrap_or("authentication");
        let is_token = action.starts_with("session_token.");
        if is_token && !succeeded && !is_token_guess(reason) {
            return None;
        }
        let outcome = if succeeded { "success" } else { "failure" };
        let what = format!("{action} {outcome} {reason}");
        let account = account_of(o);
        let net = o.src_net.as_deref().or(o.src_ip.as_deref()).unwrap_or_default();
        Some(Self {
            time: o.time?,
            delivery: witness::delivery(o),
            ingested_at: o.ingest_time.or(o.time)?,
            succeeded,
            is_login: is_login(action, o.route.as_deref()),
            no_such_account: !succeeded && !is_token && is_unknown(reason),
            weight: o.count.unwrap_or(1).clamp(1, i64::from(u32::MAX)) as u32,
            account: account.as_deref().map_or(0, |account| stable::hash(&[account])),
            account_said: text::clean(account.as_deref().unwrap_or_default(), 160).into(),
            net: text::prefix(net, WORD_BYTES_MAX).into(),
            browser: o.ua_fp.as_deref().map(|ua| stable::hash(&[ua])),
            reason: text::prefix(reason, WORD_BYTES_MAX).into(),
            witness: Arc::new(Witness::new(o, what.trim_end().to_owned())),
        })
    }

    /// An API key that does not exist.
    pub(super) fn is_guessed_key(&self) -> bool {
        self.no_such_account && self.account_said.starts_with(API_KEY)
    }

    /// A token that does not even look like one.
    pub(super) fn is_malformed(&self) -> bool {
        !self.succeeded && &*self.reason == MALFORMED
    }

    /// What was done, e.g. `login`.
    pub(super) fn action(&self) -> &str {
        self.witness.what.split(' ').next().unwrap_or_default()
    }

    /// The order in which attempts are folded.
    pub(super) fn stamp(&self) -> (EventTime, u64) {
        (self.time, self.delivery)
    }
}

/// Whether it is a login, or what is sent to a page for logins.
fn is_login(action: &str, route: Option<&str>) -> bool {
    const PAGES: [&str; 6] = ["login", "logon", "signin", "sign-in", "sign_in", "password"];
    let page = route.and_then(|route| route.strip_prefix("POST ")).map(str::to_ascii_lowercase);
    matches!(action, "login" | "user.login")
        || page.is_some_and(|page| PAGES.iter().any(|word| page.contains(word)))
}

fn is_unknown(reason: &str) -> bool {
    ["unknown", "invalid_user", "no_such_user", "not_found", "nonexistent"]
        .iter()
        .any(|word| reason.contains(word))
}

/// Whether a refused token may have been guessed. One that was used, has ended or was revoked was
/// a real one, which says nothing of an attempt to get in (`token_reuse` has its own view of it).
fn is_token_guess(reason: &str) -> bool {
    reason.starts_with("unknown") || reason == MALFORMED || reason.starts_with("wrong_")
}

const MALFORMED: &str = "malformed";
const API_KEY: &str = "api_key:";
const USER: &str = "user:";

/// The account an attempt is about: the API key, by which such observations are routed, or else
/// the user. A key's name begins with `api_key:`, so that it never meets a user of the same name.
pub(super) fn account_of<'o>(o: &'o Observation<'_>) -> Option<Cow<'o, str>> {
    fn said<'o>(text: &'o Option<Cow<'_, str>>) -> Option<&'o str> {
        text.as_deref().filter(|text| !text.is_empty())
    }
    if let Some(key) = said(&o.api_key) {
        return Some(Cow::Owned(format!("{API_KEY}{key}")));
    }
    let user = said(&o.user_ref)?;
    let looks_like_ours = user.starts_with(API_KEY) || user.starts_with(USER);
    Some(if looks_like_ours { Cow::Owned(format!("{USER}{user}")) } else { Cow::Borrowed(user) })
}

/// What kind of account has this name, and what it is called.
pub(super) fn account_kind(name: &str) -> (&'static str, &str) {
    match name.strip_prefix(API_KEY) {
        Some(key) => ("api_key", key),
        None => ("user", name.strip_prefix(USER).unwrap_or(name)),
    }
}

/// The address it came from: of IPv4 the address, of IPv6 the network, because one machine has
/// a whole network of those.
pub(super) fn address_of<'o>(o: &'o Observation<'_>) -> Option<&'o str> {
    let ip = o.src_ip.as_deref().filter(|ip| !ip.is_empty());
    match ip {
        Some(ip) if !ip.contains(':') => Some(ip),
        _ => o.src_net.as_deref().or(ip),
    }
}
