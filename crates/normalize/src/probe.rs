//! Requests that look for something: what was asked for and is not there or not allowed, and what
//! only asks who means to break in.
//!
//! The words are few and general: what an exploit, a file or a console that is everywhere looked for
//! is called. What no client of a product would ask for tells in whatever way it was answered;
//! a console tells only where it was refused, because somebody may well have one.

use std::borrow::Cow;
use std::sync::LazyLock;

use event::EventRow;
use event::ids::digest;
use regex::bytes::Regex;

use crate::agents::is_attack_tool;

/// A request that looks for something.
pub(crate) struct Probe {
    /// What gives it away, in a word.
    pub(crate) telltale: Option<&'static str>,
    /// The same for two requests that look for the same.
    pub(crate) sought: String,
}

fn expression(text: &str) -> Regex {
    Regex::new(text).expect("the expressions are compiled by a test")
}

/// In the order in which they are asked: the worst first.
static TELLING: LazyLock<[(&'static str, Regex); 5]> = LazyLock::new(|| {
    [
        ("exploit", EXPLOIT),
        ("shell", SHELL),
        ("path_traversal", TRAVERSAL),
        ("injection", INJECTION),
        ("sensitive_file", FILE),
    ]
    .map(|(word, text)| (word, expression(&format!("(?i-u){text}"))))
});
/// Any of them, so that a request that is none is looked at once.
static ANY: LazyLock<Regex> =
    LazyLock::new(|| expression(&format!("(?i-u){EXPLOIT}|{SHELL}|{TRAVERSAL}|{INJECTION}|{FILE}")));
static CONSOLES: LazyLock<Regex> = LazyLock::new(|| expression(&format!("(?i-u){CONSOLE}")));

/// What runs somebody's code, or gives away the users of a host.
const EXPLOIT: &str = r"eval-stdin\.php|/phpunit/|htmlawedtest\.php|(?:\$|%24)(?:\{|%7b)jndi|class\.module\.classloader|w00tw00t|invokefunction|call_user_func|allow_url_include|auto_prepend_file|php(?::|%3a)//(?:input|filter)|/bin/(?:ba)?sh\b|cmd\.exe|powershell\b|(?:[;|`]|%3b|%7c|%60|\$\()(?:\s|\+|%20)*(?:wget|curl|chmod|nc|bash)\b|xp_cmdshell|getruntime|/_ignition/execute|\.\.;/|/cgi-bin/(?:\.|%2e|%%)|(?:/|%2f)etc(?:/|%2f)(?:passwd|shadow)\b|/proc/self/";
/// Somebody's shell.
const SHELL: &str = r"[/_-](?:shell|cmd|c99|r57|wso|b374k|webshell|backdoor)\d*\.(?:php|aspx?|jspx?)";
/// A way out of the folder that is served.
const TRAVERSAL: &str =
    r"(?:\.|%(?:25)*2e|%%32%65){2}(?:[/\\]|%(?:25)*(?:2f|5c)|%%32%66)|(?:win|boot)\.ini\b";
/// Code where a value belongs.
const INJECTION: &str = r"(?:<|%3c)(?:script|img|svg|iframe|input|table|body|br|div|object|embed|form|meta|link|style|a)\b|(?:prompt|alert|confirm)(?:\(|%28)|\bon(?:error|load|mouseover|focus|click)(?:=|%3d)|javascript(?::|%3a)|union(?:\s|\+|%20|/\*\*/)+(?:all(?:\s|\+|%20)+)?select|(?:'|%27)(?:\s|\+|%20)*(?:or|and)(?:\s|\+|%20)+['\d%]|(?:sleep|benchmark|pg_sleep)(?:\(|%28)|information_schema";
/// A file that was left behind or never was for others; `/.well-known/` is for everybody.
const FILE: &str = r"/\.(?:[a-vx-z_]|w[^e])[\w-]*|\.(?:sql|bak|swp|pem|key|pfx|kdbx|sqlite3?|dump|passwd|ovpn|ppk)(?:\.(?:gz|zip|bz2|tar))?$|/(?:id_rsa|wp-config\.|web\.config|docker-compose|appsettings\.|config\.(?:php|ya?ml|ini))|phpinfo";
/// Where others administer things; and whose blog's authors they count.
const CONSOLE: &str = r"/(?:wp-(?:login|admin|content|includes|json)|xmlrpc\.php|phpmyadmin|pma|adminer|manager/html|administrator|actuator|jenkins|server-status|hnap1|boaform|cgi-bin|owa|ecp|autodiscover|dana-na|global-protect|tmui|solr|telescope|geoserver|druid|nacos|jmx-console|axis2|crx|jolokia|webfig|cpanel|plesk|kcfinder|fckeditor|ckfinder|elfinder|sslvpn|login\.(?:aspx?|cgi|action)|setup\.(?:php|cgi)|install\.php)\b|^author=\d+$";

/// What a page is made of: where these are missing, somebody forgot to put them there.
const PARTS_OF_PAGES: [&str; 18] = [
    "js",
    "mjs",
    "css",
    "map",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "ico",
    "webp",
    "avif",
    "woff",
    "woff2",
    "ttf",
    "eot",
    "mp4",
    "webmanifest",
];

