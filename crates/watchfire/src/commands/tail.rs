//! `watchfire tail`: the records of a topic, as a person or a program reads them.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use kafka::admin::Place;
use kafka::tail::{Look, Record, Tail};
use serde_json::{Map, Value, json};

use super::place::{since, time};
use super::printable::{json_line, printable};
use super::{KafkaArgs, is_broken_pipe, with_cure};

/// Flags of `tail`.
#[derive(clap::Args)]
pub(crate) struct TailArgs {
    /// The topic.
    topic: String,
    /// How many of the last records.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, conflicts_with_all = ["since", "offset"])]
    last: usize,
    /// Everything since then instead: a time ago (15m, 2h, 7d), a day (2027-01-31) or an RFC 3339
    /// time.
    #[arg(long, value_name = "WHEN", value_parser = since, conflicts_with = "offset")]
    since: Option<i64>,
    /// Everything from this offset on instead, in each partition that is looked at; 0 for all.
    #[arg(long, value_name = "OFFSET")]
    offset: Option<i64>,
    /// One partition alone.
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Go on with records as they come, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// Also what belongs to transactions that were aborted, or have not ended.
    #[arg(long)]
    uncommitted: bool,
    /// Print JSON, one record a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// How long to wait for more before what there is is shown.
const IDLE: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &TailArgs) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match show(args, &mut out) {
        // `watchfire tail … | head` has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        shown => shown,
    }
}

fn show(args: &TailArgs, out: &mut impl Write) -> anyhow::Result<()> {
    if args.offset.is_some_and(|offset| offset < 0) {
        bail!("--offset counts from the beginning, at 0; the last records are --last N");
    }
    let look = Look { topic: &args.topic, partition: args.partition, uncommitted: args.uncommitted };
    let mut tail = Tail::open(&args.kafka.connection()?, look).map_err(with_cure)?;
    match args.since.map(Place::Time).or(args.offset.map(Place::Offset)) {
        Some(place) => tail.begin(place).map_err(with_cure)?,
        None => {
            for record in tail.last(args.last).map_err(with_cure)? {
                print(args, &record, out)?;
            }
        }
    }
    if args.follow {
        loop {
            match tail.next(IDLE).map_err(with_cure)? {
                Some(record) => print(args, &record, out)?,
                None => out.flush()?,
            }
        }
    }
    while let Some(record) = tail.until_end().map_err(with_cure)? {
        print(args, &record, out)?;
    }
    Ok(out.flush()?)
}

fn print(args: &TailArgs, record: &Record, out: &mut impl Write) -> anyhow::Result<()> {
    let line = if args.json { json_line(&as_json(&args.topic, record))? } else { as_text(record) };
    Ok(writeln!(out, "{line}")?)
}

/// `2027-01-31T12:00:00.000Z 3@1024 key=acme wf-format=nginx | the payload`
fn as_text(record: &Record) -> String {
    let time = time(record.timestamp_ms).unwrap_or_else(|| "no time".to_owned());
    let mut line = format!("{time} {}@{}", record.partition, record.offset);
    if let Some(key) = &record.key {
        line.push_str(&format!(" key={}", printable(key)));
    }
    for (name, value) in &record.headers {
        line.push_str(&format!(" {}={}", printable(name.as_bytes()), shown(value.as_deref())));
    }
    line.push_str(" | ");
    line.push_str(&shown(record.value.as_deref()));
    line
}

fn shown(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), printable)
}

fn as_json(topic: &str, record: &Record) -> Value {
    let mut fields = Map::new();
    fields.insert("topic".into(), topic.into());
    fields.insert("partition".into(), record.partition.into());
    fields.insert("offset".into(), record.offset.into());
    fields.insert("time".into(), time(record.timestamp_ms).into());
    put(&mut fields, "key", record.key.as_deref());
    let header = |(name, value): &(String, Option<Vec<u8>>)| {
        let mut header = Map::new();
        header.insert("name".into(), json!(name));
        put(&mut header, "value", value.as_deref());
        Value::from(header)
    };
    fields.insert("headers".into(), record.headers.iter().map(header).collect());
    put(&mut fields, "value", record.value.as_deref());
    fields.into()
}

/// Text as it is. Bytes that are no text under another name, so that nobody takes one for the other.
fn put(fields: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(|bytes| str::from_utf8(bytes).map_err(|_| hex::encode(bytes))) {
        None => fields.insert(name.into(), Value::Null),
        Some(Ok(text)) => fields.insert(name.into(), text.into()),
        Some(Err(hex)) => fields.insert(format!("{name}_hex"), hex.into()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            partition: 3,
            offset: 1024,
            timestamp_ms: Some(1_000),
            key: Some(b"acme".to_vec()),
            headers: vec![("wf-format".into(), Some(b"nginx".to_vec())), ("empty".into(), None)],
            value: Some(b"GET / \x1b[2J\xff".to_vec()),
        }
    }

    #[test]
    fn a_record_is_one_line_that_leaves_the_terminal_alone() {
        assert_eq!(
            as_text(&record()),
            "1970-01-01T00:00:01.000Z 3@1024 key=acme wf-format=nginx empty=null | GET / \\u{1b}[2J\\xff"
        );
        let bare = Record { timestamp_ms: None, key: None, headers: Vec::new(), value: None, ..record() };
        assert_eq!(as_text(&bare), "no time 3@1024 | null");
    }

    #[test]
    fn json_tells_text_from_bytes_and_both_from_nothing() {
        let shown = as_json("logs.acme.edge", &record());
        assert_eq!(
            shown,
            json!({
                "topic": "logs.acme.edge", "partition": 3, "offset": 1024, "time": "1970-01-01T00:00:01.000Z",
                "key": "acme",
                "headers": [{"name": "wf-format", "value": "nginx"}, {"name": "empty", "value": null}],
                "value_hex": "474554202f201b5b324aff",
            })
        );
        let bare = as_json("t", &Record { value: None, ..record() });
        assert_eq!(bare["value"], Value::Null);
    }
}
