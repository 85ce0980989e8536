//! How fast traffic is made: lines and bytes a second on one core.

use std::time::Instant;

use testkit::traffic::{Attacks, Traffic, TrafficConfig};

fn main() {
    for events_per_second in [50.0, 5_000.0] {
        let config =
            TrafficConfig { events_per_second, attacks: Attacks::default_some(), ..TrafficConfig::default() };
        let began = Instant::now();
        let (lines, bytes) =
            Traffic::new(config).take(2_000_000).fold((0, 0), |(n, b), line| (n + 1, b + line.bytes.len()));
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{events_per_second} events/s of event time: {:.0} lines/s, {:.0} MB/s, {:.0} bytes a line",
            f64::from(lines) / seconds,
            bytes as f64 / seconds / 1e6,
            bytes as f64 / f64::from(lines)
        );
    }
}
