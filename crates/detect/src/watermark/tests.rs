use event::{EventTime, SourceProgress};

use super::*;

const MINUTE: i64 = 60_000;

fn at(source: &str, event_ms: i64, broker_ms: i64) -> SourceProgress {
    SourceProgress {
        source: source.into(),
        event_time_max: EventTime(event_ms),
        broker_time: EventTime(broker_ms),
    }
}

fn advance(watermarks: &mut Watermarks, progress: &[SourceProgress], record_ms: i64) -> Option<i64> {
    watermarks.advance(progress, EventTime(record_ms), &WatermarkConfig::default());
    watermarks.current().map(EventTime::millis)
}

#[test]
fn the_slowest_source_decides_and_the_watermark_never_moves_back() {
    let mut w = Watermarks::default();
    assert_eq!(advance(&mut w, &[], 0), None);
    assert_eq!(
        advance(&mut w, &[at("a", 600_000, 600_000), at("b", 300_000, 600_000)], 600_000),
        Some(180_000)
    );
    assert_eq!(
        advance(&mut w, &[at("a", 660_000, 660_000), at("b", 420_000, 660_000)], 660_000),
        Some(300_000)
    );
    assert_eq!(advance(&mut w, &[at("c", 0, 660_000)], 661_000), Some(300_000));
}

#[test]
fn a_source_that_stands_still_stops_holding_the_others_back() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0)], 0);
    for second in 1..60 {
        assert_eq!(
            advance(&mut w, &[at("a", second * 1_000, second * 1_000)], second * 1_000),
            Some(-2 * MINUTE)
        );
    }
    assert_eq!(advance(&mut w, &[at("a", MINUTE, MINUTE)], MINUTE), Some(-MINUTE));
}

#[test]
fn ticks_close_windows_when_every_source_is_idle() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0)], 0);
    assert_eq!(advance(&mut w, &[], 59_000), Some(-2 * MINUTE));
    assert_eq!(advance(&mut w, &[at("a", 0, 0)], 10 * MINUTE), Some(8 * MINUTE));
    assert_eq!(advance(&mut w, &[], 11 * MINUTE), Some(9 * MINUTE));
}

#[test]
fn a_backlog_is_not_idleness() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0)], 0);
    // Nobody ran for ten minutes; then one partition is read far ahead of the other.
    assert_eq!(advance(&mut w, &[at("a", 10 * MINUTE, 10 * MINUTE)], 10 * MINUTE), Some(-2 * MINUTE));
    assert_eq!(advance(&mut w, &[at("b", 5 * MINUTE, 5 * MINUTE)], 10 * MINUTE + 500), Some(3 * MINUTE));
}

#[test]
fn a_clock_far_ahead_of_the_broker_does_not_move_event_time() {
    let mut w = Watermarks::default();
    assert_eq!(advance(&mut w, &[at("a", i64::MAX / 2, MINUTE)], MINUTE), Some(4 * MINUTE));
}
