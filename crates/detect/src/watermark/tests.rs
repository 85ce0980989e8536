use event::{EventTime, SourceProgress};

use super::*;

const MINUTE: i64 = 60_000;

/// Progress of one of prt_acme's sources, or of the source of that whole name.
fn at(source: &str, event_ms: i64, broker_ms: i64) -> SourceProgress {
    let source = if source.len() == 1 { format!("logs.prt_acme.{source}/0") } else { source.to_owned() };
    SourceProgress::read(source, EventTime(event_ms), EventTime(broker_ms))
}

fn announced(source: &str) -> SourceProgress {
    SourceProgress::announced(at(source, 0, 0).source)
}

/// Somebody vouches that all of it is read.
fn at_end(source: &str) -> SourceProgress {
    SourceProgress::at_end(at(source, 0, 0).source)
}

fn advance(watermarks: &mut Watermarks, progress: &[SourceProgress], record_ms: i64) -> Option<i64> {
    watermarks.advance(progress, EventTime(record_ms), &WatermarkConfig::default());
    watermarks.of("prt_acme").map(EventTime::millis)
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
fn a_silent_source_stops_holding_the_others_back_once_somebody_vouches_for_its_silence() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0)], 0);
    for second in 1..60 {
        let progress = [at("a", second * 1_000, second * 1_000), at_end("b")];
        assert_eq!(advance(&mut w, &progress, second * 1_000), Some(-2 * MINUTE));
    }
    assert_eq!(advance(&mut w, &[at("a", MINUTE, MINUTE), at_end("b")], MINUTE), Some(-MINUTE));
}

#[test]
fn what_nobody_reads_is_not_silent() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0), at_end("b")], 0);
    for minute in 1..9 {
        let progress = [at("a", minute * MINUTE, minute * MINUTE)];
        assert_eq!(advance(&mut w, &progress, minute * MINUTE), Some(-2 * MINUTE), "minute {minute}");
    }
    assert_eq!(advance(&mut w, &[at("b", MINUTE, 8 * MINUTE)], 9 * MINUTE), Some(-MINUTE));
}

#[test]
fn a_silence_that_nobody_vouches_for_any_more_holds_the_watermark() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0)], 0);
    assert_eq!(advance(&mut w, &[at("a", MINUTE, MINUTE), at_end("b")], MINUTE), Some(-MINUTE));
    // The owner of b is gone.
    assert_eq!(advance(&mut w, &[at("a", 2 * MINUTE, 2 * MINUTE)], 2 * MINUTE), Some(0));
    for minute in 3..6 {
        assert_eq!(advance(&mut w, &[at("a", minute * MINUTE, minute * MINUTE)], minute * MINUTE), Some(0));
    }
    // Another takes over, and finds nothing.
    let progress = [announced("a"), announced("b"), at("a", 6 * MINUTE, 6 * MINUTE)];
    assert_eq!(advance(&mut w, &progress, 6 * MINUTE), Some(0));
    assert_eq!(advance(&mut w, &[at_end("b")], 6 * MINUTE + 1), Some(4 * MINUTE));
}

#[test]
fn a_source_that_nobody_ever_reads_again_is_left_out_in_the_end() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0)], 0);
    let halves =
        (1..=20).map(|half| advance(&mut w, &[at("a", half * 30_000, half * 30_000)], half * 30_000));
    assert_eq!(halves.last(), Some(Some(8 * MINUTE)));
}

#[test]
fn a_hole_in_the_records_does_not_make_a_source_one_that_nobody_reads() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0)], 0);
    let day = 24 * 60 * MINUTE;
    assert_eq!(advance(&mut w, &[at("a", day, day)], day), Some(-2 * MINUTE));
}

#[test]
fn a_source_of_which_nothing_can_be_read_does_not_hold_the_others_back() {
    let mut w = Watermarks::default();
    for second in 0..60 {
        let garbage = at("b", i64::MIN, second * 1_000);
        assert_eq!(
            advance(&mut w, &[at("a", second * 1_000, second * 1_000), garbage], second * 1_000),
            None
        );
    }
    let garbage = at("b", i64::MIN, MINUTE);
    assert_eq!(advance(&mut w, &[at("a", MINUTE, MINUTE), garbage], MINUTE), Some(-MINUTE));
}

#[test]
fn windows_close_while_every_source_is_known_to_be_silent() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0)], 0);
    assert_eq!(advance(&mut w, &[at_end("a")], 59_000), Some(-2 * MINUTE));
    assert_eq!(advance(&mut w, &[at("a", 0, 0), at_end("a")], 10 * MINUTE), Some(8 * MINUTE));
    assert_eq!(advance(&mut w, &[], 11 * MINUTE), Some(8 * MINUTE), "nobody says so");
    assert_eq!(advance(&mut w, &[at_end("a")], 12 * MINUTE), Some(10 * MINUTE));
}

