//! What an alert says, and when.

use event::Change;
use expect_test::expect;

use super::bench::{Bench, HOUR_MS, MINUTE_MS, changes, run};

#[test]
fn it_says_what_led_there_and_what_to_do() {
    let text = "09:00 key_use T1078 medium api_key=k1 src_ip=203.0.113.9 id=alr_a
         10:00 probing T1595.003 medium api_key=k1 src_ip=198.51.100.9 id=alr_b
         12:00 object_access T1087 medium api_key=k1 src_ip=192.0.2.9 id=alr_c";
    let told = run(&changes(text), 0).alerts();
    let alert = told.values().find(|alert| alert.entity_type == "api_key").unwrap();
    let evidence: Vec<_> = alert.evidence.iter().map(|seen| seen.event_id.as_str()).collect();
    let said = format!(
        "{}\n{}\n{}\n{}\n{}\n{evidence:?}\n",
        alert.dedup_key,
        alert.title,
        alert.description,
        alert.query_sql,
        serde_json::to_string_pretty(&alert.details).unwrap(),
    );
    expect![[r#"
        prt_acme/risk.api_key/k1/20260316T0000
        prt_acme: API key k1 has 115 points of risk from 3 detectors
        Points add up to 115, where 100 are told: object_access.class (40 from 1 alert), probing.class (38 from 1 alert), key_use.class (37 from 1 alert). That is discovery, initial access, reconnaissance. Read the alerts one after the other. Unless the partner can explain all of them, revoke the key and issue another.
        SELECT triggered_at, detector, class, severity, entity_type, entity, title, alert_id FROM alerts WHERE tenant = 'prt_acme' AND alert_id IN ('alr_a', 'alr_b', 'alr_c') ORDER BY triggered_at, alert_id
        {
          "alerts": [
            {
              "alert_id": "alr_c",
              "class": "object_access.class",
              "points": 40,
              "severity": "medium",
              "triggered_at": "2026-03-16T12:00:00.000Z"
            },
            {
              "alert_id": "alr_b",
              "class": "probing.class",
              "points": 38,
              "severity": "medium",
              "triggered_at": "2026-03-16T10:00:00.000Z"
            },
            {
              "alert_id": "alr_a",
              "class": "key_use.class",
              "points": 37,
              "severity": "medium",
              "triggered_at": "2026-03-16T09:00:00.000Z"
            }
          ],
          "detectors": {
            "key_use": {
              "alerts": 1,
              "points": 37
            },
            "object_access": {
              "alerts": 1,
              "points": 40
            },
            "probing": {
              "alerts": 1,
              "points": 38
            }
          },
          "points": 115,
          "tactics": {
            "discovery": 1,
            "initial access": 1,
            "reconnaissance": 1
          }
        }
        ["evt_614802fdd36d67c4b02f5e0b01a3bd92", "evt_a14d747e7ab967f9ff656019d7c3d01a", "evt_f31d8f00676d383cd60a0af936ae4805"]
    "#]].assert_eq(&said);
    let techniques: Vec<_> = alert.techniques.iter().map(|technique| technique.v18.as_str()).collect();
    assert_eq!(techniques, ["T1078", "T1087", "T1595.003"]);
    assert!(alert.rule_version.starts_with("1.0.0+1."), "{}", alert.rule_version);
}

#[test]
fn it_is_told_as_it_comes_held_back_only_in_a_flood_and_closed_after_a_day_without_news() {
    let alerts = changes(
        "09:00 key_use T1078 medium api_key=k1
         09:00 probing T1595.003 medium api_key=k1
         09:00 object_access T1087 medium api_key=k1
         09:01 token_reuse T1550.001 low api_key=k1",
    );
    let of_key = |bench: &Bench| -> Vec<(Change, u64)> {
        let of_key = bench.said.iter().filter(|change| change.alert.entity_type == "api_key");
        of_key.map(|change| (change.change, change.alert.count)).collect()
    };
    let mut bench = Bench::new();
    alerts.iter().for_each(|change| bench.read(change));
    assert_eq!(of_key(&bench), [(Change::Create, 3), (Change::Update, 4)]);
    let mut again = alerts[0].clone();
    for n in 1..=90 {
        (again.change, again.revision) = (Change::Update, n);
        again.alert.evidence[0].what = format!("the {n}th");
        // All within one minute of the topic's clock.
        bench.said.extend(bench.risk.on_change(&again, bench.now));
    }
    let in_a_flood = of_key(&bench).len();
    assert!(in_a_flood < 70, "{in_a_flood}");
    bench.wait(MINUTE_MS);
    assert_eq!(of_key(&bench)[in_a_flood..], [(Change::Update, 4)]);
    assert!(bench.said.last().unwrap().alert.evidence.iter().any(|seen| seen.what == "the 90th"));
    bench.wait(25 * HOUR_MS);
    assert_eq!(of_key(&bench).last(), Some(&(Change::Close, 4)));
    bench.wait(12 * 24 * HOUR_MS);
    assert_eq!(bench.risk.stats().keys, 0, "and then forgotten");
}
