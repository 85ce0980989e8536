//! Session tokens, used as they must not be and as they may.

use serde_json::{Value, json};

use super::cast::{BACKEND, BROWSER, Cast, PHONE, merge};
use super::{HOUR_MS, Kind, MINUTE_MS, Place, SECOND_MS};
use crate::traffic::Line;

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("token_stolen", &["token.reuse.other_origin"], stolen),
    Kind::attack("token_stolen_and_tried_first", &["token.reuse.other_origin"], tried_first),
    Kind::attack("token_redeemed_twice", &["token.double_redeem"], redeemed_twice),
    Kind::attack("token_accepted_after_its_end", &["token.expired_use.accepted"], accepted_late),
    Kind::attack("token_of_another_user", &["token.wrong_user"], another_user),
    Kind::attack("token_in_a_foreign_page", &["token.wrong_partner"], foreign_page),
    Kind::attack("token_of_two_partners", &["token.replay_across_partners"], two_partners),
    Kind::attack("token_accepted_after_revocation", &["token.revoked_use"], revoked),
    Kind::attack("token_on_two_networks_at_once", &["token.reuse.network_switch"], network_switch),
    Kind::attack("token_stored", &["token.reuse.same_origin"], stored),
    Kind::attack("tokens_that_are_none", &["token.malformed"], malformed).also(&["auth.rate_anomaly"]),
    Kind::attack("tokens_harvested", &["user.token_flood"], harvested),
    Kind::attack("tokens_made_up", &["token.never_issued"], made_up).at(Place::Own),
    Kind::attack("tokens_issued_and_not_redeemed", &["token.issue_without_redeem"], |cast| {
        redeemed_share(cast, 0)
    })
    .at(Place::Own),
    Kind::near_miss("token_used_in_its_last_seconds", last_seconds),
    Kind::near_miss("token_clicked_twice", clicked_twice),
    Kind::near_miss("token_refused_to_a_slow_user", slow_user),
    Kind::near_miss("token_lines_delivered_again", delivered_again),
    Kind::near_miss("token_lines_out_of_order", out_of_order),
    Kind::near_miss("tokens_used_on_two_networks", two_networks),
    Kind::near_miss("tokens_of_a_busy_user", busy_user),
    Kind::near_miss("tokens_cut_by_a_mail_program", few_malformed),
    Kind::near_miss("tokens_issued_moments_after_their_use", issued_after).at(Place::Own),
    Kind::near_miss("tokens_issued_and_some_not_redeemed", |cast| redeemed_share(cast, 4)).at(Place::Own),
];

const HOME: i64 = 1;
const LAIR: i64 = 9;

fn issue(cast: &mut Cast<'_>, n: i64, at: i64) {
    issue_to(cast, n, at, n);
}

/// Issues the `n`-th token to a user.
fn issue_to(cast: &mut Cast<'_>, n: i64, at: i64, user: i64) {
    let (issued, expires) = (cast.start + at, cast.start + at + 5 * MINUTE_MS);
    let members = json!({
        "api_key_id": cast.key(0),
        "user_ref": cast.user(user),
        "token_fp": cast.token(n),
        "issued_at": issued.to_rfc3339(),
        "expires_at": expires.to_rfc3339(),
        "bound_origin": "https://shop.partner.example",
        "src_ip": cast.address(0, 1),
        "user_agent": BACKEND,
        "http": {"method": "POST", "path": "/v1/sessions", "status": 201},
    });
    cast.say(at, "session_token.issued", members);
}

/// Somebody presents a token: from which network, with which browser.
fn present(
    cast: &mut Cast<'_>,
    n: i64,
    at: i64,
    (net, agent): (i64, &str),
    refused: Option<&str>,
    more: Value,
) {
    let status = if refused.is_some() { 401 } else { 200 };
    let mut members = json!({
        "user_ref": cast.user(n),
        "token_fp": cast.token(n),
        "outcome": if refused.is_some() { "failure" } else { "success" },
        "src_ip": cast.address(net, n),
        "user_agent": agent,
        "parent_origin": "https://shop.partner.example",
        "http": {"method": "GET", "path": "/embed/partner", "status": status},
    });
    if let Some(reason) = refused {
        merge(&mut members, json!({"reason": reason}));
    }
    merge(&mut members, more);
    let event = if refused.is_some() { "session_token.rejected" } else { "session_token.redeemed" };
    cast.say(at, event, members);
}

