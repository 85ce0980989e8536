//! The names of one key's episodes: the day in which one began, and which it is in that day. A
//! key's day begins at a minute of its own.

use event::EventTime;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// The name of each episode of one rule on a key, by their starts in order: `20260314T0917`, or
/// `20260314T0917.1` for the second of the day.
pub(super) fn of(key: &[&str], starts: &[EventTime]) -> Vec<String> {
    let midnight_ms = (hash(key) % DAY_MS as u64) as i64 / MINUTE_MS * MINUTE_MS;
    let day_of = |start: &EventTime| (*start - midnight_ms).floor(DAY_MS) + midnight_ms;
    let days: Vec<_> = starts.iter().map(day_of).collect();
    let earlier = |n: usize| days[..n].iter().filter(|day| **day == days[n]).count();
    let name = |n: usize| match earlier(n) {
        0 => compact(days[n]),
        ordinal => format!("{}.{ordinal}", compact(days[n])),
    };
    (0..days.len()).map(name).collect()
}

/// `20260314T0917` of `2026-03-14T09:17:00.000Z`.
pub(super) fn compact(time: EventTime) -> String {
    time.to_rfc3339()[..16].replace(['-', ':'], "")
}

/// FNV-1a over the parts, each ended by `ff`, and two rounds of mixing: ids outlive every process,
/// so this is as fixed as a file format.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}
