//! Every metric that a dashboard names exists.

use std::collections::BTreeSet;

use crate::attacks::stolen_token;
use crate::harness::{Home, files, partner};

/// A family without a member is not printed, so something of everything has to happen: a line that is
/// read, one that is not, an alert, and a page that nobody takes.
#[test]
fn every_metric_that_a_dashboard_names_is_served() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mut home = Home::new(&format!(
        "[[alerting.destinations]]\nkind = 'webhook'\nname = 'nobody'\nurl = 'http://127.0.0.1:9/hook'\n\
         secret_file = '{}'\nallow_private = true\n",
        secret.path().display()
    ));
    let mut server = home.start();
    let partner = partner("metrics");
    let mut lines = stolen_token(&partner, chrono::Utc::now() - chrono::Duration::seconds(30), 1, TOKEN);
    lines.push("no format at all".to_owned());
    server.send(&partner, "x", &lines);
    server.until_stored(&partner, lines.len() as i64);
    let named = named_metrics();
    assert!(named.len() > 10, "the dashboards were found: {named:?}");
    let mut missing = Vec::new();
    server.until("every metric is served", |server| {
        missing = unserved(&named, &server.get_text("/metrics"));
        missing.is_empty()
    });
    server.stop();
}

const TOKEN: &str = "4d2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";

fn named_metrics() -> BTreeSet<String> {
    let dashboards = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards");
    let of_json = |path: &std::path::PathBuf| path.extension().is_some_and(|ext| ext == "json");
    let texts = files(&dashboards).into_iter().filter(of_json);
    texts
        .flat_map(|path| testkit::dashboards::metric_names(&std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn unserved(named: &BTreeSet<String>, served: &str) -> Vec<String> {
    let families: BTreeSet<&str> =
        served.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let is_served = |name: &&String| {
        let family = ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        // The embedded broker's own metrics are not there on a cluster.
        let absent = crate::harness::cluster().is_some() && name.starts_with("watchfire_broker_");
        families.contains(family) || families.contains(name.as_str()) || absent
    };
    named.iter().filter(|name| !is_served(name)).cloned().collect()
}