fn redeem(cast: &mut Cast<'_>, n: i64, at: i64) {
    present(cast, n, at, (HOME, BROWSER), None, json!({}));
}

fn stolen(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 2_000);
    let after = cast.dice.between(40_000, 200_000);
    present(cast, 1, 2_000 + after, (LAIR, PHONE), Some("already_used"), json!({}));
}

/// The thief is refused before the line of the first use arrives.
fn tried_first(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    present(cast, 1, 15_000, (LAIR, PHONE), Some("already_used"), json!({}));
    let user = cast.user(1);
    let members = json!({
        "user_ref": user, "token_fp": cast.token(1), "outcome": "success", "src_ip": cast.address(HOME, 1),
        "user_agent": BROWSER, "http": {"method": "GET", "path": "/embed/partner", "status": 200},
    });
    cast.say_stamped(60_000, 2_000, "session_token.redeemed", members);
}

fn redeemed_twice(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 2_000);
    let after = cast.dice.between(500, 90_000);
    present(cast, 1, 2_000 + after, (LAIR, PHONE), None, json!({}));
}

fn accepted_late(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    let after = cast.dice.between(335 * SECOND_MS, 1_200 * SECOND_MS);
    redeem(cast, 1, after);
}

fn another_user(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    let other = cast.user(2);
    present(cast, 1, 20_000, (LAIR, PHONE), Some("wrong_user"), json!({"user_ref": other}));
}

fn foreign_page(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    let page = json!({"parent_origin": "https://evil.example"});
    present(cast, 1, 20_000, (LAIR, PHONE), Some("wrong_origin"), page);
}

fn two_partners(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 2_000);
    let other = json!({"partner_id": "prt_another"});
    present(cast, 1, 50_000, (LAIR, PHONE), Some("wrong_partner"), other);
}

fn revoked(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    let members = json!({"user_ref": cast.user(1), "token_fp": cast.token(1), "src_ip": cast.address(0, 1)});
    cast.say(10_000, "session_token.revoked", members);
    redeem(cast, 1, 80_000);
}

fn network_switch(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 2_000);
    present(cast, 1, 14_000, (LAIR, BROWSER), Some("already_used"), json!({}));
}

fn stored(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 2_000);
    present(cast, 1, 150_000, (HOME, BROWSER), Some("already_used"), json!({}));
}

/// A scanner that makes tokens up.
fn malformed(cast: &mut Cast<'_>) {
    for n in 0..30 {
        let members = json!({
            "token_fp": null, "token": format!("{n:x}guess"), "outcome": "failure", "reason": "malformed",
            "src_ip": cast.address(LAIR, 1), "user_agent": "curl/8.5.0",
            "http": {"method": "GET", "path": "/embed/partner", "status": 401},
        });
        cast.say(n * 6_000, "session_token.rejected", members);
    }
}

/// Tokens are issued and redeemed, one a minute and to the end.
fn issuing(cast: &mut Cast<'_>, from: i64) {
    issuing_until(cast, from, cast.end());
}

fn issuing_until(cast: &mut Cast<'_>, from: i64, until: i64) {
    for n in from / MINUTE_MS..until / MINUTE_MS {
        issue(cast, 10_000 + n, n * MINUTE_MS);
        redeem(cast, 10_000 + n, n * MINUTE_MS + 3_000);
    }
}

/// Somebody presents tokens that nobody issued, while others are issued.
fn made_up(cast: &mut Cast<'_>) {
    issuing(cast, -HOUR_MS);
    cast.begin(0);
    for n in 0..8 {
        present(cast, n, n * 9_000, (LAIR, PHONE), Some("unknown"), json!({"user_ref": null}));
    }
}

