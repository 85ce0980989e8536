//! The logs that CrowdSec tests its scenarios with. Thresholds are each product's own, so what is
//! asked is whether the attacker is told of, not after how many lines.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Outcome, READ_AT, names, outcome_of, rows, third_party};

/// Of the cases that are about what this product is for.
const CORE_FOUND_MIN: usize = 34;
/// Of the others: exploits of named products, hosts and networks.
const OTHERS_FOUND_MIN: usize = 18;

/// How a case went.
struct Told {
    is_core: bool,
    /// `None` where nothing is expected.
    found: Option<(usize, usize)>,
    alerts: usize,
    line: String,
}

/// The addresses that are expected in an alert.
fn sources(case: &Value) -> BTreeSet<String> {
    let expected = case["expect"].as_array().unwrap().iter();
    let sources = expected.flat_map(|alert| alert["sources"].as_array().unwrap());
    sources.filter_map(|source| source["value"].as_str().map(str::to_owned)).collect()
}

fn outcome(case: &Value) -> Outcome {
    let data = third_party().expect("the cases came from there");
    let log = std::fs::read(data.join("crowdsec_detect").join(case["log"].as_str().unwrap())).unwrap();
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    outcome_of(&lines, READ_AT)
}

fn tell(case: &Value) -> Told {
    let outcome = outcome(case);
    // What a feed's clock or silence tells is true of any old log.
    let alerts: Vec<_> = outcome.alerts.iter().filter(|alert| alert.detector != "source_health").collect();
    let expected = sources(case);
    let found = expected.iter().filter(|source| alerts.iter().any(|alert| names(alert, source))).count();
    let is_negative = case["expect_none"].as_bool().unwrap();
    let verdict = match (is_negative, found, alerts.len()) {
        (true, _, 0) => "quiet",
        (true, ..) => "FALSE ALARM",
        (false, found, _) if found > 0 && found == expected.len() => "found",
        (false, 1.., _) => "found some",
        (false, ..) => "MISSED",
    };
    let classes: BTreeSet<_> = alerts.iter().map(|alert| alert.class.as_str()).collect();
    let line = format!(
        "{verdict:<12}{:<36}{found}/{:<4}{:>4} events, {} rejected, {} failures; {}",
        case["id"].as_str().unwrap(),
        expected.len(),
        outcome.lines,
        outcome.rejected,
        outcome.failures,
        classes.into_iter().collect::<Vec<_>>().join(" "),
    );
    Told {
        is_core: case["core"].as_bool().unwrap(),
        found: (!is_negative).then_some((found, expected.len())),
        alerts: alerts.len(),
        line,
    }
}

#[test]
fn attackers_that_others_find_are_found() {
    let Some(cases) = rows("crowdsec_detect/cases.jsonl") else { return };
    let mut told: Vec<Told> = cases.iter().map(tell).collect();
    told.sort_by(|a, b| (b.is_core, &a.line).cmp(&(a.is_core, &b.line)));
    told.iter().for_each(|case| println!("{} {}", if case.is_core { "core " } else { "other" }, case.line));
    let count = |is_core: bool, holds: &dyn Fn(&Told) -> bool| {
        told.iter().filter(|case| case.is_core == is_core && holds(case)).count()
    };
    let is_found = |case: &Told| case.found.is_some_and(|(found, _)| found > 0);
    let is_false = |case: &Told| case.found.is_none() && case.alerts > 0;
    let (core, others) = (count(true, &is_found), count(false, &is_found));
    let (core_false, others_false) = (count(true, &is_false), count(false, &is_false));
    println!(
        "core: {core} found, {core_false} false alarms; others: {others} found, {others_false} false alarms"
    );
    assert!(core >= CORE_FOUND_MIN, "{core} of the core cases");
    assert_eq!(core_false + others_false, 0, "nothing is expected in some cases, and something was raised");
    assert!(others >= OTHERS_FOUND_MIN, "{others} of the others");
}
