//! What every receiver is told: one notice, ready to be put into a receiver's own words.

use chrono::{DateTime, Utc};
use url::Url;

use crate::StoredAlert;
use crate::policy::NoticeKind;

/// One message of the outbox.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The same over all attempts; what a webhook's receiver drops repeats by.
    pub(crate) message_id: String,
    pub(crate) kind: NoticeKind,
    /// The alert as it was when the message was queued.
    pub(crate) alert: StoredAlert,
    pub(crate) queued_at: DateTime<Utc>,
}

/// The page of an alert in our UI.
pub(crate) fn alert_url(public_url: Option<&Url>, alert_id: &str) -> Option<String> {
    let base = public_url?.as_str().trim_end_matches('/');
    Some(format!("{base}/alerts/{alert_id}"))
}