/// The pages' clocks are ten seconds behind the issuer's, which does not know its tokens yet when they first come.
fn issued_after(cast: &mut Cast<'_>) {
    issuing(cast, -HOUR_MS);
    cast.begin(0);
    for n in 0..8 {
        issue(cast, n, n * 9_000 + 10_000);
        present(cast, n, n * 9_000, (HOME, BROWSER), Some("unknown"), json!({}));
    }
}

/// An hour in which of ten tokens so many are redeemed, after eight in which all were.
fn redeemed_share(cast: &mut Cast<'_>, of_ten: i64) {
    let hour = HOUR_MS - cast.start.millis().rem_euclid(HOUR_MS);
    issuing_until(cast, hour - 8 * HOUR_MS, hour);
    cast.begin(hour);
    for n in 0..60 {
        issue(cast, n, hour + n * MINUTE_MS);
        if n % 10 < of_ten {
            redeem(cast, n, hour + n * MINUTE_MS + 3_000);
        }
    }
    issuing(cast, hour + HOUR_MS);
}

fn harvested(cast: &mut Cast<'_>) {
    for n in 0..30 {
        issue_to(cast, n, n * 15_000, 1);
    }
}

/// At 280 to 298 seconds a token is as good as at its first.
fn last_seconds(cast: &mut Cast<'_>) {
    for n in 0..5 {
        issue(cast, n, n * 20_000);
        let after = cast.dice.between(280 * SECOND_MS, 298 * SECOND_MS);
        redeem(cast, n, n * 20_000 + after);
    }
}

fn clicked_twice(cast: &mut Cast<'_>) {
    for n in 0..3 {
        let at = n * 7 * MINUTE_MS;
        issue(cast, n, at);
        redeem(cast, n, at + 2_000);
        let after = cast.dice.between(80, 9_000);
        present(cast, n, at + 2_000 + after, (HOME, BROWSER), Some("already_used"), json!({}));
    }
}

fn slow_user(cast: &mut Cast<'_>) {
    for n in 0..3 {
        let at = n * 7 * MINUTE_MS;
        issue(cast, n, at);
        let after = cast.dice.between(305 * SECOND_MS, 900 * SECOND_MS);
        present(cast, n, at + after, (HOME, BROWSER), Some("expired"), json!({}));
    }
}

/// What a shipper sends again after a restart is no second use.
fn delivered_again(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 2_000);
    let lines = cast.lines.clone();
    for after_ms in [5_000, 40_000] {
        for line in &lines {
            cast.lines.push(Line { time: line.time + after_ms, ..line.clone() });
        }
    }
}

/// The line of the issue comes after that of the use.
fn out_of_order(cast: &mut Cast<'_>) {
    issue(cast, 1, 0);
    redeem(cast, 1, 60_000);
    if let Some(first) = cast.lines.first_mut() {
        first.time = first.time + 90_000;
    }
    cast.lines.rotate_left(1);
}

/// A phone changes its network between two tokens of one user, each of which is used once.
fn two_networks(cast: &mut Cast<'_>) {
    for (n, net) in [(1, HOME), (2, 2)] {
        issue_to(cast, n, n * 1_000, 1);
        let same = json!({"user_ref": cast.user(1)});
        present(cast, n, n * 1_000 + 9_000, (net, PHONE), None, same);
    }
}

/// Fewer than twenty tokens in ten minutes: somebody opens many tabs.
fn busy_user(cast: &mut Cast<'_>) {
    for n in 0..15 {
        issue_to(cast, n, n * 20_000, 1);
    }
}

fn few_malformed(cast: &mut Cast<'_>) {
    for n in 0..12 {
        let members = json!({
            "token": format!("{n:x}cut"), "outcome": "failure", "reason": "malformed",
            "src_ip": cast.address(HOME, n * 3), "user_agent": BROWSER,
            "http": {"method": "GET", "path": "/embed/partner", "status": 401},
        });
        cast.say(n * 10_000, "session_token.rejected", members);
    }
}
