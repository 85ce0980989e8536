//! A real host's auth log, four days under attack, and a real site's visitors: what of it is told.

use std::collections::BTreeMap;

use event::EventTime;

use super::{names, outcome_of, third_party};

/// Of two days of visitors, crawlers and passing scanners of a site.
const VISITORS_TOLD_MAX: usize = 1;
/// So many failures in the whole log are more than a person's.
const MANY: i64 = 20;

#[test]
fn who_attacks_a_host_for_days_is_told_of() {
    let Some(data) = third_party() else { return };
    let log = std::fs::read(data.join("auth/elastic_auth_mar27-30.log")).unwrap();
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    // 2017-03-31T00:00:00Z, the night after the last line.
    let outcome = outcome_of(&lines, EventTime(1_490_918_400_000));
    let counts = std::fs::read(data.join("auth/elastic_auth_mar27-30.counts.json")).unwrap();
    let counts: BTreeMap<String, BTreeMap<String, i64>> = serde_json::from_slice(&counts).unwrap();
    let failures = |address: &str| -> i64 {
        let count = |what: &str| counts[address].get(what).copied().unwrap_or(0);
        count("Failed password") + count("Invalid user") + count("Failed publickey")
    };
    let mut attackers: Vec<&str> =
        counts.keys().map(String::as_str).filter(|a| failures(a) >= MANY).collect();
    attackers.sort_by_key(|address| std::cmp::Reverse(failures(address)));
    let mut missed = Vec::new();
    for address in attackers {
        let alerts: Vec<_> = outcome.alerts.iter().filter(|alert| names(alert, address)).collect();
        let classes: std::collections::BTreeSet<_> = alerts.iter().map(|a| a.class.as_str()).collect();
        println!("{address:<18}{:>5} failures, {:>3} alerts {classes:?}", failures(address), alerts.len());
        if alerts.is_empty() {
            missed.push(address);
        }
    }
    let mut by_class: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for alert in &outcome.alerts {
        *by_class.entry((&alert.class, alert.severity.as_str())).or_default() += 1;
    }
    println!("{} alerts {by_class:?}", outcome.alerts.len());
    assert!(missed.is_empty(), "nothing was told of {missed:?}");
    assert_eq!(outcome.rejected, 0);
}

#[test]
fn of_a_real_sites_visitors_few_are_told_of() {
    let Some(data) = third_party() else { return };
    let log = std::fs::read(data.join("traffic/apache_17-18may2015.log")).unwrap();
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let outcome = outcome_of(&lines, EventTime(1_432_080_000_000));
    let told: Vec<_> = outcome.alerts.iter().filter(|alert| alert.detector != "source_health").collect();
    for alert in &told {
        println!("{} {} {} {}", alert.class, alert.severity.as_str(), alert.title, alert.description);
    }
    let above_record = told.iter().filter(|alert| alert.severity > event::Severity::Info).count();
    assert!(above_record <= VISITORS_TOLD_MAX, "{above_record} alerts above the record");
}
