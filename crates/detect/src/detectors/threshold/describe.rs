//! What was counted, in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime, LogTopic, Severity, Signal};
use serde_json::json;

use super::rule::{self, Rule};
use super::{Day, NAME};
use crate::class::{Subject, evidence_sql};
use crate::episode::EpisodeId;
use crate::keyed::Key;
use crate::text::{self, word};

/// What a call is that anybody can read on its way, about.
const PLAIN: &str = "(scheme = 'http' OR tls_version NOT IN ('TLSv1.2', 'TLSv1.3'))";
/// What alerts of calls without an accepted credential are known by.
const PLAIN_CALL: &str = "transport.plaintext.call";
/// So many times as many refused calls as are told of are worse.
const MUCH_WORSE: u64 = 10;

/// How bad it is.
pub(super) fn severity(rule: Rule, day: &Day) -> Severity {
    match rule.signal {
        _ if !day.is_real => Severity::Low,
        Signal::PlainCall => Severity::Low,
        Signal::RateLimited if day.most >= MUCH_WORSE * rule.count => Severity::Medium,
        _ => rule.info().severity,
    }
}

/// The alert of a key's day.
pub(super) fn alert(key: &Key, rule: Rule, start: EventTime, day: &Day, is_open: bool) -> Alert {
    let (info, entity) = (rule.info(), rule::entity(&key.name));
    let label = EpisodeId { cell: start, ordinal: 0 }.label();
    let entity_type = match rule.signal {
        Signal::WebhookSignature | Signal::CspViolation | Signal::WebhookReplayed | Signal::PlainCall => {
            "feed"
        }
        Signal::TokenIssued => "user",
        Signal::RateLimited => "caller",
        Signal::AccountLocked | Signal::AdminChange => "partner",
        Signal::PlainCredential if entity.starts_with(LogTopic::PREFIX) => "feed",
        Signal::PlainCredential => "api_key",
    };
    // A feed may have both: calls whose tokens were accepted, and others.
    let family = if rule.signal == Signal::PlainCall { PLAIN_CALL } else { info.class };
    let subject =
        Subject { detector: NAME, tenant: &key.tenant, family, entity_type, entity, episode: Some(&label) };
    let mut alert = subject.alert(info, severity(rule, day));
    let (who, most, within) = (word(entity), day.most, text::duration(rule.window_ms));
    let (title, description) = said(rule.signal, &who, most, &within);
    alert.title = format!("{}: {title}", key.tenant);
    alert.description = description;
    alert.first_seen = day.tally.first_seen().unwrap_or(start);
    alert.last_seen = day.tally.last_seen().unwrap_or(start);
    alert.triggered_at = alert.first_seen;
    alert.ingested_at = day.ingested_at;
    alert.count = day.tally.count;
    (alert.observed, alert.threshold) = (day.most as f64, rule.count as f64);
    alert.parameters = BTreeMap::from([
        ("count".to_owned(), json!(rule.count)),
        ("window_ms".to_owned(), json!(rule.window_ms)),
    ]);
    alert.details = BTreeMap::from([
        ("most_within_a_window".to_owned(), json!(day.most)),
        ("only_sandbox".to_owned(), json!(!day.is_real)),
    ]);
    alert.evidence = day.tally.evidence();
    let condition = condition(rule.signal, entity);
    alert.query_sql = evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition);
    alert.episode_open = is_open;
    alert.late = day.late;
    alert
}

fn said(signal: Signal, who: &str, most: u64, within: &str) -> (String, String) {
    match signal {
        Signal::WebhookSignature => (
            format!("webhooks of {who} have wrong signatures"),
            format!(
                "{most} webhooks within {within} had a signature that does not fit. If all have since one moment, a secret \
                 was changed on one side only, or a proxy rewrites bodies; if some do, somebody forges them."
            ),
        ),
        Signal::CspViolation => (
            format!("pages of {who} try to load what their policy forbids"),
            format!(
                "{most} loads of frames or scripts from other sites were stopped within {within}; the evidence names the \
                 hosts. Ask the partner whether it put them there; if not, its page was changed by somebody else."
            ),
        ),
        Signal::TokenIssued => (
            format!("user {who} was issued {most} tokens within {within}"),
            format!(
                "User {who} was issued {most} session tokens within {within}. A person needs one at a time: either tokens \
                 are harvested for later, or the partner's page asks for one at every click."
            ),
        ),
        Signal::RateLimited => (
            format!("{who} goes on calling beyond its limit"),
            format!(
                "{most} calls of {who} within {within} were refused because there were too many. A client that waits when \
                 it is told to has far fewer: have it mended, or block it where it does nothing else."
            ),
        ),
        Signal::AccountLocked => (
            format!("{most} accounts are locked"),
            format!(
                "{most} different accounts were locked within {within} because logins failed. One is forgetful; of \
                 several somebody tries passwords. See from where the failures before the locks came, and whether any \
                 login from there succeeded, before unlocking them."
            ),
        ),
        Signal::WebhookReplayed => (
            format!("webhooks of {who} are sent again"),
            format!(
                "{most} webhooks within {within} had a good signature and a stamp that is too old. Somebody who has seen \
                 them sends them again: see from which address, and whether what they ask for was done twice. If all of \
                 them are late, the receiver's clock is wrong or the sender's queue is stuck."
            ),
        ),
        Signal::PlainCredential => (
            format!("{who} is given away over an unencrypted wire"),
            format!(
                "{most} calls within {within} that carried the credential of {who} were accepted over http, or over TLS \
                 before 1.2. Anybody on the way may have it: have the client use https, replace the credential, and \
                 refuse such calls at the edge."
            ),
        ),
        Signal::PlainCall | Signal::AdminChange => (
            format!("{who} takes calls over an unencrypted wire"),
            format!(
                "{most} calls within {within} that name a user or carry a credential came over http, or over TLS before \
                 1.2. Redirect to https before anything is asked for, and have the clients changed that still begin \
                 with http."
            ),
        ),
    }
}

fn condition(signal: Signal, entity: &str) -> String {
    let (is_network, entity) = (entity.ends_with("/24") || entity.ends_with("/48"), text::sql(entity));
    match signal {
        Signal::WebhookSignature => format!("kafka_topic = {entity} AND action = 'webhook.signature_failed'"),
        Signal::CspViolation => format!("kafka_topic = {entity} AND action = 'csp.violation'"),
        Signal::AccountLocked | Signal::AdminChange => {
            "(action = 'login.blocked_account' OR owasp_event = 'authn_login_lock')".to_owned()
        }
        Signal::WebhookReplayed => {
            format!("kafka_topic = {entity} AND action = 'webhook.signature_failed'")
        }
        Signal::PlainCredential => {
            format!("coalesce(api_key_id, api_key_fp, kafka_topic) = {entity} AND {PLAIN}")
        }
        Signal::PlainCall => format!("kafka_topic = {entity} AND {PLAIN}"),
        Signal::TokenIssued => format!("user_ref = {entity} AND action = 'session_token.issued'"),
        Signal::RateLimited => {
            let caller = match is_network {
                true => format!("ip_in_cidr(src_ip, {entity})"),
                false => format!("coalesce(api_key_id, api_key_fp, user_ref) = {entity}"),
            };
            format!("(status = 429 OR reason = 'rate_limited') AND {caller}")
        }
    }
}
