//! Who is watched, and who only seems to be.

use chrono::{Duration, Utc};
use serde_json::Value;

use crate::attacks::stolen_token;
use crate::harness::{Home, partner};

#[test]
fn what_detectors_see_of_a_partner_is_told_with_what_they_do_not() {
    let partner = partner("seen");
    let mut home = Home::new("[detect]\ncoverage_interval_seconds = 1\n");
    let mut server = home.start();
    let token = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
    server.send(&partner, "handshake", &stolen_token(&partner, Utc::now() - Duration::seconds(30), 1, token));
    server.until_stored(&partner, 3);

    let (status, answer) = server.get("/v1/coverage");
    assert_eq!(status, 200, "{answer}");
    let matrix: Vec<&Value> = answer["coverage"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["tenant"] == partner.as_str())
        .collect();
    let state = |detector: &str| {
        let row = matrix.iter().find(|row| row["detector"] == detector);
        let row = row.unwrap_or_else(|| panic!("{detector} is not in {answer}"));
        (row["state"].as_str().unwrap(), row["reason"].as_str().unwrap())
    };
    assert_eq!(state("token_reuse"), ("armed", ""));
    assert_eq!(state("failed_authentication"), ("armed", ""));
    assert_eq!(state("key_use").0, "learning");
    assert_eq!(state("request_spike"), ("blind", "no line tells of a request"));
    // Every detector that there is has a row.
    let (_, catalogue) = server.get("/v1/detectors");
    let names = catalogue.as_array().or_else(|| catalogue["detectors"].as_array()).unwrap();
    assert_eq!(matrix.len(), names.len(), "{catalogue}");

    let sight = |detector: &str, state: &str, is: u8| {
        format!("watchfire_coverage{{tenant=\"{partner}\",detector=\"{detector}\",state=\"{state}\"}} {is}")
    };
    let shown = [
        sight("token_reuse", "armed", 1),
        sight("token_reuse", "blind", 0),
        sight("request_spike", "blind", 1),
    ];
    server.until("the matrix is a metric", |server| {
        let served = server.get_text("/metrics");
        shown.iter().all(|line| served.lines().any(|served| served == line))
    });
    server.stop();
}
