//! API keys: from where, by whom and in which environment they are used, and where they are found.

use serde_json::{Value, json};

use super::cast::{BACKEND, BROWSER, Cast, merge};
use super::{DAY_MS, HOUR_MS, Kind, MINUTE_MS, Place};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("key_in_a_new_country", &["key.new_country"], new_country),
    Kind::attack("key_in_a_new_network", &["key.new_asn"], new_network),
    Kind::attack("key_in_a_browser", &["key.used_in_browser"], in_browser),
    Kind::attack("key_of_the_other_environment", &["key.env_mixup"], wrong_environment),
    Kind::attack("key_accepted_after_revocation", &["key.revoked_use"], revoked),
    Kind::attack("key_used_long_after_its_rotation", &["key.rotation_overlap"], |cast| overlap(cast, 3)),
    Kind::attack("key_over_an_old_tls", &["transport.plaintext"], |cast| over_tls(cast, "TLSv1.1")),
    Kind::attack("keys_made_from_a_new_network", &["identity.admin_change"], |cast| keys_made(cast, 9))
        .at(Place::Own),
    Kind::attack("key_in_a_url", &["secret.exposed"], in_url),
    Kind::near_miss("key_from_the_next_rack", next_rack),
    Kind::near_miss("key_rotated_with_stragglers", rotated),
    Kind::near_miss("key_used_until_its_rotation_is_over", |cast| overlap(cast, 0)),
    Kind::near_miss("key_over_tls_1_2_and_a_redirect", |cast| over_tls(cast, "TLSv1.2")),
    Kind::near_miss("keys_made_from_the_usual_network", |cast| keys_made(cast, 1)).at(Place::Own),
    Kind::near_miss("token_in_the_embed_url", embed_url),
    Kind::near_miss("key_of_a_new_partner", new_partner),
];

/// Where the backends of a trial stand, and where they do not.
const HERE: (&str, i64) = ("DE", 64_500);
const ABROAD: (&str, i64) = ("BR", 64_511);
const NEXT_DOOR: (&str, i64) = ("DE", 64_502);

/// A call of an issuer that writes OCSF, which tells of its clients' places.
fn call(cast: &mut Cast<'_>, at: i64, net: i64, (country, asn): (&str, i64)) {
    let time = cast.start + at;
    let said = json!({
        "activity_id": 2, "category_uid": 6, "class_uid": 6003, "type_uid": 600_302, "time": time.millis(),
        "severity_id": 1, "status_id": 1,
        "actor": {"app_uid": cast.tenant},
        "api": {"operation": "GET /v1/profiles", "token": {"uid": cast.key(1)}, "response": {"code": 200}},
        "http_request": {"http_method": "GET", "url": {"path": "/v1/profiles"}, "user_agent": BACKEND},
        "http_response": {"code": 200},
        "src_endpoint": {
            "ip": cast.address(net, 1), "location": {"country": country}, "autonomous_system": {"number": asn},
        },
        "metadata": {"version": "1.8.0", "tenant_uid": cast.tenant, "uid": format!("evt_{}_{at}", cast.tag())},
    });
    cast.write("issuer", at, said.to_string());
}

/// Calls from home, for more than a week before and until the end.
fn past(cast: &mut Cast<'_>) {
    let (mut at, end) = (-9 * DAY_MS, cast.end());
    while at < end {
        call(cast, at, 1, HERE);
        at += cast.dice.between(100 * MINUTE_MS, 130 * MINUTE_MS);
    }
    cast.begin(0);
}

fn new_country(cast: &mut Cast<'_>) {
    past(cast);
    (0..6).for_each(|n| call(cast, n * 40_000, 9, ABROAD));
}

fn new_network(cast: &mut Cast<'_>) {
    past(cast);
    (0..6).for_each(|n| call(cast, n * 40_000, 9, NEXT_DOOR));
}

fn next_rack(cast: &mut Cast<'_>) {
    past(cast);
    (0..6).for_each(|n| call(cast, n * 40_000, 2, HERE));
}

/// A key that is new has been nowhere yet.
fn new_partner(cast: &mut Cast<'_>) {
    for n in 0..cast.end() / (5 * MINUTE_MS) {
        let place = if n % 2 == 0 { HERE } else { ABROAD };
        call(cast, n * 5 * MINUTE_MS, 1 + n % 2, place);
    }
}

/// A call by the handshake log's contract.
fn api_request(cast: &mut Cast<'_>, at: i64, key: i64, more: Value) {
    let mut members = json!({
        "api_key_id": cast.key(key), "src_ip": cast.address(1, 1), "user_agent": BACKEND,
        "http": {"method": "GET", "path": "/v1/catalog", "status": 200},
    });
    merge(&mut members, more);
    cast.say(at, "api.request", members);
}

