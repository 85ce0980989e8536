//! What the person who started it sees: what listens where, progress, alerts as they rise, and at
//! the end what was done.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use alerting::{AlertFilter, Control, PageRequest};
use event::{Alert, Change, Scope, Severity};
use pipeline::StageStatus;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::Kafka;
use super::parts::Parts;
use super::threads::Threads;
use crate::cli::ServeArgs;
use crate::config::Config;
use crate::telemetry::Usage;

const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Where this process can be reached, besides the broker.
#[derive(Clone, Copy, Default)]
pub(crate) struct Addresses {
    pub(crate) api: Option<SocketAddr>,
    pub(crate) postgres: Option<SocketAddr>,
    pub(crate) flight: Option<SocketAddr>,
}

/// Says what listens where and, the first time, who may come in.
pub(crate) async fn greet(
    config: &Config,
    args: &ServeArgs,
    broker: &Kafka,
    parts: &Parts,
    addresses: Addresses,
) -> anyhow::Result<()> {
    println!("Watchfire {}", env!("CARGO_PKG_VERSION"));
    let kind = if broker.embedded.is_some() { "embedded, one node" } else { "cluster" };
    println!("  kafka    {} ({kind}): send logs to topics logs.<partner>.<feed>", broker.address);
    if let Some(address) = addresses.api {
        println!("  api      http://{address}  (docs at http://{address}/docs)");
    }
    if let Some(address) = addresses.postgres {
        println!("  postgres {address}  (database watchfire; the password is a token)");
    }
    if let Some(address) = addresses.flight {
        println!("  flight   {address}  (Arrow Flight SQL; the bearer or password is a token)");
    }
    println!("  data     {}", config.server.data_dir.display());
    let roles: Vec<String> =
        config.server.roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect();
    println!("  roles    {}", roles.join(", "));
    if let Some(token) = parts.control.ensure_admin_token().await? {
        println!("  token    {}", token.expose_secret());
        println!("           the administrator's; it is shown this once and kept only as a hash");
    }
    println!("  stop     Ctrl-C; it finishes what it is at");
    if args.demo {
        println!("  demo     three hours of six partners' traffic with attacks in it, then live");
    }
    Ok(())
}

/// Prints progress and alerts until told to stop.
pub(crate) fn watch(
    args: &ServeArgs,
    parts: &Parts,
    threads: &Threads,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let quiet = args.quiet;
    let (control, statuses) = (parts.control.clone(), threads.statuses());
    tokio::spawn(async move {
        let mut newest = control.newest_sequence();
        let mut told = *newest.borrow_and_update();
        let mut progress = Progress::new(statuses);
        let mut every = tokio::time::interval(PROGRESS_EVERY);
        every.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = every.tick() => if !quiet { progress.print() },
                changed = newest.changed() => match changed {
                    Ok(()) => told = tell(&control, told).await,
                    Err(_) => break,
                },
            }
        }
    })
}

/// Prints the alerts that came after `told`; answers how far it got.
async fn tell(control: &Control, mut told: i64) -> i64 {
    while let Ok(changes) = control.changes_after(&Scope::All, told, 200).await {
        let Some(last) = changes.last() else { break };
        told = last.sequence;
        for logged in &changes {
            // Informational alerts are signals for those who look for them, not news.
            if logged.change.change == Change::Create && logged.change.alert.severity > Severity::Info {
                println!("{}", alert_line(&logged.change.alert));
            }
        }
    }
    told
}

/// An alert on one line of a terminal.
pub(crate) fn alert_line(alert: &Alert) -> String {
    let Alert { severity, alert_id, title, triggered_at, .. } = alert;
    // A log's words are not to be trusted with a terminal.
    let title: String = title.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("alert {:<8} {triggered_at} {title}  [{alert_id}]", severity.as_str())
}

struct Progress {
    statuses: Vec<(&'static str, StageStatus)>,
    records: u64,
    at: Instant,
}

impl Progress {
    fn new(statuses: Vec<(&'static str, StageStatus)>) -> Self {
        Self { statuses, records: 0, at: Instant::now() }
    }

    fn print(&mut self) {
        let reports: Vec<_> = self.statuses.iter().map(|(name, status)| (*name, status.report())).collect();
        let records =
            reports.iter().find(|(name, _)| *name == "normalize").map_or(0, |(_, report)| report.records);
        let rate = (records - self.records) as f64 / self.at.elapsed().as_secs_f64();
        (self.records, self.at) = (records, Instant::now());
        let behind: Vec<&str> =
            reports.iter().filter(|(_, report)| !report.caught_up).map(|(name, _)| *name).collect();
        let usage = Usage::now();
        let state = if behind.is_empty() {
            "all stages at the end".into()
        } else {
            format!("working: {}", behind.join(", "))
        };
        println!(
            "{records} records read ({rate:.0}/s), {state}, {:.0} CPU s, {} MiB",
            usage.cpu_seconds,
            usage.resident_bytes >> 20
        );
    }
}

/// Says what was done.
pub(crate) async fn farewell(
    config: &Config,
    args: &ServeArgs,
    parts: &Parts,
    threads: &Threads,
) -> anyhow::Result<()> {
    let usage = Usage::now();
    let stages: serde_json::Map<String, serde_json::Value> = threads
        .statuses()
        .iter()
        .map(|(name, status)| {
            let report = status.report();
            let told = serde_json::json!({
                "records": report.records,
                "deliveries": report.deliveries,
                "restarts": report.restarts,
                "cpu_seconds": report.cpu_seconds,
            });
            ((*name).to_owned(), told)
        })
        .collect();
    for (name, report) in &stages {
        println!("  {name:<10} {} records in {} deliveries", report["records"], report["deliveries"]);
    }
    let alerts = alerts(&parts.control).await?;
    println!(
        "stopped: {} alerts in the database, {:.1} CPU s, {} MiB at most",
        alerts.len(),
        usage.cpu_seconds,
        usage.resident_bytes_max >> 20
    );
    if args.exit_when_idle {
        let summary = serde_json::json!({
            "stages": stages,
            "cpu_seconds": usage.cpu_seconds,
            "resident_bytes_max": usage.resident_bytes_max,
            "alerts": alerts,
        });
        let path = config.server.data_dir.join("summary.json");
        std::fs::write(&path, serde_json::to_vec_pretty(&summary)?)?;
        println!("summary in {}", path.display());
    }
    Ok(())
}

/// Every alert there is, for the summary of a run that ends by itself.
async fn alerts(control: &Control) -> anyhow::Result<Vec<Alert>> {
    let (mut alerts, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(PageRequest::LIMIT_MAX, cursor)?;
        let found = control.alerts(&AlertFilter::new(Scope::All), &page).await?;
        alerts.extend(found.alerts.into_iter().map(|stored| stored.alert));
        cursor = found.next_cursor;
        if cursor.is_none() {
            return Ok(alerts);
        }
    }
}
