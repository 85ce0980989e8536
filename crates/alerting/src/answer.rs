//! What a receiver's answer means for the message.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Response, StatusCode};

use crate::DestinationKind;
use crate::error::chain;
use crate::retry::retry_after;
use crate::text::{clean, shorten};

/// What to do with a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It arrived.
    Accepted,
    /// Try again, after this long if the receiver said so.
    TryLater { reason: String, pause: Option<Duration> },
    /// Never try this message again.
    Refused { reason: String },
    /// Never try this receiver again.
    Gone,
}

/// How much of an answer's body is kept for people to read.
const BODY_BYTES_MAX: usize = 2_048;
const REASON_CHARS_MAX: usize = 2_200;

/// Reads an answer, of whatever length and kind, and judges it.
///
/// Only what says that this very message is wrong ends it. 401, 403 and 404 say that something about
/// the receiver is, for everybody's messages: a key that is being rotated, a route that a deployment
/// took away. That passes within the day, and a page that was given up does not come back by itself.
pub(crate) async fn judge(
    answer: Result<Response, reqwest::Error>,
    kind: DestinationKind,
    wall: DateTime<Utc>,
) -> Answer {
    let response = match answer {
        Ok(response) => response,
        Err(error) => return Answer::TryLater { reason: describe(error), pause: None },
    };
    let status = response.status();
    if status.is_success() {
        return Answer::Accepted;
    }
    let pause = retry_after(response.headers(), wall);
    let reason = reason(response).await;
    match (kind, status) {
        // Standard Webhooks 1.0.0: the one answer that switches a receiver off.
        (DestinationKind::Webhook, StatusCode::GONE) => Answer::Gone,
        (
            DestinationKind::Pagerduty,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY,
        ) => Answer::Refused { reason },
        // Redirects are failures, but those of a maintenance page pass.
        _ => Answer::TryLater { reason, pause },
    }
}

async fn reason(mut response: Response) -> String {
    let status = response.status();
    if status.is_redirection() {
        return format!("answered {status}, redirects are not followed");
    }
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(BODY_BYTES_MAX - body.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    let body = String::from_utf8_lossy(&body);
    shorten(&format!("answered {status}: {}", clean(body.trim())), REASON_CHARS_MAX)
}

/// The whole chain of causes, without the URL, which may hold a secret.
fn describe(error: reqwest::Error) -> String {
    shorten(&clean(&chain(&error.without_url())), REASON_CHARS_MAX)
}
