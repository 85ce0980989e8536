//! Logins and key checks: guessed, sprayed and stuffed, and mistyped.

use event::Severity;
use serde_json::json;

use super::cast::{BROWSER, Cast, PHONE};
use super::shops::shop;
use super::{DAY_MS, HOUR_MS, Kind, MINUTE_MS, Place};

/// Where an attack on accounts is seen besides: at each of them, at the address, at the partner as a whole.
const ELSEWHERE: &[&str] =
    &["auth.bruteforce.fast", "auth.bruteforce.address", "auth.spray", "auth.rate_anomaly"];

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("login_guessed_fast", &["auth.bruteforce.fast"], fast).also(ELSEWHERE),
    Kind::attack("login_guessed_slowly", &["auth.bruteforce.slow"], slow),
    Kind::attack("login_guessed_from_everywhere", &["auth.bruteforce.distributed"], distributed),
    Kind::attack("passwords_sprayed", &["auth.spray"], spray).also(ELSEWHERE),
    Kind::attack("passwords_stuffed", &["auth.stuffing"], stuffing).also(ELSEWHERE),
    Kind::attack("password_guessed_right", &["auth.success_after_failures"], guessed_right).also(ELSEWHERE),
    Kind::attack("keys_guessed", &["auth.key_guess"], keys_guessed).also(ELSEWHERE),
    Kind::attack("accounts_guessed_by_one_address", &["auth.bruteforce.address"], by_address).also(ELSEWHERE),
    Kind::attack("logins_from_a_botnet", &["auth.rate_anomaly"], botnet).at(Place::OwnOnce),
    Kind::attack("accounts_locked_one_after_another", &["auth.lockout_wave"], |cast| locked(cast, 4))
        .at(Place::Own),
    Kind::near_miss("account_locked_again_and_again", |cast| locked(cast, 1)).at(Place::Own),
    Kind::near_miss("six_failures_and_then_in", six_failures),
    Kind::near_miss("password_changed_on_a_phone", old_password_on_a_phone),
    Kind::near_miss("monday_in_an_office_behind_nat", monday),
    Kind::near_miss("users_who_mistype_from_home", typos_at_home),
    Kind::near_miss("job_with_an_expired_key", expired_key),
    Kind::near_miss("two_keys_mistaken", two_keys),
];

/// Locks of so many accounts within two hours.
fn locked(cast: &mut Cast<'_>, accounts: i64) {
    for n in 0..8 {
        let members = json!({"user_ref": cast.user(n % accounts)});
        cast.say(n * 15 * MINUTE_MS, "user.locked", members);
    }
}

const HOME: i64 = 1;
const LAIR: i64 = 9;

/// Somebody logs in, or tries to: which user, from which network, with which browser.
fn login(
    cast: &mut Cast<'_>,
    at: i64,
    user: &str,
    (net, host): (i64, i64),
    agent: &str,
    refused: Option<&str>,
) {
    let status = if refused.is_some() { 401 } else { 200 };
    let members = json!({
        "user_ref": user,
        "outcome": if refused.is_some() { "failure" } else { "success" },
        "reason": refused,
        "src_ip": cast.address(net, host),
        "user_agent": agent,
        "http": {"method": "POST", "path": "/v1/login", "status": status},
    });
    cast.say(at, "user.login", members);
}

const WRONG: Option<&str> = Some("bad_password");

/// Logins from home on the days before.
fn past(cast: &mut Cast<'_>, user: &str) {
    for day in 1..=3 {
        let at = -day * DAY_MS + cast.dice.between(0, HOUR_MS);
        login(cast, at, user, (HOME, 1), BROWSER, None);
    }
}

fn fast(cast: &mut Cast<'_>) {
    let user = cast.user(1);
    for n in 0..25 {
        login(cast, n * 2_000, &user, (LAIR, 1), "curl/8.5.0", WRONG);
    }
}

fn slow(cast: &mut Cast<'_>) {
    let user = cast.user(1);
    for n in 0..15 {
        let late = cast.dice.between(0, 60_000);
        login(cast, n * 7 * MINUTE_MS + late, &user, (LAIR, 1), BROWSER, WRONG);
    }
}

fn distributed(cast: &mut Cast<'_>) {
    let (user, agents) = (cast.user(1), [BROWSER, PHONE, "curl/8.5.0", "python-requests/2.31.0"]);
    for n in 0..16 {
        let agent = agents[n as usize % agents.len()];
        login(cast, n * 80_000, &user, (20 + n % 9, 1), agent, WRONG);
    }
}

