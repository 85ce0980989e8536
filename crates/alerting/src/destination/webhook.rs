//! Any receiver: Standard Webhooks 1.0.0, its body and its signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use hmac::{Hmac, Mac as _};
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use super::message::{Message, alert_url};
use crate::policy::NoticeKind;

/// What the standard recommends as the most a body should have.
const BODY_BYTES_MAX: usize = 20 * 1024;
/// What goes first when a body is too large; the receiver finds it through the alert's URL.
const DISPENSABLE: [&str; 4] = ["evidence", "details", "parameters", "query_sql"];

/// One secret that messages are signed with.
#[derive(Clone)]
pub(crate) struct SigningKey(SecretSlice<u8>);

impl SigningKey {
    /// `whsec_` and base64 of 24 to 64 bytes; several with white space between them.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>, &'static str> {
        let keys: Vec<Self> = text.split_whitespace().map(Self::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err("must not be empty") } else { Ok(keys) }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text.strip_prefix("whsec_").ok_or("must begin with whsec_")?;
        let key = STANDARD.decode(encoded).map_err(|_| "must be whsec_ and base64")?;
        if !(24..=64).contains(&key.len()) {
            return Err("must have 24 to 64 bytes");
        }
        Ok(Self(key.into()))
    }

    /// The signature over `id.timestamp.body`.
    pub(crate) fn sign(&self, message_id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes any length");
        mac.update(format!("{message_id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The headers of one attempt: one signature for each secret in force.
pub(crate) fn headers(
    keys: &[SigningKey],
    message_id: &str,
    timestamp: i64,
    body: &[u8],
) -> [(HeaderName, HeaderValue); 3] {
    let signatures =
        keys.iter().map(|key| key.sign(message_id, timestamp, body)).collect::<Vec<_>>().join(" ");
    [
        ("webhook-id", message_id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures),
    ]
    .map(|(name, value)| {
        let value = HeaderValue::try_from(value).expect("ids, numbers and base64 are visible ASCII");
        (HeaderName::from_static(name), value)
    })
}

/// The message as it goes over the wire: the same bytes at every attempt.
pub(crate) fn body(message: &Message, public_url: Option<&Url>) -> Vec<u8> {
    let event_type = match message.kind {
        NoticeKind::Opened => "alert.created",
        NoticeKind::Raised => "alert.severity_raised",
        NoticeKind::Updated => "alert.updated",
        NoticeKind::Acknowledged => "alert.acknowledged",
        NoticeKind::Closed => "alert.closed",
    };
    let mut data = serde_json::to_value(&message.alert).unwrap_or_default();
    if let Some(url) = alert_url(public_url, &message.alert.alert.alert_id) {
        data["url"] = json!(url);
    }
    let mut body = json!({
        "type": event_type,
        "timestamp": message.queued_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "data": data,
    });
    let mut omitted = Vec::new();
    for field in DISPENSABLE {
        if body.to_string().len() <= BODY_BYTES_MAX {
            break;
        }
        omitted.push(field);
        if let Value::Object(data) = &mut body["data"] {
            data.remove(field);
        }
        body["data"]["omitted"] = json!(omitted);
    }
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
