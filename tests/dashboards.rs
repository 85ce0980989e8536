//! Every metric that a dashboard names exists.

use std::collections::BTreeSet;

use crate::harness::{Home, files, partner};

#[test]
fn every_metric_that_a_dashboard_names_is_served() {
    let mut home = Home::new("");
    let mut server = home.start();
    let partner = partner("metrics");
    server.send(&partner, "x", &["no format at all"]);
    server.until_stored(&partner, 1);
    let served = server.get_text("/metrics");
    // Families without a member yet still name themselves.
    let families: BTreeSet<&str> =
        served.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let dashboards = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards");
    let mut named = BTreeSet::new();
    for path in
        files(&dashboards).into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "json"))
    {
        named.extend(testkit::dashboards::metric_names(&std::fs::read_to_string(path).unwrap()));
    }
    assert!(named.len() > 10, "the dashboards were found: {named:?}");
    let unserved: Vec<&String> = named
        .iter()
        .filter(|name| {
            let family = ["_total", "_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name);
            // The embedded broker's own metrics are not there on a cluster.
            let absent = crate::harness::cluster().is_some() && name.starts_with("watchfire_broker_");
            !families.contains(family) && !families.contains(name.as_str()) && !absent
        })
        .collect();
    assert!(unserved.is_empty(), "dashboards name what is not served: {unserved:?}");
    server.stop();
}
