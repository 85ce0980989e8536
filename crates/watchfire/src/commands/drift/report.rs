//! One feed and source: what is known of how it is read, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use event::EventTime;
use serde_json::{Value, json};

use super::{Name, needs};

/// How many of a list are printed.
const SHOWN: usize = 8;

/// What came of one feed by one source.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Events, and how many of them have what detectors need.
    pub(super) seen: BTreeMap<String, u64>,
    /// Lines by why they were rejected.
    pub(super) rejects: BTreeMap<String, u64>,
    pub(super) flags: BTreeMap<String, u64>,
    /// Fields that no column holds: in how many events, and since when, in seconds since 1970.
    pub(super) fields: BTreeMap<String, (u64, i64)>,
}

impl Feed {
    fn events(&self) -> u64 {
        self.seen.get("events").copied().unwrap_or(0)
    }

    fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    /// The fields that were first seen since or before, the commonest first.
    fn fields(&self, new_since: EventTime, are_new: bool) -> Vec<(&str, u64)> {
        // What a collector put around the line is no field of it.
        let fields = self.fields.iter().filter(|(name, _)| !name.starts_with("wrapper."));
        let wanted = fields.filter(|(_, (_, first))| (first * 1_000 >= new_since.millis()) == are_new);
        by_count(wanted.map(|(name, (lines, _))| (name.as_str(), *lines)))
    }

    pub(super) fn to_text(&self, name: &Name, new_since: EventTime) -> String {
        let (tenant, feed, source) = name;
        let (events, rejected) = (self.events(), self.rejected());
        let mut text = format!(
            "{tenant}/{feed} {source}: {events} events, {rejected} rejects ({})\n",
            share(rejected, events + rejected)
        );
        for (title, counts) in [
            ("rejected", by_count(self.rejects.iter().map(|(reason, lines)| (reason.as_str(), *lines)))),
            ("flagged", by_count(self.flags.iter().map(|(flag, lines)| (flag.as_str(), *lines)))),
            ("new fields", self.fields(new_since, true)),
            ("other fields", self.fields(new_since, false)),
        ] {
            if counts.is_empty() {
                continue;
            }
            let whole = if title == "rejected" { events + rejected } else { events };
            let shown: Vec<String> = counts
                .iter()
                .take(SHOWN)
                .map(|(name, lines)| format!("{name} {}", share(*lines, whole)))
                .collect();
            let more = counts.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(text, "  {title:<13}{}{more}", shown.join(", "))
                .expect("writing to a string does not fail");
        }
        for (column, why) in needs::unmet(&self.seen) {
            writeln!(text, "  {:<13}{column}: {why}", "never seen")
                .expect("writing to a string does not fail");
        }
        text
    }

    pub(super) fn to_json(&self, name: &Name, new_since: EventTime) -> Value {
        let (tenant, feed, source) = name;
        let (events, rejected) = (self.events(), self.rejected());
        let counts = |counts: Vec<(&str, u64)>| -> Value {
            counts
                .into_iter()
                .map(|(name, lines)| (name.to_owned(), lines.into()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let never_seen: Vec<Value> = needs::unmet(&self.seen)
            .into_iter()
            .map(|(column, why)| json!({"column": column, "why": why}))
            .collect();
        json!({
            "tenant": tenant,
            "feed": feed,
            "source_format": source,
            "events": events,
            "rejects": rejected,
            "reject_share": rejected as f64 / (events + rejected).max(1) as f64,
            "rejected": self.rejects,
            "flagged": self.flags,
            "new_fields": counts(self.fields(new_since, true)),
            "other_fields": counts(self.fields(new_since, false)),
            "never_seen": never_seen,
        })
    }
}

fn by_count<'c>(counts: impl Iterator<Item = (&'c str, u64)>) -> Vec<(&'c str, u64)> {
    let mut sorted: Vec<_> = counts.collect();
    sorted.sort_by_key(|(name, lines)| (std::cmp::Reverse(*lines), *name));
    sorted
}

/// A share in per cent, so that a single one in a million is not none.
fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if part > 0 && percent < 0.1 { format!("{part} of {whole}") } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Feed {
        let counts =
            |counts: &[(&str, u64)]| counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        Feed {
            seen: counts(&[("events", 96), ("requests", 96), ("route", 96)]),
            rejects: counts(&[("unknown_format", 4)]),
            flags: counts(&[("bad_ip", 24)]),
            fields: [("upstream", (96, 10)), ("ja3", (3, 2_000)), ("wrapper.cri", (96, 10))]
                .map(|(name, seen)| (name.to_owned(), seen))
                .into(),
        }
    }

    #[test]
    fn a_feed_tells_what_is_not_understood_and_what_is_new() {
        let name = ("prt_acme".to_owned(), "edge".to_owned(), "nginx_json".to_owned());
        let text = feed().to_text(&name, EventTime(1_000_000));
        assert_eq!(
            text,
            "prt_acme/edge nginx_json: 96 events, 4 rejects (4.0 %)\n  \
               rejected     unknown_format 4.0 %\n  \
               flagged      bad_ip 25.0 %\n  \
               new fields   ja3 3.1 %\n  \
               other fields upstream 100.0 %\n  \
               never seen   status: refusals are not told from requests that were served\n"
        );
        let json = feed().to_json(&name, EventTime(1_000_000));
        assert_eq!((&json["new_fields"]["ja3"], &json["reject_share"]), (&3.into(), &0.04.into()));
        assert_eq!(json["never_seen"][0]["column"], "status");
    }

    #[test]
    fn few_of_many_are_counted() {
        assert_eq!((share(1, 1_000_000).as_str(), share(0, 0).as_str()), ("1 of 1000000", "0.0 %"));
    }
}
