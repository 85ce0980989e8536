//! The events that Panther tests its rules with, of those rules that are about failed logins by
//! number. Each of them is about one event; here it comes as often as it takes to be noticed.
//!
//! Not asked are rules about what this product does not watch (changes of configuration, of hosts
//! and of cloud resources), those that report whatever an identity provider has found out by itself,
//! and travel: where an address is, a database says that is no part of the tests.

use serde_json::Value;

use super::{READ_AT, outcome_of, rows};

const RULES: [&str; 3] = [
    "Axonius.TooManyFailedLogins",
    "Databricks.Audit.RepeatedFailedLoginAttempts",
    "OpenAI.CredentialStuffing",
];
/// As many as a burst of logins has at least.
const TIMES: usize = 6;
const FOUND_MIN: usize = 3;

/// Whether something is raised on an event that comes several times.
fn is_raised(event: &Value) -> bool {
    let line = event.to_string();
    let outcome = outcome_of(&[line.as_bytes(); TIMES], READ_AT);
    outcome.alerts.iter().any(|alert| alert.detector == "failed_authentication")
}

#[test]
fn failed_logins_that_others_count_are_counted() {
    let Some(rules) = rows("panther/rules.jsonl") else { return };
    let asked = rules.iter().filter(|rule| RULES.iter().any(|name| rule["rule"] == *name));
    let (mut found, mut missed, mut surplus) = (0, 0, 0);
    for rule in asked {
        for test in rule["tests"].as_array().unwrap() {
            let (is_expected, is_raised) = (test["expected"].as_bool().unwrap(), is_raised(&test["log"]));
            println!("{} {}: expected {is_expected}, raised {is_raised}", rule["rule"], test["name"]);
            // A failure is one with a name and without.
            let is_nameless = test["name"].as_str().unwrap().contains("Without Username");
            match (is_expected, is_raised) {
                (true, true) => found += 1,
                (true, false) => missed += 1,
                (false, true) if !is_nameless => surplus += 1,
                (false, _) => {}
            }
        }
    }
    println!("{found} found, {missed} missed, {surplus} raised that should not be");
    assert!(found >= FOUND_MIN && surplus == 0, "{found} found, {surplus} too many");
}
