//! Promises that hold for the engine as a whole, whatever the detector.

mod against_the_oracle;

pub(crate) use against_the_oracle::{cases, verdict};

use event::SourceProgress;
use expect_test::expect;
use proptest::prelude::*;

use crate::testing::{Bench, Owned, assert_same, batch, doubled, run, script, shuffled, summary};
use crate::{BadState, DetectConfig, Engine};

/// A morning with something of everything, chosen so that runs of hits, borders of cells and
/// gaps between episodes come about often.
fn traffic() -> impl Strategy<Value = String> {
    let line =
        (0..15_u8, 0..26_000_i64, 1..14_i64, prop_oneof![1..20_i64, 40..90_i64, 1_700..1_900_i64], 0..3_u8);
    proptest::collection::vec(line, 1..24).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(kind, start, times, every, who)| one_line(kind, start, times, every, who))
            .collect()
    })
}

fn in_order(text: &str) -> Vec<Owned> {
    let mut observations = script(text);
    observations.sort_by_key(|o| o.time);
    observations
}

fn one_line(kind: u8, start: i64, times: i64, every: i64, who: u8) -> String {
    let what = match kind {
        0 => format!("login_failed src_ip=203.0.113.{who} user_ref=user{who}"),
        1 => format!("login_failed src_ip=203.0.113.{who} user_ref=u{{n}} reason=unknown_user"),
        2 => format!("login_failed src_ip=203.0.113.{who} user_ref=v{{n}}"),
        3 => format!("login_failed src_ip=198.51.{{n}}.7 user_ref=user{who} ua=b{{n}}"),
        4 => format!("login src_ip=203.0.113.{who} user_ref=user{who}"),
        5 => format!("login src_ip=203.0.113.{who} user_ref=v{{n}}"),
        6 => format!("issued token=t{{n}} user_ref=user{who}"),
        7 => format!("redeemed token=t{{n}} src_ip=203.0.{who}.9 ua=b{who}"),
        8 => format!("rejected token=t{{n}} src_ip=203.0.{who}.9 ua=b{who} reason=already_used"),
        9 => format!("revoked token=t{{n}} src_ip=203.0.{who}.9"),
        10 => format!("requests route=/v1/r{who} count=40"),
        11 => format!("requests route=/v1/r{who} count=900 status={}", [401, 404, 429][usize::from(who)]),
        12 => format!("requests route=/v1/r{who} count=3000"),
        13 => format!("probe src_ip=203.0.113.{who} sought=p{{n}}"),
        _ => format!("probe src_ip=203.0.113.{who} sought=f{{n}} reason=sensitive_file"),
    };
    format!("{:02}:{:02}:{:02} {what} x{times} every {every}s\n", start / 3_600, start / 60 % 60, start % 60)
}