#[test]
fn a_silent_tenant_does_not_wait_for_a_source_that_is_gone() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0), at_end("b")], 0);
    let silence = (1..=60).map(|half| advance(&mut w, &[at_end("a")], half * 30_000));
    assert_eq!(silence.last(), Some(Some(28 * MINUTE)));
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
fn a_clock_ahead_of_the_broker_does_not_make_its_neighbours_late() {
    let mut w = Watermarks::default();
    assert_eq!(advance(&mut w, &[at("a", i64::MAX / 2, MINUTE)], MINUTE), Some(-MINUTE));
    assert_eq!(advance(&mut w, &[at("a", 6 * MINUTE, 2 * MINUTE)], 2 * MINUTE), Some(0));
}

#[test]
fn one_partners_lagging_source_does_not_hold_another_partner_back() {
    let mut w = Watermarks::default();
    let (fast, slow) = ("logs.fast.auth/0", "logs.slow.auth/0");
    for minute in 0..30 {
        let progress = [at(fast, minute * MINUTE, minute * MINUTE), at(slow, minute, minute * MINUTE)];
        w.advance(&progress, EventTime(minute * MINUTE), &WatermarkConfig::default());
    }
    assert_eq!(w.of("fast"), Some(EventTime(27 * MINUTE)));
    assert_eq!(w.of("slow"), Some(EventTime(29 - 2 * MINUTE)));
    assert_eq!(w.slowest(&WatermarkConfig::default()), w.of("slow"));
    assert_eq!(w.event_time_max(), Some(EventTime(29 * MINUTE)));
}

#[test]
fn a_source_without_a_partner_is_a_tenant_of_its_own() {
    let mut w = Watermarks::default();
    let moved = w.advance(
        &[at("a", MINUTE, MINUTE), at("elsewhere", 0, MINUTE), at("logs.x/0", 0, MINUTE)],
        EventTime(MINUTE),
        &WatermarkConfig::default(),
    );
    assert_eq!(moved, [Tenant::parse("elsewhere").unwrap(), Tenant::parse("prt_acme").unwrap()]);
    assert_eq!(w.of("prt_acme"), Some(EventTime(-MINUTE)));
}

#[test]
fn a_source_that_is_announced_but_not_read_holds_the_watermark() {
    let mut w = Watermarks::default();
    assert_eq!(advance(&mut w, &[announced("b"), at("a", 10 * MINUTE, 10 * MINUTE)], 10 * MINUTE), None);
    assert_eq!(advance(&mut w, &[at("a", 11 * MINUTE, 11 * MINUTE)], 10 * MINUTE + 1), None);
    assert_eq!(advance(&mut w, &[at("b", 4 * MINUTE, 4 * MINUTE)], 10 * MINUTE + 2), Some(2 * MINUTE));
}

#[test]
fn a_late_announcement_stops_the_watermark_and_never_moves_it_back() {
    let mut w = Watermarks::default();
    assert_eq!(advance(&mut w, &[at("a", 10 * MINUTE, 10 * MINUTE)], 10 * MINUTE), Some(8 * MINUTE));
    assert_eq!(
        advance(&mut w, &[announced("b"), at("a", 11 * MINUTE, 11 * MINUTE)], 11 * MINUTE),
        Some(8 * MINUTE)
    );
    assert_eq!(
        advance(&mut w, &[at("b", 10 * MINUTE + 1, 10 * MINUTE + 1)], 11 * MINUTE + 1),
        Some(8 * MINUTE + 1)
    );
}

#[test]
fn an_announced_source_that_holds_nothing_becomes_idle() {
    let mut w = Watermarks::default();
    for second in 0..60 {
        let now = 10 * MINUTE + second * 1_000;
        assert_eq!(advance(&mut w, &[announced("b"), at_end("b"), at("a", now, now)], now), None);
    }
    let progress = [at_end("b"), at("a", 11 * MINUTE, 11 * MINUTE)];
    assert_eq!(advance(&mut w, &progress, 11 * MINUTE), Some(9 * MINUTE));
}

#[test]
fn a_tenant_that_is_heard_of_again_waits_for_all_of_its_sources() {
    let mut w = Watermarks::default();
    advance(&mut w, &[at("a", 0, 0), at("b", 0, 0), at("c", 0, 0)], 0);
    let silent = [at_end("a"), at_end("b"), at_end("c")];
    assert_eq!(advance(&mut w, &silent, 10 * MINUTE), Some(8 * MINUTE), "all are silent");
    // Shippers send what they had kept back, and one partition is read before the others.
    let now = 10 * MINUTE + 30_000;
    assert_eq!(advance(&mut w, &[at("a", 10 * MINUTE + 1, now)], now), Some(8 * MINUTE));
    assert_eq!(advance(&mut w, &[at("b", 9 * MINUTE, now)], now + 1), Some(8 * MINUTE), "c may hold some");
    assert_eq!(advance(&mut w, &[at("b", 10 * MINUTE + 1, now)], now + 2), Some(8 * MINUTE));
    assert_eq!(advance(&mut w, &[at_end("c")], now + 3), Some(8 * MINUTE + 1));
}
