//! A courier: carries the messages of one destination, one by one within an episode.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::answer::{Answer, judge};
use crate::budget::Budget;
use crate::clock::later;
use crate::counters::DestinationCounters;
use crate::destination::message::Message;
use crate::destination::{Credential, pagerduty, webhook};
use crate::outbox::{Claimed, GONE};
use crate::retry::backoff;
use crate::routing::Readiness;
use crate::{Control, ControlError, Destination};

/// How many messages, each of another episode, are under way to one destination at a time.
const UNDER_WAY_MAX: usize = 8;

/// Shorter values in a URL's query are words like `2` or `json`, not secrets.
const SECRET_BYTES_MIN: usize = 5;

/// Where a courier takes the time from; tests hold it.
pub(crate) type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

pub(crate) struct Courier {
    pub(crate) control: Control,
    pub(crate) destination: Destination,
    pub(crate) public_url: Option<Url>,
    pub(crate) budget: Budget,
    pub(crate) counters: Arc<DestinationCounters>,
    pub(crate) now: Now,
}

impl Courier {
    /// Sends some of what is due and returns when to look again; `None` when nothing waits.
    pub(crate) async fn turn(&mut self) -> Result<Option<DateTime<Utc>>, ControlError> {
        let now = (self.now)();
        match self.control.readiness(&self.destination.name, now).await? {
            Readiness::Ready => {}
            Readiness::PausedUntil(until) => return Ok(Some(until)),
            Readiness::Disabled => {
                self.give_up_all(now).await?;
                return Ok(None);
            }
        }
        let free = self.budget.available(now).min(UNDER_WAY_MAX);
        if free == 0 {
            return Ok(Some(self.budget.next_at(now)));
        }
        let due = self.control.due(&self.destination.name, now, free).await?;
        if due.is_empty() {
            return self.control.next_due(&self.destination.name).await;
        }
        let mut claimed = Vec::with_capacity(due.len());
        for id in due {
            if let Some(message) = self.control.claim(id, now).await? {
                self.budget.spend();
                claimed.push(message);
            }
        }
        let answers = join_all(claimed.iter().map(|claimed| self.send(&claimed.message))).await;
        for (claimed, answer) in claimed.iter().zip(answers) {
            self.settle(claimed, answer).await?;
        }
        Ok(Some(now))
    }

    async fn send(&self, message: &Message) -> Answer {
        let wall = self.control.clock.wall();
        let (headers, body) = self.request(message, wall);
        let request = self.destination.client.post(self.destination.endpoint.clone());
        judge(request.headers(headers).body(body).send().await, self.destination.kind, wall).await
    }

    fn request(&self, message: &Message, wall: DateTime<Utc>) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = match &self.destination.credential {
            Credential::RoutingKey(key) => {
                pagerduty::event(message, key.expose_secret(), self.public_url.as_ref())
            }
            Credential::SigningKeys(keys) => {
                let body = webhook::body(message, self.public_url.as_ref());
                headers.extend(webhook::headers(keys, &message.message_id, wall.timestamp(), &body));
                body
            }
        };
        (headers, body)
    }

    async fn settle(&self, claimed: &Claimed, answer: Answer) -> Result<(), ControlError> {
        let now = (self.now)();
        match answer {
            Answer::Accepted => {
                self.counters.delivered();
                self.control.delivered(claimed, now).await
            }
            Answer::TryLater { reason, pause } => self.try_later(claimed, now, &reason, pause).await,
            Answer::Refused { reason } => self.give_up(claimed, now, &reason).await,
            Answer::Gone => self.switch_off(claimed, now).await,
        }
    }

    async fn try_later(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        reason: &str,
        pause: Option<Duration>,
    ) -> Result<(), ControlError> {
        let reason = self.without_secrets(reason);
        if let Some(pause) = pause {
            self.control.pause(&self.destination.name, later(now, pause)).await?;
        }
        if now >= claimed.expires_at {
            return self.give_up(claimed, now, &reason).await;
        }
        self.counters.retried();
        if claimed.attempts == 1 {
            let alert_id = &claimed.message.alert.alert.alert_id;
            tracing::warn!(destination = %self.destination.name, alert_id, reason, "will try again");
        }
        // A receiver may ask for more patience than we have, not for less.
        let wait = backoff(claimed.attempts, rand::random()).max(pause.unwrap_or_default());
        self.control.postpone(claimed, later(now, wait), &reason).await
    }

    async fn give_up(&self, claimed: &Claimed, now: DateTime<Utc>, reason: &str) -> Result<(), ControlError> {
        let reason = self.without_secrets(reason);
        self.counters.undelivered(1);
        let alert_id = &claimed.message.alert.alert.alert_id;
        tracing::error!(destination = %self.destination.name, alert_id, reason, "could not deliver");
        self.control.give_up(claimed, now, &reason).await
    }

    /// Nobody will come for what the gone receiver is owed: it is set aside where people see it. The
    /// next start, or a requeue, tries it again.
    async fn switch_off(&self, claimed: &Claimed, now: DateTime<Utc>) -> Result<(), ControlError> {
        tracing::error!(destination = %self.destination.name, reason = GONE, "switched off until the next start");
        self.control.disable(&self.destination.name, now, GONE).await?;
        self.give_up(claimed, now, GONE).await?;
        self.give_up_all(now).await
    }

    async fn give_up_all(&self, now: DateTime<Utc>) -> Result<(), ControlError> {
        let given_up = self.control.give_up_all(&self.destination.name, now, GONE).await?;
        self.counters.undelivered(given_up);
        Ok(())
    }

    /// Receivers like to quote what they did not understand.
    fn without_secrets(&self, reason: &str) -> String {
        let mut reason = reason.to_owned();
        if let Credential::RoutingKey(key) = &self.destination.credential {
            reason = reason.replace(key.expose_secret(), "[routing key]");
        }
        let endpoint = &self.destination.endpoint;
        for part in [endpoint.as_str(), endpoint.path(), endpoint.query().unwrap_or_default()] {
            if part.len() > 1 {
                reason = reason.replace(part, "[url]");
            }
        }
        // Also decoded, and one without the others.
        for (_, value) in endpoint.query_pairs().filter(|(_, value)| value.len() >= SECRET_BYTES_MIN) {
            reason = reason.replace(&*value, "[url]");
        }
        reason
    }
}

#[cfg(test)]
mod tests;
