//! What is known of one API key, and what a use of it tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::observation::key_use::{DECLARED, OUTSIDE};
use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::classes::Class;
use super::config::KeyUseConfig;
use super::describe;
use super::finding::Finding;
use super::place::{NEW_FOR_MS, PlaceName, Places};
use crate::detector::AlertChanges;
use crate::episode::CELL_MS;
use crate::keyed::{Kept, Key};
use crate::seen::Seen;
use crate::witness::Witness;

/// Programs that people hold in their hands. A robot, or a library, is none.
const BROWSERS: [&str; 14] = [
    "Chrome",
    "Firefox",
    "Safari",
    "Edge",
    "Opera",
    "Samsung Internet",
    "Yandex Browser",
    "UC Browser",
    "Vivaldi",
    "DuckDuckGo",
    "Facebook",
    "Instagram",
    "Android WebView",
    "WebKit WebView",
];

/// What happens to keys begins with this.
const OF_KEYS: &str = "api_key.";
const REVOKED: &str = "api_key.revoked";
/// What normalization tells of the key in whose place another has come.
const REPLACED: &str = "api_key.replaced";

/// So many uses wait until what they mean is certain; of more, what is known then has to do.
const UNSURE_MAX: usize = 512;

/// What happened to a key: mostly that it was used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) witness: Arc<Witness>,
    pub(super) ingested_at: EventTime,
    pub(super) accepted: bool,
    /// It was revoked, not used.
    revokes: bool,
    /// Another came in its place; it was not used.
    replaces: bool,
    reason: Option<Box<str>>,
    env: Option<Box<str>>,
    pub(super) country: Option<Box<str>>,
    pub(super) asn: Option<i64>,
    pub(super) net: Option<Box<str>>,
    pub(super) agent: Option<Box<str>>,
    by_browser: bool,
    /// From where the partner declared that its calls come from.
    declared: bool,
    pub(super) outside: bool,
    pub(super) late: bool,
    /// The day that it is counted with.
    day: EventTime,
}

impl Use {
    /// Whether an observation tells of a use. That a key was made, or changed, is none.
    pub(super) fn is_one(o: &Observation<'_>) -> bool {
        let action = o.action.as_deref().unwrap_or_default();
        !action.starts_with(OF_KEYS) || matches!(action, REVOKED | REPLACED | "api_key.auth_failed")
    }

    /// What an observation tells.
    pub(super) fn new(o: &Observation<'_>, time: EventTime, watermark: EventTime) -> Self {
        let action = o.action.as_deref().unwrap_or("use");
        let (revokes, replaces) = (action == REVOKED, action == REPLACED);
        let reason = o.reason.as_deref();
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(Box::from);
        let outcome = o.outcome.as_deref().unwrap_or_default();
        let late = time < watermark;
        Self {
            witness: Arc::new(Witness::new(o, format!("{action} {outcome} {}", reason.unwrap_or_default()))),
            ingested_at: o.ingest_time.unwrap_or_default(),
            accepted: outcome == "success" && !revokes && !replaces,
            revokes,
            replaces,
            reason: text(&o.reason),
            env: text(&o.env),
            country: text(&o.src_country),
            asn: o.src_asn,
            net: text(&o.src_net),
            agent: text(&o.ua_family),
            by_browser: is_by_browser(o),
            declared: o.key_use == Some(DECLARED),
            outside: o.key_use == Some(OUTSIDE),
            late,
            // A day that is over was told; what comes after it is told with the day on which it comes.
            day: if late { watermark } else { time }.floor(CELL_MS),
        }
    }

    pub(super) fn time(&self) -> EventTime {
        self.witness.time
    }

    pub(super) fn is_sandbox(&self) -> bool {
        self.env.as_deref() == Some("sandbox")
    }

    fn is_refused_as(&self, reasons: &[&str]) -> bool {
        !self.accepted && self.reason.as_deref().is_some_and(|reason| reasons.contains(&reason))
    }
}

/// Whether a browser made the call. Where a token is issued the origin is that of the page that will hold
/// the iframe, which the backend may well name.
fn is_by_browser(o: &Observation<'_>) -> bool {
    let is_issue = o.action.as_deref().is_some_and(|action| action.starts_with("session_token."));
    let says_origin = o.origin_host.is_some() && !is_issue;
    says_origin || o.ua_family.as_deref().is_some_and(|agent| BROWSERS.contains(&agent))
}

