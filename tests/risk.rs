//! Several things about one key, of which none wakes anybody, are one page; and a kill makes it no second one.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::harness::{Home, Server, partner};

/// A call with the key of a partner, and what is unlike its others.
fn call(partner: &str, at: DateTime<Utc>, path: &str, status: u16, more: Value) -> String {
    let mut line = json!({
        "v": 1, "ts": at.to_rfc3339_opts(SecondsFormat::Millis, true), "event": "api.request", "env": "production",
        "partner_id": partner, "api_key_id": "key_live_1", "src_ip": "192.0.2.10", "user_agent": "acme-backend/2.14",
        "http": {"method": "GET", "path": path, "status": status},
    });
    let (line_of, more) = (line.as_object_mut().unwrap(), more.as_object().unwrap().clone());
    line_of.extend(more);
    line.to_string()
}

/// Twelve things that are not there, within seconds, from this network.
fn looks_around(partner: &str, began: DateTime<Utc>, net: &str) -> Vec<String> {
    let path = |n: i64| format!("/backup-{net}-{n}");
    let from = || json!({"src_ip": format!("{net}.9")});
    let at = |n: i64| began + Duration::milliseconds(700 * n);
    (0..12).map(|n| call(partner, at(n), &path(n), 404, from())).collect()
}

/// A key in production, tried in the sandbox; it looks around, and asks for what is other partners'.
fn little_of_everything(partner: &str, began: DateTime<Utc>) -> Vec<String> {
    let mut lines: Vec<_> = (0..20)
        .map(|n| call(partner, began + Duration::minutes(30 * n), "/v1/catalog", 200, json!({})))
        .collect();
    let sandbox = began + Duration::hours(11);
    lines.extend((0..3).map(|n| {
        call(partner, sandbox + Duration::seconds(30 * n), "/v1/catalog", 200, json!({"env": "sandbox"}))
    }));
    lines.extend(looks_around(partner, began + Duration::hours(12), "203.0.113"));
    lines.extend((0..6).map(|n| {
        let (order, at) = (format!("ord_47{n}"), began + Duration::hours(13) + Duration::seconds(45 * n));
        let others =
            json!({"object_id": order, "object_owner": format!("prt_other{n}"), "src_ip": "198.51.100.9"});
        call(partner, at, &format!("/v1/orders/{order}"), 403, others)
    }));
    lines
}

fn risks(server: &Server, partner: &str) -> Vec<Value> {
    let alerts = server.alerts(partner).into_iter();
    alerts.filter(|alert| alert["class"] == "risk.entity" && alert["entity_type"] == "api_key").collect()
}

#[test]
fn several_things_about_one_key_are_one_page_and_a_kill_makes_it_no_second_one() {
    let partner = partner("risk");
    let mut home = Home::new("");
    let mut server = home.start();
    // All of it within one day of event time, whatever the hour is now.
    let today = Utc::now().date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let began = today - Duration::hours(23);
    let lines = little_of_everything(&partner, began);
    server.send(&partner, "handshake", &lines);
    server.until("the page", |server| !risks(server, &partner).is_empty());
    let risk = &risks(&server, &partner)[0];
    assert_eq!((&risk["severity"], &risk["entity"]), (&json!("high"), &json!("key_live_1")), "{risk:#?}");
    assert_eq!((&risk["page"], risk["count"].as_i64()), (&json!(true), Some(3)), "{risk:#?}");
    assert_eq!(risk["details"]["detectors"].as_object().unwrap().len(), 3, "{risk:#?}");
    let sql = risk["query_sql"].as_str().unwrap();
    server.until("what led there by the alert's own query", |server| server.sql(sql).len() == 3);
    let evidence = risk["evidence"].as_array().unwrap();
    assert!(evidence.iter().all(|seen| seen["api_key"] == "key_live_1"), "{evidence:#?}");

    // What comes after a kill adds to what was told before it.
    server.kill();
    let mut server = home.start();
    let more = looks_around(&partner, began + Duration::hours(14), "192.0.2");
    server.send(&partner, "handshake", &more);
    server.until("what came later", |server| risks(server, &partner)[0]["count"] == 4);
    server.until_stored(&partner, (lines.len() + more.len()) as i64);
    let after = risks(&server, &partner);
    assert_eq!(after.len(), 1, "{after:#?}");
    assert_eq!(after[0]["alert_id"], risk["alert_id"]);
    let told = format!("SELECT count(*) AS n FROM alert_changes WHERE alert_id = {}", risk["alert_id"])
        .replace('"', "'");
    server.until("its changes", |server| server.count(&told) >= 2);
    let revisions = told.replace("count(*)", "count(DISTINCT revision)");
    assert_eq!(server.count(&told), server.count(&revisions), "no change is told twice");
    server.stop();
}
