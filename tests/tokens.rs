//! Who may come in, and what they see at the door.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use serde_json::json;

use crate::harness::{Home, Server, partner, runtime, watchfire};

/// `watchfire token …` on the data folder of a home.
fn token(home: &Home, arguments: &[&str]) -> Output {
    let config = home.dir.path().join("watchfire.toml");
    watchfire().arg("token").args(arguments).arg("--config").arg(config).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn status(server: &Server, path: &str, token: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("{}{path}", server.api)).bearer_auth(token);
    runtime().block_on(async { request.send().await.unwrap().status().as_u16() })
}

#[test]
fn a_token_is_made_and_revoked_while_the_server_runs() {
    let mut home = Home::new("");
    let refused = token(&home, &["create", "--role", "analyst"]);
    assert!(!refused.status.success(), "there is no server's folder yet");
    let mut server = home.start();
    let made =
        printed(&token(&home, &["create", "--role", "analyst", "--name", "night shift", "--expires", "90d"]));
    let secret = made.trim();
    assert!(secret.starts_with("wf_") && made.lines().count() == 1, "nothing but the token: {made}");
    assert_eq!(status(&server, "/v1/alerts", secret), 200);
    assert_eq!(status(&server, "/v1/tokens", secret), 403, "that is for administrators");
    assert_eq!(server.get("/v1/tokens").1["tokens"].as_array().unwrap().len(), 2);
    let listed = printed(&token(&home, &["list"]));
    assert!(!listed.contains(secret));
    let line = listed.lines().find(|line| line.contains("night shift")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    printed(&token(&home, &["revoke", id]));
    let secret = secret.to_owned();
    server.until("the token is refused", |server| status(server, "/v1/alerts", &secret) == 401);
    assert!(!token(&home, &["revoke", id]).status.success());
    server.stop();
}

#[test]
fn a_calm_partner_is_listed_and_what_curl_sends_is_understood() {
    let partner = partner("calm");
    let mut home = Home::new(
        "[partners.prt_agreed]\nrequests_per_minute = 60.0\ncontacts = ['security@agreed.example']\n",
    );
    let mut server = home.start();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let line = "203.0.113.9 - - [26/Nov/2026:03:14:07 +0000] \"GET /v1/a?b=c&d=%20 HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n";
    let (sent, answer) = server.post(&format!("/v1/logs/{partner}/edge"), line.into(), &form);
    assert_eq!(sent, 200, "{answer}");
    server.until_stored(&partner, 1);
    let statement = json!({"sql": format!("SELECT count(*) AS n FROM events WHERE tenant = '{partner}'")});
    let (asked, answer) = server.post("/v1/query", statement.to_string().into_bytes(), &form);
    assert_eq!((asked, &answer["rows"]), (200, &json!([{"n": 1}])), "{answer}");
    let (_, listed) = server.get("/v1/partners");
    let of = |name: &str| {
        let partners = listed["partners"].as_array().unwrap();
        partners.iter().find(|listed| listed["tenant"] == name).unwrap_or_else(|| panic!("{listed}"))
    };
    let calm = of(&partner);
    assert_eq!((&calm["events"], &calm["alerts"]["open"]), (&1.into(), &0.into()));
    assert_eq!(calm["last_event_at"], "2026-11-26T03:14:07Z");
    assert_eq!(of("prt_agreed")["contacts"], json!(["security@agreed.example"]));
    assert_eq!((&of("prt_agreed")["contract"], &of("prt_agreed")["events"]), (&true.into(), &0.into()));
    server.stop();
}

#[test]
fn an_api_that_would_see_no_alerts_is_not_started() {
    let home = Home::new("");
    let config = home.dir.path().join("watchfire.toml");
    let refused = watchfire().args(["serve", "--roles", "api", "--config"]).arg(config).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("api without alerting"), "{said}");
}

#[test]
fn readiness_names_the_outbox_and_the_control_database() {
    let mut home = Home::new("");
    let server = home.start();
    let (status, readiness) = server.get("/readyz");
    let parts: Vec<_> =
        readiness["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(status, 200);
    assert!(parts.contains(&"outbox") && parts.contains(&"control database"), "{readiness}");
    server.stop();
}

/// A process on the same folder that does not page has no say in who is paged.
#[test]
fn a_process_without_alerting_leaves_the_destinations_alone() {
    let mut home = Home::new(
        "[[alerting.destinations]]\nkind = 'webhook'\nname = 'hook'\nurl = 'http://127.0.0.1:9/hook'\n\
         secret_file = 'SECRET'\nallow_private = true\n",
    );
    let (config, secret) = (home.dir.path().join("watchfire.toml"), home.dir.path().join("secret"));
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("SECRET", &secret.to_string_lossy())).unwrap();
    home.start().stop();

    let untold = home.dir.path().join("untold.toml");
    std::fs::write(&untold, text.split("[[alerting").next().unwrap()).unwrap();
    let mut normalizer = watchfire();
    normalizer.args(["serve", "--roles", "normalize", "--config"]).arg(untold).stdout(Stdio::piped());
    let mut normalizer = normalizer.spawn().unwrap();
    let mut printed = BufReader::new(normalizer.stdout.take().unwrap()).lines();
    assert!(printed.any(|line| line.unwrap().contains("stop     Ctrl-C")), "it has started");
    normalizer.kill().unwrap();
    normalizer.wait().unwrap();

    let destinations = runtime().block_on(async {
        let control = alerting::Control::open(&home.data().join("control.sqlite")).await.unwrap();
        control.outbox_stats().await.unwrap()
    });
    assert!(destinations[0].configured, "{destinations:?}");
}
