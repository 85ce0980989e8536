//! What of an event is only worth a word when there is much of it, and whose it is.

use std::borrow::Cow;

use event::{EventRow, Signal};

/// What a row tells, with the key that it is counted by.
pub(crate) fn signal<'r>(
    row: &'r EventRow<'_>,
    net: impl FnOnce() -> Option<String>,
) -> Option<(Signal, Cow<'r, str>)> {
    let text = |text: &'r Option<Cow<'_, str>>| text.as_deref().map(Cow::Borrowed);
    let feed = text(&row.kafka_topic);
    match row.action.as_deref() {
        Some("webhook.signature_failed") => feed.map(|feed| (Signal::WebhookSignature, feed)),
        Some("csp.violation") if is_of_a_site(row) => feed.map(|feed| (Signal::CspViolation, feed)),
        Some("session_token.issued") if row.outcome.as_deref() == Some("success") => {
            text(&row.user_ref).map(|user| (Signal::TokenIssued, user))
        }
        _ if row.status == Some(429) || row.reason.as_deref() == Some("rate_limited") => {
            let account = text(&row.api_key_id).or(text(&row.api_key_fp)).or(text(&row.user_ref));
            account.or_else(|| net().map(Cow::Owned)).map(|caller| (Signal::RateLimited, caller))
        }
        _ => None,
    }
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