impl Probe {
    /// What a request looks for, if that is worth a look.
    pub(crate) fn of(row: &EventRow<'_>) -> Option<Self> {
        let is_refused = matches!(row.status, Some(400 | 401 | 403 | 404 | 405 | 444));
        let telltale = telltale(row, is_refused);
        let counts =
            is_refused && row.status != Some(401) && !row.path.as_deref().is_some_and(is_part_of_page);
        if telltale.is_none() && !counts {
            return None;
        }
        Some(Self { telltale, sought: sought(row, telltale) })
    }
}

fn telltale(row: &EventRow<'_>, is_refused: bool) -> Option<&'static str> {
    let (path, query) = (row.path.as_deref().unwrap_or_default(), row.query_redacted.as_deref());
    let query = query.unwrap_or_default();
    let holds = |regex: &Regex| {
        regex.is_match(path.as_bytes()) || (!query.is_empty() && regex.is_match(query.as_bytes()))
    };
    if holds(&ANY) {
        return TELLING.iter().find(|(_, regex)| holds(regex)).map(|(word, _)| *word);
    }
    if row.ua_family.as_deref().is_some_and(is_attack_tool) {
        return Some("attack_tool");
    }
    if is_refused && row.method.as_deref() == Some("CONNECT") {
        return Some("open_proxy");
    }
    (is_refused && holds(&CONSOLES)).then_some("admin_console")
}

/// What tells what it looks for from something else. Ordinarily that is the path: a call that is
/// made again and again with other parameters looks for one thing.
fn sought(row: &EventRow<'_>, telltale: Option<&str>) -> String {
    fn bytes<'r>(text: &'r Option<Cow<'_, str>>) -> &'r [u8] {
        text.as_deref().unwrap_or_default().as_bytes()
    }
    let (query, agent) = match telltale {
        Some("attack_tool") => (bytes(&row.query_redacted), bytes(&row.ua_fp)),
        Some(_) => (bytes(&row.query_redacted), &[][..]),
        None => (&[][..], &[][..]),
    };
    let path = match &row.path {
        Some(path) => Cow::Borrowed(path.as_bytes()),
        None => Cow::Owned(what_was_sent(row).into_bytes()),
    };
    hex::encode(&digest(&[&path, query, agent])[..8])
}

/// What was sent where a request belongs.
fn what_was_sent(row: &EventRow<'_>) -> String {
    let request = sonic_rs::get(row.unmapped.as_deref().unwrap_or_default(), ["request"]);
    request.map(|request| request.as_raw_str().to_owned()).unwrap_or_default()
}

fn is_part_of_page(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| PARTS_OF_PAGES.iter().any(|part| part.eq_ignore_ascii_case(extension)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'r>(path: &'r str, status: i32) -> EventRow<'r> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        EventRow {
            path: Some(path.into()),
            query_redacted: query.map(Into::into),
            status: Some(status),
            method: Some("GET".into()),
            ..EventRow::default()
        }
    }

    #[test]
    fn what_is_looked_for_is_told_by_its_name() {
        for (path, expected) in [
            ("/.env", "sensitive_file"),
            ("/.git/config", "sensitive_file"),
            ("/backup/db.sql.gz", "sensitive_file"),
            ("/static/..%2f..%2fapp.conf", "path_traversal"),
            ("/static/..%2f..%2fetc/passwd", "exploit"),
            ("/%252e%252e%252fa", "path_traversal"),
            ("/search?q=%3Cscript%3E", "injection"),
            ("/items?id=1%27%20or%20%271", "injection"),
            ("/vendor/phpunit/src/Util/PHP/eval-stdin.php", "exploit"),
            ("/?x=${jndi:ldap://a}", "exploit"),
            ("/uploads/my_shell.php", "shell"),
        ] {
            for status in [200, 404] {
                let probe = Probe::of(&row(path, status)).expect(path);
                assert_eq!(probe.telltale, Some(expected), "{path} {status}");
            }
        }
    }

    #[test]
    fn a_console_tells_where_it_was_refused_alone() {
        let telltale = |status| Probe::of(&row("/wp-login.php", status)).and_then(|probe| probe.telltale);
        assert_eq!((telltale(404), telltale(200)), (Some("admin_console"), None));
    }

    #[test]
    fn ordinary_requests_are_no_probes() {
        for path in [
            "/",
            "/v1/sessions",
            "/v1/profiles/usr_81273/orders?from=2026-03-14&sort=-time",
            "/.well-known/openid-configuration",
            "/embed/acme?token=hmac256:k1:2dedb0c9e14eb74b93ba3e8670b03563&parent_origin=https%3A%2F%2Facme.example",
            "/assets/app-4f2a.js",
            "/search?q=union+station+selected",
            "/users?name=O%27Hara",
        ] {
            assert!(Probe::of(&row(path, 200)).is_none(), "{path}");
        }
        assert!(Probe::of(&row("/assets/app-4f2a.js", 404)).is_none(), "a page's parts are nobody's probe");
        assert!(
            Probe::of(&row("/v1/sessions", 401)).is_none(),
            "a credential was refused, which is counted elsewhere"
        );
        assert!(Probe::of(&row("/v1/sessions", 429)).is_none());
    }

    #[test]
    fn one_call_with_other_parameters_looks_for_one_thing() {
        let sought = |path: &'static str| Probe::of(&row(path, 404)).expect(path).sought;
        assert_eq!(sought("/v1/gone?page=1"), sought("/v1/gone?page=2"));
        assert_ne!(sought("/v1/gone"), sought("/v1/lost"));
        assert_ne!(sought("/a?author=1"), sought("/a?author=2"));
    }
}