fn in_browser(cast: &mut Cast<'_>) {
    for n in 0..5 {
        let page = json!({
            "user_agent": BROWSER, "parent_origin": "https://shop.partner.example", "src_ip": cast.address(20 + n, 1),
        });
        api_request(cast, n * 30_000, 1, page);
    }
}

fn wrong_environment(cast: &mut Cast<'_>) {
    for n in 0..20 {
        api_request(cast, -DAY_MS + n * HOUR_MS / 2, 1, json!({}));
    }
    cast.begin(0);
    for n in 0..3 {
        api_request(cast, n * 30_000, 1, json!({"env": "sandbox"}));
    }
}

fn revoke(cast: &mut Cast<'_>, at: i64, key: i64) {
    let members = json!({"api_key_id": cast.key(key), "actor": "support:ana"});
    cast.say(at, "api_key.revoked", members);
}

fn revoked(cast: &mut Cast<'_>) {
    api_request(cast, 0, 1, json!({}));
    revoke(cast, MINUTE_MS, 1);
    api_request(cast, 9 * MINUTE_MS, 1, json!({}));
}

/// The old key is used until the revocation has come everywhere, which takes minutes.
fn rotated(cast: &mut Cast<'_>) {
    for n in 0..20 {
        api_request(cast, n * 30_000, 1, json!({}));
    }
    let members =
        json!({"api_key_id": cast.key(2), "previous_api_key_id": cast.key(1), "actor": "support:ana"});
    cast.say(5 * MINUTE_MS, "api_key.rotated", members);
    revoke(cast, 9 * MINUTE_MS, 1);
    for n in 0..20 {
        api_request(cast, 5 * MINUTE_MS + n * 30_000, 2, json!({}));
    }
    for n in 0..4 {
        api_request(cast, 10 * MINUTE_MS + n * 40_000, 1, json!({}));
    }
}

/// Another key comes in the place of one that is still used so many days later.
fn overlap(cast: &mut Cast<'_>, days: i64) {
    let rotated = -days * DAY_MS - 2 * HOUR_MS;
    let members =
        json!({"api_key_id": cast.key(2), "previous_api_key_id": cast.key(1), "actor": "support:ana"});
    cast.say(rotated, "api_key.rotated", members);
    cast.begin(0);
    for n in 0..4 {
        api_request(cast, n * 60_000, 1, json!({}));
        api_request(cast, n * 60_000 + 9_000, 2, json!({}));
    }
}

/// Calls with a key over this version of TLS; whoever begins with http is sent elsewhere.
fn over_tls(cast: &mut Cast<'_>, version: &str) {
    for n in 0..4 {
        let path =
            json!({"method": "GET", "path": "/v1/catalog", "status": 200, "scheme": "https", "tls": version});
        api_request(cast, n * 60_000, 1, json!({"http": path}));
        let redirect = json!({"method": "GET", "path": "/v1/catalog", "status": 301, "scheme": "http"});
        api_request(cast, n * 60_000 + 9_000, 1, json!({"api_key_id": null, "http": redirect}));
    }
}

/// A key a day for a week and more, from one network, and then one from this.
fn keys_made(cast: &mut Cast<'_>, net: i64) {
    for n in 0..9 {
        let members =
            json!({"api_key_id": cast.key(n), "user_ref": cast.user(1), "src_ip": cast.address(1, 1)});
        cast.say((n - 9) * DAY_MS + HOUR_MS, "api_key.created", members);
    }
    cast.begin(0);
    for n in 0..2 {
        let members =
            json!({"api_key_id": cast.key(20 + n), "user_ref": cast.user(1), "src_ip": cast.address(net, 1)});
        cast.say(n * 60_000, "api_key.created", members);
    }
}

fn in_url(cast: &mut Cast<'_>) {
    let secret = format!("{:016x}{:016x}", cast.dice.roll(), cast.dice.roll());
    let (path, from) = (format!("/v1/catalog?api_key=key_live_{secret}"), cast.address(1, 1));
    cast.request(0, "GET", &path, 200, &from);
    cast.request(1_000, "GET", "/v1/catalog", 200, &from);
}

/// The token is in the URL by design; whoever asks for it presents it once.
fn embed_url(cast: &mut Cast<'_>) {
    for n in 0..3 {
        let token: String = (0..4).map(|_| format!("{:016x}", cast.dice.roll())).collect();
        let from = cast.address(20 + n, 1);
        cast.request(n * 30_000, "GET", &format!("/embed/partner?token={token}"), 200, &from);
    }
}
