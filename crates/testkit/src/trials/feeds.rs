//! Feeds, webhooks and pages: what is wrong with them, and what only seems to be.

use serde_json::json;

use super::cast::{BROWSER, Cast};
use super::{HOUR_MS, Kind, MINUTE_MS, Place};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("feed_falls_silent", &["source.silent"], silent).at(Place::Own),
    Kind::attack("clock_ten_minutes_ahead", &["source.clock_skew"], |cast| skewed(cast, 10 * MINUTE_MS))
        .at(Place::Own),
    Kind::attack("webhooks_forged", &["webhook.signature_failed"], |cast| webhooks(cast, 9)).at(Place::Own),
    Kind::attack("webhook_sent_again", &["webhook.replayed"], replayed).at(Place::Own),
    Kind::attack("page_with_a_foreign_frame", &["csp.violation"], |cast| {
        reports(cast, "https://evil.example", 18)
    })
    .at(Place::Own),
    Kind::near_miss("feed_that_pauses", pause).at(Place::Own),
    Kind::near_miss("clock_three_seconds_ahead", |cast| skewed(cast, 3_000)).at(Place::Own),
    Kind::near_miss("webhooks_that_failed_by_chance", |cast| webhooks(cast, 3)).at(Place::Own),
    Kind::near_miss("page_with_an_extension", |cast| {
        reports(cast, "chrome-extension://jkfhdnbdoahbfgnj", 18)
    })
    .at(Place::Own),
];

/// A feed with a line every half minute, from one moment to another.
fn feed(cast: &mut Cast<'_>, from: i64, until: i64) {
    let mut at = from;
    while at < until {
        let members = json!({"shipper_id": "shp_1", "sent_total": 17, "dropped_total": 0});
        cast.say(at, "shipper.heartbeat", members);
        at += cast.dice.between(25_000, 35_000);
    }
}

fn silent(cast: &mut Cast<'_>) {
    feed(cast, -7 * HOUR_MS, 0);
    cast.begin(-30_000);
    let end = cast.end();
    feed(cast, 2 * HOUR_MS, end);
}

fn pause(cast: &mut Cast<'_>) {
    feed(cast, -7 * HOUR_MS, 0);
    cast.begin(-30_000);
    let end = cast.end();
    feed(cast, 8 * MINUTE_MS, end);
}

fn skewed(cast: &mut Cast<'_>, ahead_ms: i64) {
    for n in 0..cast.end() / 30_000 {
        let members = json!({
            "shipper_id": "shp_1", "api_key_id": cast.key(1), "src_ip": cast.address(1, 1),
            "http": {"method": "GET", "path": "/v1/catalog", "status": 200},
        });
        cast.say_stamped(n * 30_000, n * 30_000 + ahead_ms, "api.request", members);
    }
}

fn webhooks(cast: &mut Cast<'_>, count: i64) {
    for n in 0..count {
        let members =
            json!({"endpoint_id": "whe_1", "reason": "bad_signature", "src_ip": cast.address(9, 1)});
        cast.say(n * 50_000, "webhook.signature_failed", members);
    }
}

fn replayed(cast: &mut Cast<'_>) {
    for n in 0..2 {
        let members = json!({
            "endpoint_id": "whe_1", "reason": "timestamp_out_of_tolerance", "src_ip": cast.address(9, 1),
        });
        cast.say(n * 50_000, "webhook.signature_failed", members);
    }
}

/// What browsers report of a page, each from another client.
fn reports(cast: &mut Cast<'_>, blocked: &str, count: i64) {
    for n in 0..count {
        let report = json!({"csp-report": {
            "document-uri": format!("https://shop.partner.example/checkout/{n}"), "referrer": "",
            "violated-directive": "frame-src", "effective-directive": "frame-src",
            "original-policy": "frame-src https://embed.usesticker.example", "disposition": "enforce",
            "blocked-uri": blocked, "status-code": 200, "user-agent": BROWSER,
        }});
        cast.write("csp", n * 90_000, report.to_string());
    }
}
