//! `watchfire redrive`: rejects are sent again, from the raw logs, once what was wrong with them or with
//! their source's description is mended. One that became an event is not sent again.

mod originals;
mod outcome;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use anyhow::ensure;
use kafka::LogWriter;
use pipeline::Clock;
use serde::Deserialize;

use self::originals::{Original, Originals};
use self::outcome::Outcome;
use super::KafkaArgs;
use super::place::since;
use super::server::{ServerArgs, quoted};

/// Flags of `redrive`.
#[derive(clap::Args)]
pub(crate) struct RedriveArgs {
    /// Only this partner's.
    #[arg(long, value_name = "PARTNER")]
    partner: Option<String>,
    /// Only of this feed.
    #[arg(long, value_name = "FEED")]
    feed: Option<String>,
    /// Only those rejected for this reason, e.g. unknown_format.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only this one.
    #[arg(long, value_name = "REJECT_ID")]
    id: Option<String>,
    /// Only those received since: an RFC 3339 time, a day, or a time ago (2h, 7d).
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<i64>,
    /// Name the source description that is to read them, instead of what their records name.
    #[arg(long, value_name = "SOURCE", visible_alias = "format")]
    source: Option<String>,
    /// So many at most, the oldest first.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    limit: u32,
    /// Say what would be sent, and send nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// A reject, and where its line stands.
#[derive(Clone, Debug, Deserialize)]
struct Reject {
    reject_id: String,
    kafka_topic: String,
    kafka_partition: i32,
    kafka_offset: i64,
    kafka_line: i32,
    reason: String,
    bytes: i64,
}

const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &RedriveArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rejects: Vec<Reject> = runtime.block_on(args.server.rows(wanted(args)))?;
    if rejects.is_empty() {
        println!("there is nothing to send again");
        return Ok(());
    }
    if args.dry_run {
        print!("{}", summary(&rejects));
        return Ok(());
    }
    let began = Clock::system().now().millis();
    let before = runtime.block_on(Outcome::now(&args.server, began))?;
    let sent = send(args, &rejects)?;
    let outcome = runtime.block_on(Outcome::of(&args.server, began, &before, sent))?;
    println!("{outcome}");
    Ok(())
}

/// Those that are wanted, were not sent before themselves, and have not become an event since.
fn wanted(args: &RedriveArgs) -> String {
    let mut only = String::from("r.redriven_from IS NULL");
    let texts =
        [("tenant", &args.partner), ("feed", &args.feed), ("reason", &args.reason), ("reject_id", &args.id)];
    for (column, wanted) in texts {
        if let Some(wanted) = wanted {
            write!(only, " AND r.{column} = {}", quoted(wanted)).expect("writing to a string does not fail");
        }
    }
    if let Some(since) = args.since {
        write!(only, " AND r.time >= to_timestamp_millis({since})")
            .expect("writing to a string does not fail");
    }
    format!(
        "SELECT r.reject_id, r.kafka_topic, r.kafka_partition, r.kafka_offset, r.kafka_line, r.reason, r.bytes \
         FROM rejects r LEFT ANTI JOIN (SELECT redriven_from FROM events WHERE redriven_from IS NOT NULL) e \
         ON r.reject_id = e.redriven_from WHERE {only} \
         ORDER BY r.kafka_topic, r.kafka_partition, r.kafka_offset, r.kafka_line LIMIT {}",
        args.limit
    )
}

/// How many there are of each topic and reason.
fn summary(rejects: &[Reject]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for reject in rejects {
        *counts.entry((&reject.kafka_topic, &reject.reason)).or_default() += 1;
    }
    let mut text = String::new();
    for ((topic, reason), count) in counts {
        writeln!(text, "{count:>8}  {topic}  {reason}").expect("writing to a string does not fail");
    }
    writeln!(text, "{:>8}  would be sent again", rejects.len()).expect("writing to a string does not fail");
    text
}

/// Sends the lines, and says how many.
fn send(args: &RedriveArgs, rejects: &[Reject]) -> anyhow::Result<u64> {
    let connection = args.kafka.connection()?;
    let writer = LogWriter::new(&connection, "redrive")?;
    let progress = indicatif::ProgressBar::new(rejects.len() as u64);
    let (mut sent, mut missing) = (0, BTreeMap::<&str, u64>::new());
    for of_partition in
        rejects.chunk_by(|a, b| (&a.kafka_topic, a.kafka_partition) == (&b.kafka_topic, b.kafka_partition))
    {
        let mut originals = Originals::open(&connection, of_partition)?;
        for reject in of_partition {
            progress.inc(1);
            match originals.of(reject)? {
                Original::Line { line, key, mut headers } => {
                    if let Some(source) = &args.source {
                        headers.retain(|(name, _)| name != event::raw::FORMAT_HEADER);
                        headers.push((event::raw::FORMAT_HEADER.to_owned(), source.clone()));
                    }
                    let headers: Vec<(&str, &str)> =
                        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                    writer.push(&reject.kafka_topic, key.as_deref(), &line, &headers)?;
                    sent += 1;
                }
                Original::Missing(why) => *missing.entry(why).or_default() += 1,
            }
        }
    }
    progress.finish_and_clear();
    let acknowledged = writer.flush(FLUSH_TIMEOUT)?;
    ensure!(acknowledged == sent, "{sent} lines were sent and {acknowledged} acknowledged");
    for (why, count) in missing {
        println!("{count} not sent: {why}");
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(topic: &str, reason: &str) -> Reject {
        Reject {
            reject_id: "rej_1".into(),
            kafka_topic: topic.into(),
            kafka_partition: 0,
            kafka_offset: 7,
            kafka_line: 0,
            reason: reason.into(),
            bytes: 3,
        }
    }

    #[test]
    fn a_dry_run_counts_by_topic_and_reason() {
        let rejects =
            [reject("logs.a.x", "empty"), reject("logs.a.x", "empty"), reject("logs.a.x", "too_deep")];
        let text = summary(&rejects);
        assert_eq!(
            text,
            "       2  logs.a.x  empty\n       1  logs.a.x  too_deep\n       3  would be sent again\n"
        );
    }
}
