//! An observation: the few fields of an event that a detector counts on, keyed and routed.

use crate::EventTime;
use crate::columns::columns;

/// What kind of thing an observation tells; the number in its `kind` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObservationKind {
    /// A fact about one session token. Key: tenant and token fingerprint.
    Token,
    /// A login or key check that succeeded or failed, seen from its account. Key: tenant and
    /// user or API key.
    AuthByAccount,
    /// The same, seen from its address. Key: tenant and /24 (IPv4) or /48 (IPv6).
    AuthByAddress,
    /// So many requests of one partner to one route in one minute with one class of status.
    /// Key: tenant. `count` rows were folded into one.
    Requests,
    /// So many lines of one shipper that arrived in one minute with one class of delay. Key: tenant.
    Source,
    /// A secret that stood where none belongs, and was taken out. Key: tenant and kind of secret.
    Secret,
    /// A request that looks for something: refused, or with a tell-tale. Key: tenant and /24 (IPv4)
    /// or /48 (IPv6).
    Probe,
    /// An API key at work, or what became of one, where that is no check of the key. (A check is told
    /// by `AuthByAccount`, with `key_use` set where the key's holder made it.) Key: tenant and API key.
    KeyUse,
    /// A call for one object that was refused, where nothing else tells of its account. (Elsewhere
    /// `object` is set.) Key: tenant and user or API key.
    Access,
    /// Something of which many are worth a word; `reason` says what (see [`crate::Signal`]). Key: tenant
    /// and `entity`.
    Signal,
    /// The same fact about a session token as `Token`, seen from its partner: told of every token of a tenant in
    /// one place, where what was issued is compared with what is presented. Key: tenant.
    TokenOfTenant,
    /// A user was let in, by a login or with a session token, from a place that is known. Key: tenant and user.
    UserUse,
}

impl ObservationKind {
    /// The number in the `kind` column.
    pub const fn code(self) -> i32 {
        match self {
            Self::Token => 1,
            Self::AuthByAccount => 2,
            Self::AuthByAddress => 3,
            Self::Requests => 4,
            Self::Source => 5,
            Self::Secret => 6,
            Self::Probe => 7,
            Self::KeyUse => 8,
            Self::Access => 9,
            Self::Signal => 10,
            Self::TokenOfTenant => 11,
            Self::UserUse => 12,
        }
    }

    /// The kind of a number; `None` for one from a newer version.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Token),
            2 => Some(Self::AuthByAccount),
            3 => Some(Self::AuthByAddress),
            4 => Some(Self::Requests),
            5 => Some(Self::Source),
            6 => Some(Self::Secret),
            7 => Some(Self::Probe),
            8 => Some(Self::KeyUse),
            9 => Some(Self::Access),
            10 => Some(Self::Signal),
            11 => Some(Self::TokenOfTenant),
            12 => Some(Self::UserUse),
            _ => None,
        }
    }
}