/// Attempts on few accounts and from few addresses, so that one more failure, success, browser or
/// network often decides.
fn attempt_line(kind: u8, start: i64, times: i64, every: i64, who: u8) -> String {
    let what = match kind {
        0 => format!("login_failed src_ip=203.0.113.{who} user_ref=user{who}"),
        1 => format!("login_failed src_ip=203.0.113.1 user_ref=user{who} reason=unknown_user"),
        2 => format!("login_failed src_ip=198.51.{{n}}.7 user_ref=user{who}"),
        3 => format!("login_failed src_ip=198.52.{{n}}.7 user_ref=user{who} ua=b{who}"),
        4 => format!("login src_ip=203.0.113.{who} user_ref=user{who}"),
        5 => format!("login src_ip=203.0.113.1 user_ref=user{who}"),
        6 => "login_failed src_ip=203.0.113.1 user_ref=u{n}".to_owned(),
        7 => format!("login_failed src_ip=203.0.113.1 api_key=user{who}"),
        8 => format!("login_failed src_ip=203.0.113.1 api_key=k{{n}} reason=unknown_key ua=b{who}"),
        9 => "login_failed action=session_token.rejected src_ip=203.0.113.1 reason=malformed".to_owned(),
        _ => "login src_ip=203.0.113.1 user_ref=u{n}".to_owned(),
    };
    format!("{:02}:{:02}:{:02} {what} x{times} every {every}s\n", start / 3_600, start / 60 % 60, start % 60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_same_observations_end_in_the_same_alerts(
        text in traffic(), seed in any::<u64>(), size in 1..40_usize, restart_every in prop_oneof![Just(0), 5..9_usize],
    ) {
        let (config, observations) = (DetectConfig::default(), in_order(&text));
        let straight = run(&config, &observations, 16, 0).final_alerts();
        assert_same("re-cut", &straight, &run(&config, &observations, size, 0).final_alerts());
        assert_same("restarted", &straight, &run(&config, &observations, size, restart_every).final_alerts());
        let late = shuffled(&observations, 115_000, seed);
        assert_same("shuffled", &straight, &run(&config, &late, size, restart_every).final_alerts());
        let twice = doubled(&observations, seed);
        assert_same("delivered twice", &straight, &run(&config, &twice, size, restart_every).final_alerts());
    }

    #[test]
    fn an_answer_before_the_watermark_is_never_taken_back(
        lines in proptest::collection::vec((0..11_u8, 0..1_500_i64, 1..12_i64, 1..70_i64, 0..2_u8), 1..14),
        seed in any::<u64>(), behind_ms in prop_oneof![Just(110_000_i64), Just(4_000_000)],
    ) {
        let text: String = lines.into_iter().map(|(kind, start, times, every, who)| {
            attempt_line(kind, 7_200 + start, times, every, who)
        }).collect();
        let mut config = DetectConfig::default();
        config.watermark.allowed_lateness_ms = config.watermark.allowed_lateness_ms.max(behind_ms + 10_000).min(3_600_000);
        let behind_ms = behind_ms.min(config.watermark.allowed_lateness_ms - 5_000);
        let observations = in_order(&text);
        let straight = run(&config, &observations, 16, 0).final_alerts();
        let late = run(&config, &shuffled(&observations, behind_ms, seed), 1, 0).final_alerts();
        assert_same("shuffled", &straight, &late);
        prop_assert!(late.values().all(|alert| !alert.episode_open), "every episode ends");
    }

    #[test]
    fn a_re_read_after_a_restart_says_the_same_again(text in traffic(), at in 0..30_usize) {
        let (config, observations) = (DetectConfig::default(), in_order(&text));
        let records: Vec<_> = observations.chunks(9).collect();
        let at = at.min(records.len());
        let mut bench = Bench::new(&config);
        records[..at].iter().for_each(|record| bench.record(record));
        let (snapshot, said) = (bench.engine.snapshot(), bench.changes.len());
        records[at..].iter().for_each(|record| bench.record(record));
        let mut again = Bench::new(&config);
        records[..at].iter().for_each(|record| again.record(record));
        again.engine.restore(&snapshot).unwrap();
        again.changes.clear();
        records[at..].iter().for_each(|record| again.record(record));
        prop_assert_eq!(&bench.changes[said..], &again.changes[..]);
    }
}

#[test]
fn damaged_or_foreign_snapshots_change_nothing() {
    let config = DetectConfig::default();
    let attack = script("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x5 every 5s");
    let mut bench = Bench::new(&config);
    bench.record(&attack);
    let snapshot = bench.engine.snapshot();
    for at in 0..snapshot.len() {
        let mut torn = snapshot.clone();
        torn[at] ^= 0x40;
        assert_eq!(bench.engine.restore(&torn), Err(BadState::Damaged), "byte {at}");
    }
    assert_eq!(bench.engine.restore(&snapshot[..snapshot.len() / 2]), Err(BadState::Damaged));
    assert_eq!(bench.engine.snapshot(), snapshot);
    bench.record(&script("03:14:25 login_failed src_ip=203.0.113.9 user_ref=root id=sixth"));
    assert_eq!(bench.changes.len(), 1);
}

/// If this fails, a serialized type has changed: raise `snapshot::VERSION` and bless.
#[test]
fn the_layout_of_a_snapshot_changes_with_its_version_only() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(
        "03:13:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         03:14:00 rejected token=t1 src_ip=198.51.100.7 reason=already_used
         03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x10 every 5s
         03:14:00 requests route=/v1/sessions count=7
         03:14:00 probe src_ip=203.0.113.9 sought=a reason=exploit
         03:14:00 lines shipper=shp_1 count=60 delay=-7000
         03:15:00 lines shipper=shp_1 count=60 delay=-7000",
    ));
    bench.record(&script("03:20:00 requests route=/v1/sessions count=7"));
    let bytes = bench.engine.snapshot();
    let golden = format!(
        "version {} {} bytes {:016x}",
        crate::snapshot::VERSION,
        bytes.len(),
        crate::stable::hash(&[&format!("{bytes:?}")])
    );
    expect!["version 7 9723 bytes d3c5294cce34593b"].assert_eq(&golden);
}

