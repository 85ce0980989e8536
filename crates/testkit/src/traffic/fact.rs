//! What can happen, before anybody has written it down in a log.

use event::EventTime;

use super::dice::mix;
use super::people::{Address, User};
use super::text::Text;

/// One thing that happened at a partner; each becomes one line of one of its logs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    TokenIssued(Token),
    TokenRedeemed { token: Token, client: Client },
    TokenRejected { token: Token, client: Client, reason: &'static str },
    KeyFailed { key: Key, from: Address, reason: &'static str },
    ApiCall { user: User, endpoint: &'static Endpoint, status: u16 },
    ShipperStarted,
    ShipperHeartbeat,
    Request(Request),
    Sshd(Sshd),
}

/// How long a token lives.
pub(crate) const TOKEN_TTL_MS: i64 = 300_000;

/// A session token, known by the chance it was made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) id: u64,
    pub(crate) user: User,
    pub(crate) issued_at: EventTime,
}

impl Token {
    pub(crate) fn expires_at(self) -> EventTime {
        self.issued_at + TOKEN_TTL_MS
    }

    /// The 64 hex digits that only backend and browser should ever see.
    pub(crate) fn raw(self, text: &mut Text) {
        for quarter in 0..4 {
            text.hex(mix(self.id, quarter), 16);
        }
    }

    /// What a partner that hashes its tokens logs instead. The digits come from the same chance
    /// and not from an HMAC: nobody here could tell the difference, and traffic is made faster.
    pub(crate) fn fingerprint(self, text: &mut Text) {
        text.put("hmac256:k3:").hex(mix(self.id, 4), 16).hex(mix(self.id, 5), 16);
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: Address,
    pub(crate) agent: Agent,
}

/// What it calls itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Agent {
    /// The partner's own backend.
    Backend,
    /// A browser, or a program.
    Other(&'static str),
}

/// An API key, by its public id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) u64);

impl Key {
    pub(crate) fn id(self, text: &mut Text) {
        text.put("key_live_").hex(self.0, 8);
    }
}

/// A request as an edge's access log tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) client: Client,
    pub(crate) target: Target,
    pub(crate) status: u16,
    pub(crate) latency_ms: u16,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// `POST /v1/sessions`, by which a backend gets a token.
    Sessions,
    /// `GET /embed/<partner>`, by which a browser redeems one.
    Embed(Token),
    /// Anything else.
    Endpoint { endpoint: &'static Endpoint, user: User, item: u64 },
}

/// An endpoint of the platform's API.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) before: &'static str,
    pub(crate) id: Id,
    pub(crate) after: &'static str,
    /// The status of a call that went well.
    pub(crate) fine: u16,
}

/// What stands in the middle of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Id {
    None,
    User,
    Item,
}

impl Endpoint {
    pub(crate) fn path(&self, user: User, item: u64, text: &mut Text) {
        text.put(self.before);
        match self.id {
            Id::None => text,
            Id::User => text.put("usr_").number(user.number),
            Id::Item => text.number(10_000 + item % 5_000),
        }
        .put(self.after);
    }

    /// Method and path template, as detectors count it.
    pub(crate) fn route(&self) -> String {
        let id = if matches!(self.id, Id::None) { "" } else { "{id}" };
        format!("{} {}{id}{}", self.method, self.before, self.after)
    }
}

/// The most used first; the n-th has 1/n of the calls of the first.
pub(crate) static ENDPOINTS: [Endpoint; 12] = [
    endpoint("GET", "/v1/profiles/", Id::User, "", 200),
    endpoint("GET", "/v1/catalog", Id::None, "", 200),
    endpoint("POST", "/v1/events", Id::None, "", 202),
    endpoint("GET", "/v1/rewards", Id::None, "", 200),
    endpoint("GET", "/v1/catalog/", Id::Item, "", 200),
    endpoint("GET", "/v1/profiles/", Id::User, "/orders", 200),
    endpoint("GET", "/v1/notifications", Id::None, "", 200),
    endpoint("GET", "/v1/leaderboard", Id::None, "", 200),
    endpoint("POST", "/v1/rewards/", Id::Item, "/claim", 201),
    endpoint("PUT", "/v1/profiles/", Id::User, "/settings", 204),
    endpoint("POST", "/v1/orders", Id::None, "", 201),
    endpoint("GET", "/v1/orders/", Id::Item, "", 200),
];

const fn endpoint(
    method: &'static str,
    before: &'static str,
    id: Id,
    after: &'static str,
    fine: u16,
) -> Endpoint {
    Endpoint { method, before, id, after, fine }
}

/// The share of all endpoint calls that goes to the `n`-th endpoint.
pub(crate) fn endpoint_share(n: usize) -> f64 {
    let all: f64 = (1..=ENDPOINTS.len()).map(|rank| 1.0 / rank as f64).sum();
    1.0 / (n + 1) as f64 / all
}

/// A line of an SSH server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sshd {
    pub(crate) pid: u64,
    pub(crate) user: &'static str,
    pub(crate) address: Address,
    pub(crate) port: u64,
    pub(crate) said: SshdSaid,
}

/// What the server said of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SshdSaid {
    FailedPassword { unknown_user: bool },
    AcceptedPassword,
    AcceptedKey,
    SessionOpened,
    Disconnected,
}