fn spray(cast: &mut Cast<'_>) {
    for n in 0..24 {
        let user = cast.user(n % 12);
        login(cast, n * 25_000, &user, (LAIR, 1), BROWSER, WRONG);
    }
}

fn stuffing(cast: &mut Cast<'_>) {
    for n in 0..60 {
        let user = cast.user(n);
        login(cast, n * 9_000, &user, (LAIR, 1), BROWSER, WRONG);
    }
}

fn guessed_right(cast: &mut Cast<'_>) {
    let user = cast.user(1);
    past(cast, &user);
    cast.begin(0);
    for n in 0..7 {
        login(cast, n * 30_000, &user, (LAIR, 1), PHONE, WRONG);
    }
    login(cast, 240_000, &user, (LAIR, 1), PHONE, None);
}

fn key_failed(cast: &mut Cast<'_>, at: i64, key: &str, host: i64, reason: &str) {
    let members = json!({
        "api_key_id": key, "reason": reason, "src_ip": cast.address(LAIR, host), "user_agent": "python-requests/2.31.0",
        "http": {"method": "POST", "path": "/v1/sessions", "status": 401},
    });
    cast.say(at, "api_key.auth_failed", members);
}

fn keys_guessed(cast: &mut Cast<'_>) {
    for n in 0..9 {
        let key = cast.key(n);
        key_failed(cast, n * 25_000, &key, 1, "unknown_key");
    }
}

fn by_address(cast: &mut Cast<'_>) {
    for n in 0..40 {
        let user = cast.user(n % 4);
        login(cast, n * 1_500, &user, (LAIR, 1), "curl/8.5.0", Some("unknown_user"));
    }
}

/// Hundreds of addresses, each of which fails once, at a partner that has forty calls a minute.
fn botnet(cast: &mut Cast<'_>) {
    shop(cast);
    let (began, fails) = (10 * HOUR_MS + 20 * MINUTE_MS, 400);
    let began = (cast.config.day + began) - cast.start;
    cast.begin(began);
    for n in 0..fails {
        let user = cast.user(n);
        login(cast, began + n * 3_000, &user, (20 + n % 200, n), BROWSER, WRONG);
    }
}

/// Somebody who forgot it tries six passwords within some minutes, and then has it.
fn six_failures(cast: &mut Cast<'_>) {
    let user = cast.user(1);
    past(cast, &user);
    cast.begin(0);
    let mut at = 0;
    for _ in 0..6 {
        login(cast, at, &user, (HOME, 1), BROWSER, WRONG);
        at += cast.dice.between(14_000, 45_000);
    }
    login(cast, at, &user, (HOME, 1), BROWSER, None);
}

/// The phone goes on with the old password, once in a while, while its owner logs in elsewhere.
fn old_password_on_a_phone(cast: &mut Cast<'_>) {
    let user = cast.user(1);
    past(cast, &user);
    cast.begin(0);
    for n in 0..8 {
        login(cast, n * 40 * MINUTE_MS, &user, (HOME, 1), PHONE, WRONG);
        login(cast, n * 40 * MINUTE_MS + 5 * MINUTE_MS, &user, (HOME, 1), BROWSER, None);
    }
}

/// Three hundred people behind one address on Monday at nine; one in twelve mistypes.
fn monday(cast: &mut Cast<'_>) {
    let nine = (cast.config.day + 9 * HOUR_MS) - cast.start;
    cast.begin(nine);
    for n in 0..300 {
        let user = cast.user(n);
        let mut at = nine + cast.dice.between(0, 25 * MINUTE_MS);
        if cast.dice.chance(0.08) {
            login(cast, at, &user, (HOME, 1), BROWSER, WRONG);
            at += cast.dice.between(6_000, 40_000);
        }
        login(cast, at, &user, (HOME, 1), BROWSER, None);
    }
}

fn typos_at_home(cast: &mut Cast<'_>) {
    for n in 0..20 {
        let (user, at) = (cast.user(n), n * 45_000);
        login(cast, at, &user, (20 + n, 1), BROWSER, WRONG);
        login(cast, at + 20_000, &user, (20 + n, 1), BROWSER, None);
    }
}

/// Every five minutes for hours. That may be told once, to the partner, who is woken by nothing.
fn expired_key(cast: &mut Cast<'_>) {
    cast.allowed = Severity::Low;
    let key = cast.key(1);
    for n in 0..72 {
        key_failed(cast, n * 5 * MINUTE_MS, &key, 1, "expired_key");
    }
}

fn two_keys(cast: &mut Cast<'_>) {
    for n in 0..4 {
        let key = cast.key(n % 2);
        key_failed(cast, n * 20_000, &key, 1, "unknown_key");
    }
}
