//! Objects and paths: asked for one after another, and what is not there.

use serde_json::json;

use super::cast::{BACKEND, Cast};
use super::{Kind, MINUTE_MS};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("objects_walked", &["authz.bola_probe"], walk).also(&["scan.enumeration"]),
    Kind::attack("objects_walked_and_one_given", &["authz.bola_probe"], walk_with_a_find)
        .also(&["scan.enumeration"]),
    Kind::attack("object_of_another_partner", &["authz.cross_partner"], cross_partner),
    Kind::attack("objects_of_other_partners_asked_for", &["authz.cross_partner"], |cast| of_others(cast, 2)),
    Kind::attack("paths_guessed", &["scan.enumeration"], enumeration),
    Kind::attack("holes_looked_for", &["scan.probing", "scan.enumeration"], probing),
    Kind::attack("limit_ignored", &["abuse.rate_limit"], rate_limit),
    Kind::near_miss("objects_read_in_order", read_in_order),
    Kind::near_miss("objects_that_were_deleted", deleted),
    Kind::near_miss("objects_of_one_partner_mistaken", |cast| of_others(cast, 1)),
    Kind::near_miss("crawler_within_bounds", crawler),
    Kind::near_miss("deploy_that_breaks_a_path", broken_deploy),
    Kind::near_miss("limit_met_and_heeded", rate_limit_heeded),
];

fn read(cast: &mut Cast<'_>, at: i64, object: i64, status: u16) {
    let members = json!({
        "api_key_id": cast.key(1), "src_ip": cast.address(1, 1), "user_agent": BACKEND,
        "http": {"method": "GET", "path": format!("/v1/profiles/usr_{object}"), "status": status},
    });
    cast.say(at, "api.request", members);
}

fn walk(cast: &mut Cast<'_>) {
    for n in 0..50 {
        read(cast, n * 8_000, 90_001 + n, 403);
    }
}

fn walk_with_a_find(cast: &mut Cast<'_>) {
    for n in 0..50 {
        read(cast, n * 8_000, 90_001 + n, if n == 40 { 200 } else { 403 });
    }
}

fn cross_partner(cast: &mut Cast<'_>) {
    let members = json!({
        "api_key_id": cast.key(1), "src_ip": cast.address(1, 1), "user_agent": BACKEND,
        "object_id": "ord_4711", "object_owner": "prt_another",
        "http": {"method": "GET", "path": "/v1/orders/ord_4711", "status": 200},
    });
    cast.say(0, "api.request", members.clone());
    cast.say(30_000, "api.request", members);
}

/// A handful of objects of so many other partners, all of them refused.
fn of_others(cast: &mut Cast<'_>, partners: i64) {
    for n in 0..5 {
        let members = json!({
            "api_key_id": cast.key(1), "src_ip": cast.address(1, 1), "user_agent": BACKEND,
            "object_id": format!("ord_{}", 4_700 + n * 31), "object_owner": format!("prt_other{}", n % partners),
            "http": {"method": "GET", "path": format!("/v1/orders/ord_{}", 4_700 + n * 31), "status": 403},
        });
        cast.say(n * 45_000, "api.request", members);
    }
}

/// An export.
fn read_in_order(cast: &mut Cast<'_>) {
    for n in 0..120 {
        read(cast, n * 3_000, 50_001 + n, 200);
    }
}

/// A few of them are gone, and one is somebody else's.
fn deleted(cast: &mut Cast<'_>) {
    for n in 0..90 {
        let status = match n % 9 {
            4 => 404,
            7 if n < 60 => 403,
            _ => 200,
        };
        read(cast, n * 6_000, 70_000 + n * 7, status);
    }
}

const WORDS: [&str; 12] = [
    "accounts", "billing", "export", "internal", "keys", "members", "reports", "search", "staff", "store",
    "tenants", "users",
];

fn enumeration(cast: &mut Cast<'_>) {
    let from = cast.address(9, 1);
    for n in 0..48 {
        let path = format!("/v{}/{}", n / 12 + 1, WORDS[n % 12]);
        cast.request(n as i64 * 3_000, "GET", &path, 404, &from);
    }
}

fn probing(cast: &mut Cast<'_>) {
    const PATHS: [&str; 24] = [
        "/.env",
        "/.git/config",
        "/.git/HEAD",
        "/.aws/credentials",
        "/.ssh/id_rsa",
        "/wp-config.php.bak",
        "/phpmyadmin/",
        "/wp-admin/setup-config.php",
        "/.env.production",
        "/.svn/entries",
        "/config.php.bak",
        "/backup.sql",
        "/dump.sql",
        "/actuator/env",
        "/server-status",
        "/cgi-bin/../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc/passwd",
        "/shell.php",
        "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
        "/.htpasswd",
        "/manager/html",
        "/solr/admin/info/system",
        "/id_rsa",
        "/.DS_Store",
    ];
    let from = cast.address(9, 1);
    for (n, path) in (0..).zip(PATHS) {
        cast.request(n * 4_000, "GET", path, 404, &from);
    }
}

/// Links to pages that are gone are among those that are there.
fn crawler(cast: &mut Cast<'_>) {
    let from = cast.address(1, 1);
    for n in 0..120 {
        let (path, status) = if n % 10 == 3 {
            (format!("/v1/catalog/old-{n}"), 404)
        } else {
            (format!("/v1/catalog/{n}"), 200)
        };
        cast.request(n * 4_000, "GET", &path, status, &from);
    }
}

/// One path is gone for everybody, each of whom tries it twice.
fn broken_deploy(cast: &mut Cast<'_>) {
    for n in 0..150 {
        let from = cast.address(20 + n % 150, n);
        for tries in 0..2 {
            cast.request(n * 10_000 + tries * 700, "GET", "/v1/checkout/cart", 404, &from);
        }
    }
}

fn limited(cast: &mut Cast<'_>, at: i64) {
    let members = json!({
        "api_key_id": cast.key(1), "src_ip": cast.address(1, 1), "user_agent": BACKEND,
        "http": {"method": "GET", "path": "/v1/catalog", "status": 429},
    });
    cast.say(at, "api.rate_limited", members);
}

fn rate_limit(cast: &mut Cast<'_>) {
    (0..40).for_each(|n| limited(cast, n * 5_000));
}

/// It waits longer each time.
fn rate_limit_heeded(cast: &mut Cast<'_>) {
    let mut at = 0;
    for n in 0..12 {
        limited(cast, at);
        at += (1_000 << n.min(8)) as i64;
    }
    limited(cast, at.max(5 * MINUTE_MS));
}
