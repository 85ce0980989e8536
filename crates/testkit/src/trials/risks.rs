//! Several things about one key or user of which none would wake anybody, and what is not several things.

use serde_json::{Value, json};

use super::cast::{BACKEND, BROWSER, Cast, merge};
use super::{HOUR_MS, Kind, MINUTE_MS, Place};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("key_that_does_a_little_of_everything", &["risk.entity"], little_of_everything)
        .also(&["key.env_mixup", "scan.enumeration", "authz.cross_partner", "authz.bola_probe"])
        .at(Place::Own),
    Kind::near_miss("user_who_clicks_twice_for_hours", |cast| clicks(cast, 34)),
    Kind::near_miss("user_of_whom_little_is_on_record", on_record),
];

/// A call with the trial's key.
fn call(cast: &mut Cast<'_>, at: i64, path: &str, status: u16, more: Value) {
    let mut members = json!({
        "api_key_id": cast.key(1), "src_ip": cast.address(1, 1), "user_agent": BACKEND,
        "http": {"method": "GET", "path": path, "status": status},
    });
    merge(&mut members, more);
    cast.say(at, "api.request", members);
}

/// Whoever has the key tries it elsewhere, looks for what there is, and asks for what is others', hours apart.
fn little_of_everything(cast: &mut Cast<'_>) {
    for n in 0..20 {
        call(cast, -20 * HOUR_MS + n * HOUR_MS / 2, "/v1/catalog", 200, json!({}));
    }
    cast.begin(0);
    for n in 0..3 {
        call(cast, n * 30_000, "/v1/catalog", 200, json!({"env": "sandbox"}));
    }
    for n in 0..40 {
        call(
            cast,
            HOUR_MS + n * 2_000,
            &format!("/v{}/{}", n / 10 + 2, WORDS[n as usize % 10]),
            404,
            json!({}),
        );
    }
    for n in 0..6 {
        let order = format!("ord_{}", 4_700 + n * 31);
        let owner = json!({"object_id": order, "object_owner": format!("prt_other{}", n % 3)});
        call(cast, 2 * HOUR_MS + n * 45_000, &format!("/v1/orders/{order}"), 403, owner);
    }
}

const WORDS: [&str; 10] =
    ["accounts", "billing", "export", "internal", "keys", "members", "reports", "search", "staff", "store"];

/// So many tokens, each of them sent twice by an impatient browser.
fn clicks(cast: &mut Cast<'_>, times: i64) {
    for n in 0..times {
        let at = n * 8 * MINUTE_MS;
        let (issued, expires) = (cast.start + at, cast.start + at + 5 * MINUTE_MS);
        let user = cast.user(1);
        let issue = json!({
            "api_key_id": cast.key(0), "user_ref": user, "token_fp": cast.token(n), "issued_at": issued.to_rfc3339(),
            "expires_at": expires.to_rfc3339(), "src_ip": cast.address(0, 1), "user_agent": BACKEND,
            "http": {"method": "POST", "path": "/v1/sessions", "status": 201},
        });
        cast.say(at, "session_token.issued", issue);
        for (after, outcome, status) in [(3_000, "success", 200), (3_400, "failure", 401)] {
            let event = if status == 200 { "session_token.redeemed" } else { "session_token.rejected" };
            let mut present = json!({
                "user_ref": user, "token_fp": cast.token(n), "outcome": outcome, "src_ip": cast.address(1, 1),
                "user_agent": BROWSER, "http": {"method": "GET", "path": "/embed/partner", "status": status},
            });
            if status == 401 {
                merge(&mut present, json!({"reason": "already_used"}));
            }
            cast.say(at + after, event, present);
        }
    }
}

/// A double click, somebody beside who asks for a hole that is not there, and a double click again.
fn on_record(cast: &mut Cast<'_>) {
    clicks(cast, 2);
    let from = cast.address(1, 2);
    cast.request(MINUTE_MS, "GET", "/cgi-bin/.%2e/.%2e/bin/sh", 404, &from);
}
