//! What of an event is only worth a word when there is much of it, and whose it is.

use std::borrow::Cow;

use event::{EventRow, Signal};

/// What a row tells, with the key that it is counted by.
pub(crate) fn signal<'r>(
    row: &'r EventRow<'_>,
    net: impl FnOnce() -> Option<String>,
) -> Option<(Signal, Cow<'r, str>)> {
    let text = |text: &'r Option<Cow<'_, str>>| text.as_deref().map(Cow::Borrowed);
    let (feed, tenant) = (text(&row.kafka_topic), text(&row.tenant));
    match row.action.as_deref() {
        Some("webhook.signature_failed") => feed.map(|feed| (of_webhook(row), feed)),
        Some("csp.violation") if is_of_a_site(row) => feed.map(|feed| (Signal::CspViolation, feed)),
        Some("session_token.issued") if row.outcome.as_deref() == Some("success") => {
            text(&row.user_ref).map(|user| (Signal::TokenIssued, user))
        }
        Some("login.blocked_account") => tenant.map(|tenant| (Signal::AccountLocked, tenant)),
        _ if is(&row.owasp_event, "authn_login_lock") => tenant.map(|tenant| (Signal::AccountLocked, tenant)),
        _ if is_admin_change(row) => tenant.map(|tenant| (Signal::AdminChange, tenant)),
        _ if row.status == Some(429) || row.reason.as_deref() == Some("rate_limited") => {
            let account = text(&row.api_key_id).or(text(&row.api_key_fp)).or(text(&row.user_ref));
            account.or_else(|| net().map(Cow::Owned)).map(|caller| (Signal::RateLimited, caller))
        }
        _ => None,
    }
}

fn is(text: &Option<Cow<'_, str>>, word: &str) -> bool {
    text.as_deref() == Some(word)
}

/// The stamp is looked at once the signature was found good: only what was signed in earnest can be too old.
fn of_webhook(row: &EventRow<'_>) -> Signal {
    match row.reason.as_deref() {
        Some("timestamp_out_of_tolerance" | "stale_timestamp" | "replayed") => Signal::WebhookReplayed,
        _ => Signal::WebhookSignature,
    }
}

/// Whether a key was made or changed, or a right given.
fn is_admin_change(row: &EventRow<'_>) -> bool {
    let is_one = matches!(row.action.as_deref(), Some("api_key.created" | "api_key.rotated"))
        || is(&row.owasp_event, "privilege_permissions_changed");
    is_one && row.outcome.as_deref() != Some("failure")
}

/// Whether what a page's policy stopped came from a site. What browsers' extensions put into a page, and
/// `inline` and `data:`, has no host's name.
fn is_of_a_site(row: &EventRow<'_>) -> bool {
    let is_code = row.reason.as_deref().is_none_or(|directive| {
        ["frame-src", "child-src", "script-src", "connect-src", "form-action", "default-src"]
            .iter()
            .any(|of_code| directive.starts_with(of_code))
    });
    is_code && row.origin_host.as_deref().is_some_and(|host| host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_from_elsewhere_is_told_and_what_an_extension_put_there_is_not() {
        let told = |directive: &'static str, host: &'static str| {
            let row = EventRow {
                action: Some("csp.violation".into()),
                kafka_topic: Some("logs.prt_acme.csp".into()),
                reason: Some(Cow::Borrowed(directive)),
                origin_host: Some(Cow::Borrowed(host)),
                ..EventRow::default()
            };
            signal(&row, || None).is_some()
        };
        assert!(told("frame-src", "evil.example") && told("script-src-elem", "evil.example"));
        assert!(!told("img-src", "evil.example"));
        assert!(!told("script-src", "inline") && !told("script-src", "jkfhdnbdoahbfgnjcbcadfbjdbfhhnnn"));
    }

    #[test]
    fn an_old_stamp_under_a_good_signature_is_a_replay() {
        let told = |reason: &'static str| {
            let row = EventRow {
                action: Some("webhook.signature_failed".into()),
                kafka_topic: Some("logs.prt_acme.api".into()),
                reason: Some(Cow::Borrowed(reason)),
                ..EventRow::default()
            };
            signal(&row, || None).map(|(signal, _)| signal)
        };
        assert_eq!(told("timestamp_out_of_tolerance"), Some(Signal::WebhookReplayed));
        assert_eq!(told("bad_signature"), Some(Signal::WebhookSignature));
    }

    #[test]
    fn what_changes_rights_is_told_where_it_succeeded() {
        let told = |outcome: &'static str| {
            let row = EventRow {
                owasp_event: Some("privilege_permissions_changed".into()),
                tenant: Some("prt_acme".into()),
                outcome: Some(Cow::Borrowed(outcome)),
                ..EventRow::default()
            };
            signal(&row, || None).map(|(signal, _)| signal)
        };
        assert_eq!((told("success"), told("failure")), (Some(Signal::AdminChange), None));
    }

    #[test]
    fn too_many_calls_are_the_keys_else_the_users_else_the_networks() {
        let mut row = EventRow { status: Some(429), ..EventRow::default() };
        assert_eq!(signal(&row, || None), None);
        let told = |row: &EventRow<'_>| {
            signal(row, || Some("192.0.2.0/24".into())).map(|(signal, by)| (signal, by.into_owned()))
        };
        assert_eq!(told(&row), Some((Signal::RateLimited, "192.0.2.0/24".to_owned())));
        row.user_ref = Some("u1".into());
        assert_eq!(told(&row), Some((Signal::RateLimited, "u1".to_owned())));
        row.api_key_id = Some("k1".into());
        assert_eq!(told(&row), Some((Signal::RateLimited, "k1".to_owned())));
    }
}
