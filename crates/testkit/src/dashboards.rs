//! Which metrics a dashboard asks for, read out of its PromQL.
//!
//! A panel whose metric was renamed shows nothing, and nobody notices until the night it is
//! needed; so a test holds these names against what a server serves.

use std::collections::BTreeSet;

use serde_json::Value;

/// The metrics that a Grafana dashboard (its JSON text) names in queries and variables; none if
/// the text is not JSON.
pub fn metric_names(dashboard: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(dashboard) = serde_json::from_str(dashboard) {
        walk(&dashboard, &mut names);
    }
    names
}

fn walk(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, names)),
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(query) if matches!(key.as_str(), "expr" | "query" | "definition") => {
                        names.extend(metrics_in_query(query).into_iter().map(str::to_owned));
                    }
                    other => walk(other, names),
                }
            }
        }
        _ => {}
    }
}

/// What is a word but no metric.
const KEYWORDS: &[&str] = &["and", "or", "unless", "offset", "bool", "inf", "nan", "start", "end"];
/// What is followed by label names in parentheses.
const BY_LABELS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The metrics that a PromQL query names.
pub fn metrics_in_query(query: &str) -> Vec<&str> {
    // Of Grafana's `label_values(metric{…}, label)` the second part is no metric.
    let query = match query.strip_prefix("label_values(").and_then(|inner| inner.rsplit_once(',')) {
        Some((metric, _label)) => metric,
        None => query,
    };
    let mut metrics = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if matches!(first, '{' | '[') {
            rest = past(rest, if first == '{' { '}' } else { ']' });
        } else if matches!(first, '"' | '\'') {
            rest = past(&rest[1..], first);
        } else if first.is_ascii_digit() {
            // `5m`, `1e3`: the letters belong to the number.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if is_name(first) {
            let (name, after) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            rest = after.trim_start();
            let lower = name.to_ascii_lowercase();
            if BY_LABELS.contains(&lower.as_str()) {
                rest = if rest.starts_with('(') { past(rest, ')') } else { rest };
            } else if !is_call(rest) && !KEYWORDS.contains(&lower.as_str()) {
                metrics.push(name);
            }
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    metrics
}

/// Whether the word before was a function: `rate(…)`, `sum by (…) (…)`.
fn is_call(rest: &str) -> bool {
    let word = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
    rest.starts_with('(') || matches!(word, "by" | "without")
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// What follows the first `end`.
fn past(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &[&str]) {
        assert_eq!(metrics_in_query(query), expected, "{query}");
    }

    #[test]
    fn metrics_are_told_from_functions_labels_and_numbers() {
        check("up", &["up"]);
        check("sum by (stage) (rate(a_total{stage=~\"x|y\"}[$__rate_interval]))", &["a_total"]);
        check("sum(rate(a_total[5m])) without (b) / on (c) group_left (d) e * 1e3", &["a_total", "e"]);
        check("histogram_quantile(0.99, sum(rate(h_bucket[5m])) by (le)) > bool 2", &["h_bucket"]);
        check("a offset 5m unless b", &["a", "b"]);
        check("label_values(a_total{x=\"y\"}, tenant)", &["a_total"]);
        check("time() - 5", &[]);
    }

    #[test]
    fn queries_are_found_wherever_they_stand() {
        let dashboard = r#"{"panels": [{"targets": [{"expr": "sum(a)"}, {"expr": "b"}]}],
            "templating": {"list": [{"query": {"query": "label_values(c, tenant)"}}]}}"#;
        assert_eq!(metric_names(dashboard), ["a", "b", "c"].map(str::to_owned).into());
        assert!(metric_names("not JSON").is_empty());
    }

    #[test]
    fn every_dashboard_we_ship_asks_for_metrics_of_ours() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dashboards");
        let mut dashboards = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let names = metric_names(&std::fs::read_to_string(&path).unwrap());
                let foreign: Vec<_> = names
                    .iter()
                    .filter(|name| !["watchfire_", "process_"].iter().any(|prefix| name.starts_with(prefix)))
                    .collect();
                assert!(!names.is_empty() && foreign.is_empty(), "{}: {foreign:?}", path.display());
                dashboards += 1;
            }
        }
        assert!(dashboards >= 2);
    }
}
