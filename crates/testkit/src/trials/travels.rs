//! Users who are let in at several places, and whether anybody can travel between these in the time.

use serde_json::json;

use super::cast::{BROWSER, Cast};
use super::{Kind, MINUTE_MS};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("user_in_singapore_within_the_hour", &["user.impossible_travel"], |cast| {
        travels(cast, &[(0, BERLIN), (40 * MINUTE_MS, SINGAPORE), (55 * MINUTE_MS, BERLIN)]);
    }),
    Kind::attack("user_at_home_and_in_another_country_by_turns", &["user.impossible_travel"], |cast| {
        let by_turns: Vec<_> =
            (0..20).map(|n| (n * 100_000, if n % 2 == 0 { BERLIN } else { NEW_YORK })).collect();
        travels(cast, &by_turns);
    }),
    // Nearly three thousand kilometres at 800 km/h.
    Kind::near_miss("user_who_flies", |cast| {
        travels(cast, &[(0, BERLIN), (2 * MINUTE_MS, BERLIN), (219 * MINUTE_MS, CAIRO)]);
    }),
    Kind::near_miss("user_from_wireless_to_mobile", |cast| {
        travels(cast, &[(0, BERLIN), (2 * MINUTE_MS, NEXT_TOWN), (4 * MINUTE_MS, BERLIN)]);
    }),
    Kind::near_miss("user_with_another_provider_in_town", |cast| {
        travels(cast, &[(0, BERLIN), (10 * MINUTE_MS, IN_TOWN), (20 * MINUTE_MS, BERLIN)]);
    }),
    Kind::near_miss("user_behind_a_hosted_vpn", |cast| {
        travels(cast, &[(0, BERLIN), (10 * MINUTE_MS, HOSTED), (20 * MINUTE_MS, BERLIN)]);
    }),
];

/// A network, and where it is.
#[derive(Clone, Copy)]
struct Somewhere {
    net: i64,
    asn: i64,
    country: &'static str,
    degrees: (f64, f64),
}

const BERLIN: Somewhere = Somewhere { net: 1, asn: 64_500, country: "DE", degrees: (52.52, 13.405) };
/// Another provider there.
const IN_TOWN: Somewhere = Somewhere { net: 2, asn: 64_501, ..BERLIN };
/// A mobile network's way out, 150 km off.
const NEXT_TOWN: Somewhere = Somewhere { net: 3, asn: 64_502, country: "DE", degrees: (51.34, 12.37) };
const NEW_YORK: Somewhere = Somewhere { net: 4, asn: 64_503, country: "US", degrees: (40.71, -74.01) };
const CAIRO: Somewhere = Somewhere { net: 7, asn: 64_505, country: "EG", degrees: (30.04, 31.24) };
const SINGAPORE: Somewhere = Somewhere { net: 5, asn: 64_504, country: "SG", degrees: (1.35, 103.82) };
const HOSTED: Somewhere = Somewhere { net: 6, asn: 14_061, country: "SG", degrees: (1.35, 103.82) };

/// One user's logins, as an issuer that writes OCSF tells them.
fn travels(cast: &mut Cast<'_>, stops: &[(i64, Somewhere)]) {
    for (at, stop) in stops {
        let said = json!({
            "activity_id": 1, "category_uid": 3, "class_uid": 3002, "type_uid": 300_201,
            "time": (cast.start + *at).millis(), "severity_id": 1, "status_id": 1,
            "user": {"uid": cast.user(1)}, "actor": {"app_uid": cast.tenant}, "http_request": {"user_agent": BROWSER},
            "src_endpoint": {
                "ip": cast.address(stop.net, 1),
                "location": {"country": stop.country, "lat": stop.degrees.0, "long": stop.degrees.1},
                "autonomous_system": {"number": stop.asn},
            },
            "metadata": {"version": "1.8.0", "tenant_uid": cast.tenant, "uid": format!("evt_{}_{at}", cast.tag())},
        });
        cast.write("issuer", *at, said.to_string());
    }
}
