//! The broker's own door: who may log in, and what each may send.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::harness::{Home, Server, cluster, watchfire};

/// A command with words for its standard input.
fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn user(home: &Home, arguments: &[&str], input: &str) -> String {
    let config = home.dir.path().join("watchfire.toml");
    let output = run(watchfire().arg("user").args(arguments).arg("--config").arg(config), input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn send(server: &Server, partner: &str, name: &str, password: &str) -> Output {
    let properties = [
        "security.protocol=sasl_plaintext".to_owned(),
        "sasl.mechanism=SCRAM-SHA-512".to_owned(),
        format!("sasl.username={name}"),
        format!("sasl.password={password}"),
    ];
    let mut command = watchfire();
    command.args(["send", "--partner", partner, "--feed", "edge", "--kafka", &server.kafka]);
    for property in &properties {
        command.args(["-X", property]);
    }
    run(
        &mut command,
        "203.0.113.9 - - [26/Nov/2026:03:14:07 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n",
    )
}

#[test]
fn a_partner_logs_in_to_the_broker_and_sends_its_own_logs_only() {
    if cluster().is_some() {
        return eprintln!("skipped, needs the embedded broker: users");
    }
    let mut home = Home::with_broker("users_file = '{home}/users'", "");
    user(&home, &["set", "ops", "--role", "admin", "--password-stdin"], "a phrase to remember\n");
    let password = user(&home, &["set", "prt_acme"], "");
    let password = password.trim();
    assert_eq!(password.len(), 32, "nothing but the password: {password}");
    let listed = user(&home, &["list"], "");
    assert!(listed.contains("prt_acme") && !listed.contains(password), "{listed}");
    let written = std::fs::read_to_string(home.dir.path().join("users")).unwrap();
    assert!(!written.contains(password));

    // Every stage of the server itself works behind the same door.
    let mut server = home.start();
    assert!(send(&server, "prt_acme", "prt_acme", password).status.success());
    server.until_stored("prt_acme", 1);
    assert!(send(&server, "prt_acme", "ops", "a phrase to remember").status.success());
    server.until_stored("prt_acme", 2);

    let denied = send(&server, "prt_zeta", "prt_acme", password);
    let why = String::from_utf8_lossy(&denied.stderr).to_lowercase();
    assert!(!denied.status.success() && why.contains("authorization"), "{why}");
    let wrong = send(&server, "prt_acme", "prt_acme", "guessed");
    let why = String::from_utf8_lossy(&wrong.stderr).to_lowercase();
    assert!(!wrong.status.success() && why.contains("authentication"), "{why}");
    user(&home, &["remove", "prt_acme"], "");
    server.stop();
}
