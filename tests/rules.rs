//! Rules of one's own: checked, loaded again while the server runs, refused when they are wrong.

use serde_json::Value;

use crate::harness::{Home, Server, partner, watchfire};

fn probe(partner: &str, n: usize) -> String {
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
    format!(
        r#"{{"v":1,"ts":"{now}","event":"api.request","partner_id":"{partner}","src_ip":"203.0.113.9","http":{{"method":"GET","path":"/x{n}","status":404}}}}"#
    )
}

/// What the detector `probing` has told of a partner.
fn alerts(server: &Server, partner: &str) -> Vec<Value> {
    server.alerts(partner).into_iter().filter(|alert| alert["detector"] == "probing").collect()
}

#[test]
fn rules_that_change_are_taken_while_the_server_runs_and_wrong_ones_are_refused() {
    let (acme, other) = (partner("rules"), partner("others"));
    let mut home = Home::new("");
    let rules = home.dir.path().join("rules");
    std::fs::create_dir_all(&rules).unwrap();
    let config = home.dir.path().join("watchfire.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let section = format!("\n[detect]\nrules_dir = '{}'\nreload_interval_ms = 100\n", rules.display());
    std::fs::write(&config, text + &section).unwrap();
    let mut server = home.start();

    let file = rules.join("probing.toml");
    let metric = |outcome: &str| format!("watchfire_rule_reloads_total{{outcome=\"{outcome}\"}} 1");
    std::fs::write(&file, "version = 7\npath = 3").unwrap();
    server.until("the wrong one refused", |server| server.get_text("/metrics").contains(&metric("refused")));
    assert!(home.stderr().contains("probing.toml:2: path: probing has no parameter of this name"));
    let check = || watchfire().args(["check", "--config"]).arg(&config).output().unwrap();
    let said = String::from_utf8(check().stderr).unwrap();
    assert!(said.contains("did you mean paths?"), "{said}");

    std::fs::write(&file, format!("version = 7\n[partners.{acme}]\npaths = 3\nburst_paths = 3\n")).unwrap();
    server.until("the right one loaded", |server| server.get_text("/metrics").contains(&metric("loaded")));
    let said = String::from_utf8(check().stdout).unwrap();
    assert!(said.contains(&format!("{acme} has its own parameters: 1.0.0+7.")), "{said}");
    let hash = said.lines().find_map(|line| line.strip_prefix("rules")).unwrap().trim().to_owned();
    let in_force = format!("watchfire_rules{{hash=\"{hash}\"}} 1");
    server.until("taken by detectors", |server| server.get_text("/metrics").contains(&in_force));

    for partner in [&other, &acme] {
        let lines: Vec<_> = (0..4).map(|n| probe(partner, n)).collect();
        server.send(partner, "edge", &lines);
    }
    server.until("the partner's own rule met", |server| !alerts(server, &acme).is_empty());
    let alert = &alerts(&server, &acme)[0];
    let version = alert["rule_version"].as_str().unwrap();
    assert!(said.contains(&format!("{acme} has its own parameters: {version}")), "{version} in {said}");
    server.until_stored(&other, 4);
    assert_eq!(alerts(&server, &other), Vec::<Value>::new(), "others go by the default");
    server.stop();
}
