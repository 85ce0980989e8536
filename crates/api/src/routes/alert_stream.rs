//! `GET /v1/alerts/stream`: changes of alerts as they happen, as server-sent events.
//!
//! Nothing is queued for a client: the next changes are read from the change log when the client has
//! taken those before. A slow client falls behind, and one that takes nothing is dropped by the
//! connection's stall time-out; either way it resumes where it was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use alerting::{LoggedChange, Principal};
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::IntoParams;

use crate::auth::{Reader, Token};
use crate::error::{ApiError, chain};
use crate::extract::Query;
use crate::server::Closing;
use crate::shares::Share;
use crate::state::App;
use crate::wire::ChangeView;

/// Changes read from the log at once.
const BATCH: usize = 32;

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Begin {
    /// Begin after this sequence number; 0 sends everything there is. The `Last-Event-ID` header goes
    /// before it. Without either, the stream begins with what happens next.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Follows alerts.
///
/// Server-sent events named `create`, `update` and `close`; a person's close is a `close` too, with its verdict,
/// though the episode goes on. Each event's `id` is its place in the change
/// log: send the last one back as `Last-Event-ID` and the stream goes on after it, without a gap and
/// without a repeat. Comments show that the connection lives. The stream ends when the server stops or
/// the token is revoked.
#[utoipa::path(
    get, path = "/v1/alerts/stream", operation_id = "follow_alerts", tag = "alerts",
    params(Begin, ("Last-Event-ID" = Option<i64>, Header, description = "The id of the last event received")),
    responses(
        (status = 200, description = "Changes, one an event", body = ChangeView, content_type = "text/event-stream"),
        (status = 429, description = "Too many streams are open"),
    )
)]
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    caller: Reader,
    Query(begin): Query<Begin>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let mut share = app.streams.open(caller.principal.name.clone());
    if !share.grow(1) {
        return Err(ApiError::TooManyRequests {
            detail: "as many live streams are open as may; close one, or try again later",
            retry_after: app.config.heartbeat,
        });
    }
    let newest = app.control.newest_sequence();
    let newest_now = *newest.borrow();
    // A number from before a restored backup may lie ahead of the log: what comes next is still news.
    let position =
        last_event_id(&headers)?.or(begin.after).map_or(newest_now, |after| after.clamp(0, newest_now));
    let follower = Follower {
        heartbeat_at: Instant::now() + app.config.heartbeat,
        app,
        principal: caller.principal,
        token: caller.token,
        read_to: position,
        pending: VecDeque::new(),
        newest,
        closing: closing.map(|Extension(Closing(closing))| closing),
        greeted: false,
        _share: share,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.map(Some)
        .ok_or_else(|| ApiError::BadRequest("Last-Event-ID is a number that this stream gave out".to_owned()))
}

/// One client, following.
struct Follower {
    app: Arc<App>,
    principal: Principal,
    token: Token,
    /// The sequence number up to which the change log was read.
    read_to: i64,
    pending: VecDeque<LoggedChange>,
    newest: watch::Receiver<i64>,
    /// When to show that the connection lives, and to look at the token again. It stands however
    /// much there is to send.
    heartbeat_at: Instant,
    closing: Option<watch::Receiver<bool>>,
    greeted: bool,
    _share: Share<String>,
}

impl Follower {
    /// The next event; none when the stream ends.
    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            // An id without data: whoever is cut off before the first change knows where it was.
            return Some(Event::default().id(self.read_to.to_string()));
        }
        loop {
            if Instant::now() >= self.heartbeat_at {
                self.heartbeat_at = Instant::now() + self.app.config.heartbeat;
                return self.may_stay().await.then(|| Event::default().comment(""));
            }
            if let Some(logged) = self.pending.pop_front() {
                return Some(self.event(logged));
            }
            if self.is_closing() {
                return None;
            }
            // Seen before reading: what is logged while we read wakes us afterwards.
            let newest = *self.newest.borrow_and_update();
            self.read(newest).await?;
            if self.pending.is_empty() {
                self.wait().await?;
            }
        }
    }

    fn event(&self, logged: LoggedChange) -> Event {
        let (id, name) = (logged.sequence.to_string(), logged.change.change.as_str());
        let change = ChangeView::new(logged, &self.principal.scope);
        let event = Event::default().id(id).event(name);
        event.json_data(change).expect("a change is texts and numbers under text keys")
    }

    fn is_closing(&self) -> bool {
        self.closing.as_ref().is_some_and(|closing| *closing.borrow())
    }

    /// Reads on in the change log, which had come to `newest` before. None if it cannot be read: the
    /// client comes back, and meets the error where it has a status code.
    async fn read(&mut self, newest: i64) -> Option<()> {
        match self.app.control.changes_after(&self.principal.scope, self.read_to, BATCH).await {
            Ok(changes) => {
                let last = changes.last().map_or(self.read_to, |last| last.sequence);
                // A short read: whatever else there was up to then is others'.
                self.read_to = if changes.len() < BATCH { last.max(newest) } else { last };
                self.pending.extend(changes);
                Some(())
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "ended a live stream: the change log cannot be read");
                None
            }
        }
    }

    /// Waits for news, or for the heartbeat; none if the server stops.
    async fn wait(&mut self) -> Option<()> {
        let closing = async {
            match &mut self.closing {
                Some(closing) => drop(closing.wait_for(|closing| *closing).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.newest.changed() => changed.ok(),
            () = tokio::time::sleep_until(self.heartbeat_at) => Some(()),
            () = closing => None,
        }
    }

    /// Whether the token still stands for the same caller. A database that is away for a moment does
    /// not end the stream; it could not send anything either.
    async fn may_stay(&self) -> bool {
        match self.app.control.verify_token(self.token.expose()).await {
            Ok(principal) => principal.as_ref() == Some(&self.principal),
            Err(_) => true,
        }
    }
}