/// What is known of a key.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ApiKey {
    pub(super) seen: Seen,
    /// When it was first accepted.
    began: Option<EventTime>,
    /// The environment of the first use that says one, and when that was.
    home: Option<(EventTime, Box<str>)>,
    /// Accepted uses before the watermark, no more than have to be known.
    uses: u32,
    /// When it was used since, while there are fewer.
    since: BTreeMap<EventTime, u32>,
    last: EventTime,
    revoked_at: Option<EventTime>,
    /// When another came in its place.
    replaced_at: Option<EventTime>,
    places: Places,
    /// Accepted uses of which it is not certain yet what they mean.
    unsure: Vec<Use>,
    findings: BTreeMap<(Class, EventTime), Finding>,
}

impl Kept for ApiKey {
    fn rank(&self) -> u8 {
        match self.open() {
            0 => u8::from(!self.findings.is_empty()),
            _ => 2,
        }
    }
}

impl ApiKey {
    /// How many alerts are open.
    pub(super) fn open(&self) -> u64 {
        let told = self.findings.values().filter(|finding| finding.told.is_told()).count();
        told as u64 + self.places.told()
    }

    /// Whether a use is like all that came before it: accepted, from known places, in the key's own
    /// environment. Then that is noted, and nothing more is to be done.
    pub(super) fn is_as_ever(
        &mut self,
        o: &Observation<'_>,
        watermark: EventTime,
        config: &KeyUseConfig,
    ) -> bool {
        let Some(time) = o.time.filter(|time| *time >= watermark) else { return false };
        let is_of_home = match (&self.home, o.env.as_deref()) {
            (Some((since, home)), Some(env)) => **home == *env && *since < watermark,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        let is_plain = o.outcome.as_deref() == Some("success")
            && !o.action.as_deref().is_some_and(|action| action.starts_with(OF_KEYS))
            && !is_by_browser(o)
            && self.uses >= config.history_uses
            && self.revoked_at.is_none()
            && self.replaced_at.is_none()
            && watermark >= time - config.revoked_grace_ms;
        if !is_plain || !is_of_home || (o.key_use != Some(DECLARED) && !self.places.knows(o, time)) {
            return false;
        }
        self.last = self.last.max(time);
        true
    }

    /// Takes in what happened, which is news.
    pub(super) fn add(&mut self, found: &Use, watermark: EventTime, config: &KeyUseConfig) {
        self.last = self.last.max(found.time());
        if found.revokes {
            self.revoked_at = Some(self.revoked_at.map_or(found.time(), |known| known.min(found.time())));
            return;
        }
        if found.replaces {
            self.replaced_at = Some(self.replaced_at.map_or(found.time(), |known| known.min(found.time())));
            return;
        }
        if found.by_browser {
            self.finding(Class::UsedInBrowser, found);
        }
        if found.is_refused_as(&["revoked_key", "revoked"]) {
            self.finding(Class::RevokedUse, found);
        }
        if found.is_refused_as(&["wrong_env"]) {
            self.finding(Class::EnvMixup, found);
        }
        if !found.accepted {
            return;
        }
        let began = self.began.map_or(found.time(), |began| began.min(found.time()));
        self.began = Some(began);
        if let Some(env) = &found.env
            && self.home.as_ref().is_none_or(|(since, home)| (found.time(), env) < (*since, home))
            && !found.late
        {
            self.home = Some((found.time(), env.clone()));
        }
        if self.uses < config.history_uses {
            *self.since.entry(found.time()).or_default() += 1;
            // Whether there were as many before a moment, the earliest of them tell.
            if self.since.len() > config.history_uses as usize {
                self.since.pop_last();
            }
        }
        if !found.declared {
            self.places.add(found, found.time() - began >= config.history_ms);
        }
        if !self.judge(found, watermark, config) {
            self.unsure.push(found.clone());
            if self.unsure.len() > UNSURE_MAX {
                let oldest = self.unsure.remove(0);
                self.judge(&oldest, EventTime(i64::MAX), config);
            }
        }
    }

    fn finding(&mut self, class: Class, found: &Use) {
        self.findings.entry((class, found.day)).or_default().add(found);
    }

    /// What an accepted use means by what was before it; false if that is not certain yet.
    fn judge(&mut self, found: &Use, watermark: EventTime, config: &KeyUseConfig) -> bool {
        let allowed = found.time() - config.revoked_grace_ms;
        let knows_home = self.home.as_ref().is_none_or(|(since, _)| watermark > *since);
        if watermark < allowed || !knows_home {
            return false;
        }
        if self.revoked_at.is_some_and(|revoked_at| revoked_at <= allowed) {
            self.finding(Class::RevokedUse, found);
        } else if self.replaced_at.is_some_and(|at| at + config.rotation_overlap_ms <= found.time()) {
            self.finding(Class::RotationOverlap, found);
        }
        if let (Some((_, home)), Some(env)) = (&self.home, &found.env)
            && home != env
        {
            self.finding(Class::EnvMixup, found);
        }
        true
    }

    /// Event time has come this far.
    pub(super) fn settle(&mut self, up_to: EventTime, config: &KeyUseConfig) {
        for found in std::mem::take(&mut self.unsure) {
            if !self.judge(&found, up_to, config) {
                self.unsure.push(found);
            }
        }
        self.judge_places(up_to, config);
        let since = self.since.split_off(&up_to);
        let before: u32 = std::mem::replace(&mut self.since, since).into_values().sum();
        self.uses = self.uses.saturating_add(before).min(config.history_uses);
        if self.uses == config.history_uses {
            self.since.clear();
        }
    }

    /// Judges places by what was before they were first seen, as far as that is certain.
    fn judge_places(&mut self, watermark: EventTime, config: &KeyUseConfig) {
        let Some(began) = self.began else { return };
        let (uses, since) = (self.uses, &self.since);
        self.places.judge(|place, first| {
            if watermark > first {
                let before = uses.saturating_add(since.range(..first).map(|(_, times)| times).sum());
                return Some(before >= config.history_uses && first - began >= config.history_ms);
            }
            // Of a country that is certain at its first use, whatever is still to come. What lies in a country
            // is told of by itself only if that is not new, and which country that is its first use says.
            let is_country = matches!(place, PlaceName::Country(_));
            let has_past = uses >= config.history_uses && watermark - began >= config.history_ms;
            (is_country && has_past).then_some(true)
        });
    }

    /// Tells what there is to tell. Says when there may be more.
    pub(super) fn tell(
        &mut self,
        key: &Key,
        now: EventTime,
        watermark: EventTime,
        config: &KeyUseConfig,
        alerts: &mut AlertChanges,
    ) -> Option<EventTime> {
        self.judge_places(watermark, config);
        let mut wake = self.last + config.memory_ms;
        for (&(class, day), finding) in &mut self.findings {
            let is_open = watermark < day + CELL_MS;
            wake = wake.min(day + CELL_MS);
            if finding.tally.count >= describe::least(class, config) {
                let mut told = finding.told;
                let alert = || Some(describe::daily(key, class, day, finding, is_open, config));
                let severity = describe::severity(class, finding, config);
                wake =
                    told.tell(severity, alert, now, is_open, alerts).into_iter().fold(wake, EventTime::min);
                finding.told = told;
            }
        }
        self.findings.retain(|(_, day), _| watermark < *day + CELL_MS);
        for (name, place) in self.places.news() {
            let (first, is_open) = (place.first, watermark < place.first + NEW_FOR_MS);
            // An earlier use could still carry it into another day, and so give it another id.
            let is_certain = watermark > first || watermark >= first.floor(CELL_MS);
            let Some(news) = place.news.as_mut().filter(|news| news.tally.count >= config.uses_min) else {
                continue;
            };
            if !is_certain {
                wake = wake.min(first + 1);
                continue;
            }
            let mut told = news.told;
            let alert = || Some(describe::new_place(key, name, first, news, is_open, config));
            let severity = describe::severity(name.class(), news, config);
            wake = told.tell(severity, alert, now, is_open, alerts).into_iter().fold(wake, EventTime::min);
            news.told = told;
        }
        self.places.settle(watermark, watermark - config.memory_ms);
        let unsure = self.unsure.iter().map(|found| found.time() - config.revoked_grace_ms).min();
        let home = self.home.as_ref().filter(|_| !self.unsure.is_empty()).map(|(since, _)| *since + 1);
        let since = self.since.first_key_value().map(|(time, _)| *time + 1);
        let open = self.places.first_open().map(|first| first + 1);
        let due = [unsure.max(home), since, open, self.places.first_settled()];
        Some(due.into_iter().flatten().fold(wake, EventTime::min))
    }

    /// Whether nothing was heard of it for so long that it may be forgotten.
    pub(super) fn is_idle(&self, up_to: EventTime, config: &KeyUseConfig) -> bool {
        up_to >= self.last + config.memory_ms && self.open() == 0
    }
}
