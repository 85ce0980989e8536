//! Where the event's time stands, and how it is written.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDateTime};
use event::EventTime;

use super::CHOICE;
use super::paths::Paths;
use crate::schema::SchemaError;
use crate::schema::reader::Entry;
use crate::stamp::StampFormat;
use crate::zone::Zone;

/// Where the event's time stands.
#[derive(Debug)]
pub(crate) struct TimeRule {
    /// Nowhere where lines have no stamp, and the time of their arrival has to do.
    pub(crate) from: Vec<(usize, String)>,
    formats: Vec<Format>,
    zone: Option<Zone>,
    /// Whether a line without a stamp counts as of its arrival, and is flagged.
    pub(crate) or_arrival: bool,
    /// Whether two events never are equal to the last byte, their stamps being finer than a second.
    pub(crate) precise: bool,
}

/// One way to write a stamp.
#[derive(Debug)]
enum Format {
    Known(StampFormat),
    /// As `strftime` has it.
    Pattern {
        pattern: String,
        has_zone: bool,
    },
}

impl Format {
    fn read(&self, text: &str, zone: Option<Zone>, near: EventTime) -> Option<EventTime> {
        match self {
            Self::Known(format) => format.read(text, zone, near),
            Self::Pattern { pattern, has_zone: true } => {
                let time = DateTime::parse_from_str(text, pattern).ok()?;
                Some(EventTime(time.timestamp_millis()))
            }
            Self::Pattern { pattern, has_zone: false } => {
                let local = NaiveDateTime::parse_from_str(text, pattern).ok()?;
                zone?.event_time(local.and_utc().timestamp_millis(), near)
            }
        }
    }
}

/// From the start of 2000 to the end of 2100, in milliseconds since 1970.
const OUR_TIME_MS: std::ops::Range<i64> = 946_684_800_000..4_133_980_800_000;

/// Whether a moment lies between 2000 and 2100, where logs are from.
pub(crate) fn is_in_our_time(time: EventTime) -> bool {
    OUR_TIME_MS.contains(&time.millis())
}

impl TimeRule {
    /// The moment that a stamp means. A number may be of seconds or of nanoseconds, and only one of
    /// these lies in our time; where none does, it is the last that was tried.
    pub(crate) fn moment(&self, text: &str, near: EventTime) -> Option<EventTime> {
        let readings = self.formats.iter().filter_map(|format| format.read(text, self.zone, near));
        readings.reduce(|one, other| if is_in_our_time(one) { one } else { other })
    }

    pub(super) fn read(entry: Entry<'_>, paths: &Paths) -> Result<Self, SchemaError> {
        if !entry.is_mapping() {
            entry.one_of("time", &[("arrival", ())])?;
            return Ok(Self {
                from: Vec::new(),
                formats: Vec::new(),
                zone: None,
                or_arrival: false,
                precise: false,
            });
        }
        let members = entry.members()?;
        members.only(&["from", "formats", "zone", "missing", "precise"])?;
        let from = members.need("from", "name the field that holds the time", |from| from.texts())?;
        let formats =
            members.need("formats", "list how the time may be written", |formats| formats.items(format))?;
        let zone = members.get("zone", |zone| {
            let cure = "write UTC, an offset such as \"+01:00\" or a place such as Europe/Berlin";
            Zone::parse(&zone.text()?).ok_or_else(|| zone.wrong("not a zone", cure))
        })?;
        let from =
            from.into_iter().map(|path| (paths.slot(&path).expect("its path was collected"), path)).collect();
        let precise = members.get("precise", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(false);
        let or_arrival = members.get("missing", |entry| entry.one_of("time", &[("arrival", true)]))?;
        Ok(Self { from, formats, zone, or_arrival: or_arrival.unwrap_or(false), precise })
    }
}

fn format(item: Entry<'_>) -> Result<Format, SchemaError> {
    let text = item.text()?;
    if !text.contains('%') {
        return item.one_of("time format", &StampFormat::NAMES).map(Format::Known);
    }
    let cure = "write one as strftime has it, e.g. \"%d.%m.%Y %H:%M:%S\"";
    let items: Vec<Item<'_>> = StrftimeItems::new(&text).collect();
    if items.contains(&Item::Error) {
        return Err(item.wrong("not a time format", cure));
    }
    // A stamp of its own making says whether the pattern names a whole moment.
    let sample = DateTime::UNIX_EPOCH.format(&text).to_string();
    let has_zone = ["%z", "%:z", "%#z", "%+", "%s"].iter().any(|zone| text.contains(zone));
    let is_whole = match has_zone {
        true => DateTime::parse_from_str(&sample, &text).is_ok(),
        false => NaiveDateTime::parse_from_str(&sample, &text).is_ok(),
    };
    if !is_whole {
        return Err(item.wrong("a time format that does not say year, month, day, hour and minute", cure));
    }
    Ok(Format::Pattern { pattern: text, has_zone })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::day_ms;

    #[test]
    fn our_time_is_a_century_and_a_year() {
        assert_eq!(Some(OUR_TIME_MS.start), day_ms(2000, 1, 1));
        assert_eq!(Some(OUR_TIME_MS.end), day_ms(2101, 1, 1));
    }
}