columns! {
    /// One observation. Which columns are set depends on its kind.
    "observations" Observation ObservationBatchBuilder ObservationBatch ObservationReader;
    kind: Int, I, "", "See ObservationKind.";
    time: Time, S, "", "Event time; for requests the start of the minute; for sources when the first of the lines was appended.";
    ingest_time: Time, I, "", "When the broker appended the raw log (for requests and sources: the latest of them).";
    tenant: Word, I, "", "Whose it is.";
    delivery: Id, I, "", "The same for two deliveries of one line: from the shipper's sequence, else the id that a server gave the event, else the whole line where its stamp is finer than a second; none where only the position tells. Never from a field that a client can set.";
    kafka_topic: Word, I, "", "Where the event stands that it was taken from (for requests: the first of them; for sources: the one appended last): topic. Its id follows from that.";
    kafka_partition: Int, I, "", "Where that event stands: partition.";
    kafka_offset: Long, I, "", "Where that event stands: offset.";
    kafka_line: Int, I, "", "Where that event stands: line.";
    source_format: Word, I, "", "Which source description read it.";
    env: Word, S, "", "production or sandbox.";
    action: Word, S, "", "The event's action; for sources session_token.issued where one of the lines says so for production; for secrets the place: a column, or raw.";
    outcome: Word, S, "", "success or failure.";
    reason: Word, S, "", "Why it failed; for secrets their kind; for probes the tell-tale, if any.";
    partner_id: Word, S, "", "Partner that the payload names.";
    user_ref: Text, S, "", "User.";
    api_key: Text, S, "", "API key id, or fingerprint where only the raw key was there.";
    token_fp: Text, I, "", "Token fingerprint; for secrets theirs, where one may be kept.";
    rehearsal: Int, I, "", "1 where the token is called by the key that takes over later: detectors remember it, and tell of it under its present name.";
    token_expires_at: Time, S, "", "When the token ends, where said.";
    src_ip: Text, E, "", "Client address.";
    src_net: Text, I, "", "Its /24 (IPv4) or /48 (IPv6).";
    end_user_ip: Text, S, "", "End user's address said at issue.";
    ua_fp: Text, I, "", "User agent fingerprint.";
    origin_host: Word, P, "", "Host of the embedding page.";
    bound_origin: Word, S, "", "Host that the token is bound to.";
    route: Word, I, "", "Method and path template.";
    status: Int, E, "", "HTTP status; for requests its class: 200, 300, 400, 500, or exactly 401, 403, 404, 429.";
    sought: Text, I, "", "For probes: a hash of what was looked for.";
    count: Long, I, "", "For requests and sources: how many.";
    shipper_id: Word, S, "", "For sources: the shipper that the lines name.";
    key_use: Int, I, "", "1 where the holder of the API key made this call, 2 from an address that its partner declared, 3 from one that it did not declare although it declared some; none where somebody else's call names the key.";
    src_asn: Long, I, "", "For uses of a key and by a user: autonomous system of the client's address.";
    src_country: Word, I, "", "For uses of a key and by a user: country of the client's address.";
    src_lat: Float, I, "", "For uses by a user: latitude of the client's address in degrees.";
    src_lon: Float, I, "", "For uses by a user: longitude.";
    ua_family: Word, I, "", "For uses of a key: the user agent's family.";
    object: Text, I, "", "Where an account called for one object: its id, as the path or the event names it.";
    object_owner: Word, S, "", "Whose object it is.";
    entity: Text, S, "", "For signals: what they are counted by.";
    delay_ms: Long, I, "", "For sources: how long after their stamps the lines were appended, negative where the stamps are ahead: of one class of delays (between two of DELAYS_MS) the one nearest to zero. Null for what could not be read.";
}

impl Observation<'_> {
    /// Whether it was taken from an event that has a place, which its id follows from ([`crate::ids::event_id`]).
    /// A line that could not be read is none.
    pub fn is_of_event(&self) -> bool {
        let is_unreadable = self.kind == Some(ObservationKind::Source.code()) && self.delay_ms.is_none();
        self.kafka_topic.is_some() && !is_unreadable
    }
}

/// What the column `key_use` says: the key's holder called, and what its partner declared of where from.
pub mod key_use {
    /// Nothing was declared.
    pub const USED: i32 = 1;
    /// It called from where its partner declared that its calls come from.
    pub const DECLARED: i32 = 2;
    /// It called from elsewhere.
    pub const OUTSIDE: i32 = 3;
}

/// Where the classes of a delay meet, in milliseconds, on both sides of zero.
pub const DELAYS_MS: [i64; 10] =
    [5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 3_600_000, 86_400_000];

/// What was known of a source when a batch was made. Carried with every batch of observations,
/// so that watermarks are a function of the log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SourceProgress {
    /// `topic/partition` of the raw log.
    pub source: String,
    /// The largest event time read there (clamped like the events themselves); `MIN` if none was.
    pub event_time_max: EventTime,
    /// When the broker appended the newest record that was read there; `MIN` if none was.
    pub broker_time: EventTime,
    /// Everything that the source held when this was appended had been read.
    #[serde(default)]
    pub at_end: bool,
}

impl SourceProgress {
    /// Records of it were read.
    pub fn read(source: String, event_time_max: EventTime, broker_time: EventTime) -> Self {
        Self { source, event_time_max, broker_time, at_end: false }
    }

    /// It is there; what it holds may not be read yet.
    pub fn announced(source: String) -> Self {
        Self::read(source, EventTime::MIN, EventTime::MIN)
    }

    /// It was asked for its end, and everything before that had been read.
    pub fn at_end(source: String) -> Self {
        Self { at_end: true, ..Self::announced(source) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_could_not_be_read_is_no_event_and_neither_is_what_has_no_place() {
        let line = |kind: ObservationKind, topic: Option<&'static str>, delay_ms| Observation {
            kind: Some(kind.code()),
            kafka_topic: topic.map(Into::into),
            delay_ms,
            ..Observation::default()
        };
        assert!(line(ObservationKind::Source, Some("logs.a.b"), Some(0)).is_of_event());
        assert!(!line(ObservationKind::Source, Some("logs.a.b"), None).is_of_event());
        assert!(line(ObservationKind::Token, Some("logs.a.b"), None).is_of_event());
        assert!(!line(ObservationKind::Token, None, None).is_of_event());
    }
}
