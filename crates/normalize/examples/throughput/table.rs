//! The figures as a table for people, and as lines for programs.

use std::fmt::Write;

use serde_json::json;

use crate::Options;
use crate::measure::Figures;

const MEGABYTE: f64 = 1e6;

/// A row a format.
pub(crate) fn markdown(all: &[(String, Figures)], options: &Options) -> String {
    let mut table = format!(
        "One core, {} lines a round, the median of {} rounds. CPU seconds are for a million events: of lines \
         that are recognised by what they hold (events/s and MB/s are theirs), of lines whose record names \
         their source, and of parsing the lines alone. What is written are the bytes of an event and of \
         its observations as Arrow, before they are compressed. Resident memory is that before the first round \
         and after the last.\n\n",
        options.lines, options.rounds
    );
    table.push_str(
        "| format | bytes/line | recognised, CPU s/M | events/s | MB/s | named, CPU s/M | parse only, CPU s/M \
         | recognised ÷ parse | written, bytes/line | resident MB |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (name, it) in all {
        let (before, after) = (it.resident.0 as f64 / MEGABYTE, it.resident.1 as f64 / MEGABYTE);
        writeln!(
            table,
            "| {name} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} + {:.0} | {before:.1} → {after:.1} |",
            it.bytes_a_line,
            it.recognised,
            1e6 / it.recognised,
            it.megabytes_per_second,
            it.named,
            it.parsed,
            it.recognised / it.parsed,
            it.written.0,
            it.written.1,
        )
        .expect("writing to a string does not fail");
    }
    table
}

/// An object a format.
pub(crate) fn json(all: &[(String, Figures)]) -> String {
    let object = |(name, it): &(String, Figures)| {
        let object = json!({
            "format": name,
            "bytes_per_line": it.bytes_a_line,
            "recognised_cpu_seconds_per_million": it.recognised,
            "events_per_second": 1e6 / it.recognised,
            "megabytes_per_second": it.megabytes_per_second,
            "named_cpu_seconds_per_million": it.named,
            "parse_cpu_seconds_per_million": it.parsed,
            "event_bytes_per_line": it.written.0,
            "observation_bytes_per_line": it.written.1,
            "resident_bytes": [it.resident.0, it.resident.1],
        });
        format!("{object}\n")
    };
    all.iter().map(object).collect()
}