#[test]
fn one_tenants_flood_of_tokens_leaves_anothers_state_alone() {
    let config = DetectConfig { keys_per_tenant_max: 64, ..DetectConfig::default() };
    let mut bench = Bench::new(&config);
    bench.record(&script("09:00:00 redeemed token=t1 src_ip=203.0.113.90 tenant=quiet"));
    bench.record(&script("09:00:01 rejected token=x{n} src_ip=192.0.2.1 tenant=noisy x5000 every 0.001s"));
    bench.record(&script(
        "09:00:01 login_failed user_ref=u{n} src_ip=192.0.2.1 tenant=noisy x5000 every 0.001s",
    ));
    let stats = bench.engine.stats();
    assert!(stats.detectors[0].evicted_total > 4_000 && stats.detectors[1].evicted_total > 4_000);
    assert!(stats.detectors[1].keys <= 2 * 64 + 2);
    bench.record(&script(
        "09:00:13 rejected token=t1 src_ip=198.51.100.7 reason=already_used tenant=quiet id=last",
    ));
    let quiet: Vec<_> = bench.changes.iter().filter(|c| c.alert.tenant.as_str() == "quiet").collect();
    assert_eq!((quiet.len(), quiet[0].alert.class.as_str()), (1, "token.reuse.other_origin"));
}

#[test]
fn a_silent_source_does_not_keep_episodes_open() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x12 every 5s"));
    let end = crate::testing::MONDAY + 11_700_000;
    let silent_for = |engine: &mut Engine, minutes: i64| {
        let silent = SourceProgress::at_end("logs.prt_acme.auth/0".into());
        engine.on_record(&batch(&[]), &[silent], end + minutes * 60_000)
    };
    assert!(silent_for(&mut bench.engine, 10).is_empty());
    let closed = silent_for(&mut bench.engine, 50);
    assert_eq!(closed.len(), 1);
    assert!(!closed[0].alert.episode_open);
}

#[test]
fn one_partners_lagging_source_does_not_delay_another_partners_alerts() {
    let mut bench = Bench::new(&DetectConfig::default());
    // Slow's clock stands; the observations of both come on.
    for minute in 0..120_i64 {
        let rows = script(&format!(
            "{:02}:{:02}:00 requests route=/v1/a count=40 tenant=slow id=r{minute}",
            minute / 60,
            minute % 60,
        ));
        bench.record_lagging(&rows, "slow", crate::testing::MONDAY);
    }
    let attack = script("02:40:00 login_failed src_ip=203.0.113.9 user_ref=root tenant=quick x12 every 5s");
    for attempt in attack {
        bench.record(&[attempt]);
    }
    bench.record(&script("03:20:00 login src_ip=198.51.100.7 user_ref=ann tenant=quick"));
    let quick: Vec<_> = bench.changes.iter().filter(|c| c.alert.tenant.as_str() == "quick").collect();
    assert!(
        quick.len() >= 2 && !quick.last().unwrap().alert.episode_open,
        "told and closed: {}",
        quick.len()
    );
}

