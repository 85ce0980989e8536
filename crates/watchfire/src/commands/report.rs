//! `watchfire report key`: what one credential did, for people or as JSON.

use std::io::Write;

use serde_json::Value;

use super::printable::printable;
use super::server::ServerArgs;
use super::table::Table;

/// Flags of `report`.
#[derive(clap::Args)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    report: Report,
}

#[derive(clap::Subcommand)]
enum Report {
    /// What an API key, a token or a session did: endpoints, addresses, users, before and after a moment.
    Key(KeyArgs),
}

#[derive(clap::Args)]
struct KeyArgs {
    /// The key's id or fingerprint, or a token's or session's fingerprint, as events and alerts name it.
    fingerprint: String,
    /// The moment (RFC 3339); when the earliest alert was triggered that names it, or a day ago.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// From when on (RFC 3339); 30 days back if left out.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when (RFC 3339); now if left out.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let Report::Key(args) = &args.report;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let moments = [("at", &args.at), ("since", &args.since), ("until", &args.until)];
    let moments: Vec<(&str, &str)> =
        moments.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let path = ["v1", "reports", "key", &args.fingerprint];
    let report = runtime.block_on(args.server.get(&path, &moments))?;
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", super::printable::json_line(&report)?)?,
        false => write!(out, "{}", told(&report))?,
    }
    Ok(())
}

/// The lists of a report, and which of an entry's fields are shown.
const LISTS: [(&str, &[&str]); 5] = [
    ("endpoints", &["route"]),
    ("addresses", &["address", "country", "asn", "as_name"]),
    ("users", &["user_ref"]),
    ("credentials", &["api_key_id", "api_key_fp", "token_fp", "session_id"]),
    ("outcomes", &["action", "outcome", "reason", "status"]),
];

fn told(report: &Value) -> String {
    let mut text = format!(
        "{}\nfrom {} until {}, before and after {}\n",
        shown(&report["key"]),
        shown(&report["since"]),
        shown(&report["until"]),
        shown(&report["at"])
    );
    let mut periods =
        Table::new(&["", "events#", "failures#", "endpoints#", "addresses#", "countries#", "users#"]);
    for period in ["before", "after"] {
        let count = |what: &str| shown(&report[period][what]);
        let counts = ["events", "failures", "endpoints", "addresses", "countries", "users"].map(count);
        let [events, failures, endpoints, addresses, countries, users] = counts;
        periods.row([period.to_owned(), events, failures, endpoints, addresses, countries, users]);
    }
    text.push_str(&format!("\n{periods}"));
    for (list, fields) in LISTS {
        let mut table = Table::new(&[list, "before#", "after#", "failures#", "first seen", "last seen"]);
        for entry in entries(report, list) {
            let named = fields.iter().map(|field| shown(&entry[*field])).filter(|text| !text.is_empty());
            let named = named.collect::<Vec<_>>().join(" ");
            let of = |what: &str| shown(&entry[what]);
            table.row([named, of("before"), of("after"), of("failures"), of("first_seen"), of("last_seen")]);
        }
        text.push_str(&format!("\n{table}{}", more(report, list)));
    }
    let mut alerts = Table::new(&["alerts", "severity", "triggered", "title"]);
    for alert in entries(report, "alerts") {
        let of = |what: &str| shown(&alert[what]);
        alerts.row([of("alert_id"), of("severity"), of("triggered_at"), of("title")]);
    }
    text.push_str(&format!("\n{alerts}{}", more(report, "alerts")));
    text
}

fn entries<'a>(report: &'a Value, list: &str) -> &'a [Value] {
    report[list]["entries"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn more(report: &Value, list: &str) -> &'static str {
    if report[list]["truncated"] == true { "and more\n" } else { "" }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text.as_bytes()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told_list_by_list() {
        let used = json!({"route": "GET /v1/orders", "before": 60, "after": 1, "failures": 0});
        let report = json!({
            "key": "key_\u{1b}1", "since": "a", "until": "b", "at": "c",
            "before": {"events": 60}, "after": {"events": 1},
            "endpoints": {"entries": [used], "truncated": true},
            "alerts": {"entries": [{"alert_id": "alr_1", "severity": "high"}], "truncated": false},
        });
        let told = told(&report);
        assert!(told.starts_with("key_\\u{1b}1\nfrom a until b, before and after c\n"), "{told}");
        assert!(told.contains("GET /v1/orders      60      1"), "{told}");
        assert!(told.contains("and more\n") && told.contains("alr_1   high"), "{told}");
    }
}
