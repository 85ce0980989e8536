//! A description is mended while lines come in, and what could not be read before is read then.

use std::process::Output;

use crate::harness::{Home, Server, partner, watchfire};

fn description(conversion: &str) -> String {
    format!(
        "about: A gate of our own.\nformat: template\nrecognise: by_format\n\
         template: 'gate ${{time:20}} who=${{who:word}} from=${{ip:word}} ok=${{ok:word}}'\n\
         time: {{from: time, formats: [rfc3339]}}\n\
         columns:\n  user_ref: who\n  src_ip: {{from: ip, as: {conversion}}}\n  outcome: {{from: ok, words: {{yes: success, no: failure}}}}\n\
         set: {{action: login, observe: [auth_by_account, auth_by_address]}}\n"
    )
}

fn run(server: &Server, arguments: &[&str]) -> Output {
    let mut command = watchfire();
    command.args(arguments).env("WATCHFIRE_URL", &server.api).env("WATCHFIRE_TOKEN", &server.token);
    command.output().unwrap()
}

#[track_caller]
fn says(server: &Server, arguments: &[&str]) -> String {
    let output = run(server, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn rejects_become_events_once_their_description_is_mended() {
    let partner = partner("redrive");
    let mut home = Home::new("");
    let schemas = home.dir.path().join("schemas");
    std::fs::create_dir_all(schemas.join("gate")).unwrap();
    let config = home.dir.path().join("watchfire.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let section = format!("\n[normalize]\nschemas_dir = '{}'\nreload_interval_ms = 100\n", schemas.display());
    std::fs::write(&config, text + &section).unwrap();
    let mut server = home.start();
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
    let gate = |who: &str| format!("gate {now} who={who} from=203.0.113.9 ok=no");
    server.send(&partner, "gate", &[gate("dana"), gate("kim"), "nobody knows this".to_owned()]);
    server.until_stored(&partner, 3);
    let rejected = format!("SELECT count(*) FROM rejects WHERE tenant = '{partner}'");
    assert_eq!(server.count(&rejected), 3);

    let file = schemas.join("gate/schema.yaml");
    std::fs::write(&file, description("ipp")).unwrap();
    let metric = |outcome: &str| format!("watchfire_reloads_total{{outcome=\"{outcome}\"}} 1");
    server.until("the wrong one refused", |server| server.get_text("/metrics").contains(&metric("refused")));
    assert!(home.stderr().contains("gate/schema.yaml:8: columns.src_ip.as: no conversion is named `ipp`"));
    std::fs::write(&file, description("ip")).unwrap();
    server.until("the right one loaded", |server| server.get_text("/metrics").contains(&metric("loaded")));

    let redrive = ["redrive", "--partner", &partner, "--kafka", &server.kafka.clone()];
    let planned = says(&server, &[&redrive[..], &["--dry-run"]].concat());
    assert!(planned.contains("3  would be sent again"), "{planned}");
    let done = says(&server, &redrive);
    assert!(
        done.contains("3 lines sent again: 2 became events, 1 were rejected again (unknown_format)"),
        "{done}"
    );
    let users = server.sql(&format!(
        "SELECT user_ref, outcome FROM events WHERE tenant = '{partner}' AND redriven_from IS NOT NULL ORDER BY 1"
    ));
    assert_eq!(users.len(), 2);
    assert_eq!((&users[0]["user_ref"], &users[1]["outcome"]), (&"dana".into(), &"failure".into()));

    let again = says(&server, &redrive);
    assert!(again.contains("1 lines sent again: 0 became events"), "only what is still a reject: {again}");
    let drift = says(&server, &["drift", "--partner", &partner]);
    assert!(drift.contains("gate: 2 events, 0 rejects"), "{drift}");
    assert!(drift.contains("unknown_format"), "{drift}");
    server.stop();
}
