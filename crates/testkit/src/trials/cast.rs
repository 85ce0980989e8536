//! Who takes part in one trial, and how what they do is written down.

use event::{EventTime, LogTopic, Severity};
use serde_json::{Value, json};

use super::{LENGTH_MS, TrialsConfig};
use crate::traffic::Line;
use crate::traffic::dice::{Dice, mix};

/// The people, keys and addresses of one trial, and its lines. Times are milliseconds after its start;
/// those before it are its past.
pub(super) struct Cast<'c> {
    pub(super) config: &'c TrialsConfig,
    pub(super) tenant: String,
    pub(super) start: EventTime,
    pub(super) dice: Dice,
    pub(super) lines: Vec<Line>,
    /// How bad an alert may be where none is due.
    pub(super) allowed: Severity,
    number: usize,
    began: Option<EventTime>,
    ended: EventTime,
}

pub(super) const BROWSER: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:136.0) Gecko/20100101 Firefox/136.0";
pub(super) const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1";
pub(super) const BACKEND: &str = "partner-backend/2.14";

impl<'c> Cast<'c> {
    pub(super) fn new(config: &'c TrialsConfig, number: usize, tenant: String, start: EventTime) -> Self {
        Self {
            config,
            tenant,
            start,
            dice: Dice::new(mix(config.seed, number as u64)),
            lines: Vec::new(),
            allowed: Severity::Info,
            number,
            began: None,
            ended: EventTime::MIN,
        }
    }

    /// What the names of its users and keys hold.
    pub(super) fn tag(&self) -> String {
        format!("t{:04}", self.number)
    }

    /// What its addresses begin with. 240.0.0.0/4 belongs to nobody, so no trial accuses anybody.
    pub(super) fn network(&self) -> String {
        format!("{}.{}.", 240 + self.number / 256 % 15, self.number % 256)
    }

    pub(super) fn address(&self, net: i64, host: i64) -> String {
        format!("{}{net}.{}", self.network(), 1 + host % 250)
    }

    pub(super) fn user(&self, n: i64) -> String {
        format!("usr_{}u{n}", self.tag())
    }

    pub(super) fn key(&self, n: i64) -> String {
        format!("key_live_{}k{n}", self.tag())
    }

    /// A token as it is logged.
    pub(super) fn token(&self, n: i64) -> String {
        let chance = mix(self.config.seed, self.number as u64);
        format!("hmac256:k3:{:016x}{:016x}", mix(chance, n.cast_unsigned()), mix(chance, !n.cast_unsigned()))
    }

    /// Everything said from now on belongs to the trial, and not to its past.
    pub(super) fn begin(&mut self, after_ms: i64) {
        self.began = Some(self.start + after_ms);
    }

    /// When everything ends.
    pub(super) fn end(&self) -> i64 {
        (self.config.day + LENGTH_MS) - self.start
    }

    pub(super) fn began(&self) -> EventTime {
        self.began.unwrap_or(self.start)
    }

    pub(super) fn ended(&self) -> EventTime {
        self.ended
    }

    /// A line of the handshake log, which arrives at once.
    pub(super) fn say(&mut self, after_ms: i64, event: &str, members: Value) {
        self.say_stamped(after_ms, after_ms, event, members);
    }

    /// The same with a stamp of another time than that at which it arrives.
    pub(super) fn say_stamped(&mut self, after_ms: i64, stamped_ms: i64, event: &str, members: Value) {
        let mut said = json!({
            "v": 1,
            "ts": (self.start + stamped_ms).to_rfc3339(),
            "event": event,
            "env": "production",
            "partner_id": self.tenant,
        });
        merge(&mut said, members);
        self.write("handshake", after_ms, said.to_string());
    }

    /// A line of another feed.
    pub(super) fn write(&mut self, feed: &str, after_ms: i64, text: String) {
        let topic =
            LogTopic::new(&self.tenant, feed).expect("a trial's tenant and feeds are letters and digits");
        let time = self.start + after_ms;
        self.ended = self.ended.max(time);
        self.lines.push(Line { topic, time, bytes: text.into_bytes() });
    }

    /// A request as the edge's access log tells it.
    pub(super) fn request(&mut self, after_ms: i64, method: &str, path: &str, status: u16, from: &str) {
        let time = self.start + after_ms;
        let ms = time.millis();
        let said = json!({
            "time_iso8601": format!("{}+00:00", &time.to_rfc3339()[..19]),
            "msec": format!("{}.{:03}", ms / 1_000, ms % 1_000),
            "remote_addr": from,
            "request_method": method,
            "scheme": "https",
            "host": "api.usesticker.example",
            "request_uri": path,
            "server_protocol": "HTTP/2.0",
            "status": status.to_string(),
            "body_bytes_sent": "512",
            "request_time": "0.021",
            "http_user_agent": BROWSER,
            "request_id": format!("{:016x}", self.dice.roll()),
        });
        self.write("access", after_ms, said.to_string());
    }
}

/// Adds the members of one object to another; null takes one away.
pub(super) fn merge(said: &mut Value, members: Value) {
    let (Some(said), Value::Object(members)) = (said.as_object_mut(), members) else { return };
    for (name, value) in members {
        match value {
            Value::Null => drop(said.remove(&name)),
            value => drop(said.insert(name, value)),
        }
    }
}
