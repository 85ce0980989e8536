//! `watchfire drift`: how well each feed is understood, and what has changed in it: lines that cannot be
//! read, fields that no column holds, fields that detectors need and never saw.

mod needs;
mod report;

use std::collections::BTreeMap;

use anyhow::Context;
use event::EventTime;
use pipeline::Clock;
use serde::Deserialize;

use self::report::Feed;
use super::place::since;
use super::server::{ServerArgs, quoted};

/// Flags of `drift`.
#[derive(clap::Args)]
pub(crate) struct DriftArgs {
    /// Look at what was received since: an RFC 3339 time, a day, or a time ago (2h, 7d) [default: 7d].
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<i64>,
    /// A field counts as new if it was first seen since [default: 1d].
    #[arg(long, value_name = "WHEN", value_parser = since)]
    new_since: Option<i64>,
    /// Only this partner's feeds.
    #[arg(long, value_name = "PARTNER")]
    partner: Option<String>,
    /// One JSON object for each feed and source.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

const DAY_MS: i64 = 86_400_000;

/// Of each feed and source so many fields are looked at, the commonest.
const FIELDS_MAX: usize = 2_000;

pub(crate) fn run(args: &DriftArgs) -> anyhow::Result<()> {
    let now = Clock::system().now();
    let since = EventTime(args.since.unwrap_or(now.millis() - 7 * DAY_MS));
    let new_since = EventTime(args.new_since.unwrap_or(now.millis() - DAY_MS));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let feeds = runtime.block_on(feeds(args, since))?;
    if feeds.is_empty() {
        println!("nothing was received since {}", since.to_rfc3339());
    }
    for (name, feed) in feeds {
        match args.json {
            true => println!("{}", feed.to_json(&name, new_since)),
            false => print!("{}", feed.to_text(&name, new_since)),
        }
    }
    Ok(())
}

/// Partner, feed and source.
type Name = (String, String, String);

#[derive(Deserialize)]
struct Of {
    tenant: String,
    feed: Option<String>,
    source_format: Option<String>,
}

impl Of {
    fn name(self) -> Name {
        (
            self.tenant,
            self.feed.unwrap_or_default(),
            self.source_format.unwrap_or_else(|| "unknown".to_owned()),
        )
    }
}

#[derive(Deserialize)]
struct Count {
    #[serde(flatten)]
    of: Of,
    what: Option<String>,
    lines: u64,
    first_seen: Option<i64>,
}

#[derive(Deserialize)]
struct Seen {
    #[serde(flatten)]
    of: Of,
    #[serde(flatten)]
    counts: BTreeMap<String, u64>,
}

async fn feeds(args: &DriftArgs, since: EventTime) -> anyhow::Result<BTreeMap<Name, Feed>> {
    let mut feeds: BTreeMap<Name, Feed> = BTreeMap::new();
    let partner = args.partner.as_deref().map(|partner| format!(" AND tenant = {}", quoted(partner)));
    let only = |column: &str| {
        format!(
            "{column} >= to_timestamp_millis({}){}",
            since.millis(),
            partner.as_deref().unwrap_or_default()
        )
    };
    let (events, rejects) = (only("ingest_time"), only("time"));
    let by = "GROUP BY tenant, feed, source_format";
    let sql =
        format!("SELECT tenant, feed, source_format, {} FROM events WHERE {events} {by}", needs::COUNTS);
    for seen in args.server.rows::<Seen>(sql).await.context("count events")? {
        feeds.entry(seen.of.name()).or_default().seen = seen.counts;
    }
    let count = "count(*) AS lines, CAST(to_unixtime(min(ingest_time)) AS BIGINT) AS first_seen";
    let queries: [(&str, String); 3] = [
        (
            "count rejects",
            format!(
                "SELECT tenant, feed, source_format, reason AS what, count(*) AS lines, NULL AS first_seen \
                 FROM rejects r LEFT ANTI JOIN (SELECT redriven_from FROM events WHERE redriven_from IS NOT NULL) e \
                 ON r.reject_id = e.redriven_from WHERE {rejects} {by}, reason"
            ),
        ),
        (
            "count flags",
            format!(
                "SELECT tenant, feed, source_format, what, {count} FROM (SELECT tenant, feed, source_format, \
                 ingest_time, unnest(flags) AS what FROM events WHERE {events}) {by}, what"
            ),
        ),
        (
            "count fields",
            format!(
                "SELECT tenant, feed, source_format, what, {count} FROM (SELECT tenant, feed, source_format, \
                 ingest_time, unnest(json_keys(unmapped)) AS what FROM events WHERE unmapped IS NOT NULL AND {events}) \
                 {by}, what ORDER BY lines DESC LIMIT {FIELDS_MAX}"
            ),
        ),
    ];
    for (what, sql) in queries {
        for row in args.server.rows::<Count>(sql).await.with_context(|| what.to_owned())? {
            let Some(name) = row.what else { continue };
            let feed = feeds.entry(row.of.name()).or_default();
            match what {
                "count rejects" => drop(feed.rejects.insert(name, row.lines)),
                "count flags" => drop(feed.flags.insert(name, row.lines)),
                _ => drop(feed.fields.insert(name, (row.lines, row.first_seen.unwrap_or(0)))),
            }
        }
    }
    Ok(feeds)
}