#[test]
fn an_alert_carries_all_that_on_call_needs() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(
        "09:26:58 redeemed token=t1 user_ref=u1 src_ip=203.0.113.90 ua=mac
         09:27:11.116 rejected token=t1 user_ref=u1 src_ip=198.51.100.77 ua=iphone reason=already_used",
    ));
    bench.record(&script("09:30:00 login_failed src_ip=203.0.113.9 user_ref=root x10 every 5s"));
    for row in script(
        "10:00:00 requests route=/v1/sessions count=30 x180 every 60s\n13:00:00 requests route=/v1/sessions count=400 status=401 x6 every 60s",
    ) {
        bench.record(&[row]);
    }
    let alerts = bench.finish();
    let alerts = alerts.final_alerts();
    let mut said: Vec<_> = alerts
        .values()
        .map(|a| format!("{}\n{}\n{}\n{}\n", a.dedup_key, a.title, a.description, a.query_sql))
        .collect();
    said.sort();
    expect![[r#"
        prt_acme/auth.bruteforce.fast/root from 203.0.113.0/24/20260315T1518
        prt_acme: 10 failed logins for root from 203.0.113.0/24
        10 failures within 45 s; accounts: 1; addresses: 1. Block the source if it is not the owner, and look for a success that followed.
        SELECT time, action, outcome, reason, src_ip, user_ref, coalesce(api_key_id, api_key_fp) AS api_key, route, status, event_id FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T09:30:00.000Z' AND time <= TIMESTAMP '2026-03-16T09:30:45.000Z' AND user_ref = 'root' AND api_key_id IS NULL AND api_key_fp IS NULL AND starts_with(src_ip, '203.0.113.') AND outcome = 'failure' AND action IN ('login') ORDER BY time, event_id

        prt_acme/auth.rate_anomaly/prt_acme/20260315T1754
        prt_acme: 95 % of all requests refused (401)
        2400 requests were refused for their credential, at most 95 % of ten minutes where 0.0 % are usual. If they come from many addresses, somebody tries a list of passwords or keys; if from one client, its credential has ended.
        SELECT src_ip, coalesce(api_key_id, api_key_fp) AS api_key, user_ref, count(*) AS refused FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T13:00:00.000Z' AND time < TIMESTAMP '2026-03-16T13:06:00.000Z' AND route IS NOT NULL AND status = 401 GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 100

        prt_acme/token.reuse/hmac256:k1:t1
        prt_acme: a session token was reused from another network
        Token hmac256:k1:t1 of user u1 was accepted from 203.0.113.90 and presented again from 198.51.100.77 13.1 s later: rejected (already_used). End the session, ask the user, and look for where the token leaked.
        SELECT time, action, outcome, reason, src_ip, user_ref, coalesce(api_key_id, api_key_fp) AS api_key, route, status, event_id FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T09:21:58.000Z' AND time <= TIMESTAMP '2026-03-16T09:27:11.116Z' AND token_fp = 'hmac256:k1:t1' ORDER BY time, event_id

        prt_acme/traffic.spike//v1/sessions/20260316T0754
        prt_acme: spike of requests on /v1/sessions, 400 a minute (13.3 times the usual)
        2400 requests in 6 bad minutes, at most 400 a minute where 30 are usual. 100 % of it was answered 401. Find who sends it and limit it; refused requests in such numbers are an attack or a broken client.
        SELECT date_trunc('minute', time) AS minute, route, status, count(*) AS requests FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T13:00:00.000Z' AND time < TIMESTAMP '2026-03-16T13:06:00.000Z' AND route IS NOT NULL AND coalesce(partner_id, '') = '' AND route = '/v1/sessions' GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC
    "#]].assert_eq(&said.join("\n"));
    assert_eq!(summary(&alerts).lines().count(), 4);
}
