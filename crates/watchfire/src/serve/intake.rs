//! Log lines that come by HTTP, into the partner's topic.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Accepted, Intake, IntakeError};
use bytes::Bytes;
use event::{LogTopic, Tenant};
use kafka::{LogWriter, WriteError};

/// Lines of one request are joined into records of about this size: fewer, larger records cost less.
const RECORD_BYTES: usize = 256 << 10;

/// The longest line that fits into a record of the 10 MiB that the writer takes, with its key and headers.
pub(crate) const LINE_BYTES_MAX: usize = (10 << 20) - (16 << 10);

/// How many feeds one partner may send through the intake. A feed is a topic, and topics are not free:
/// with a new name in each request one shipper would fill the broker with them.
const FEEDS_MAX: usize = 64;

/// Appends to Kafka and waits for the acknowledgement.
pub(crate) struct KafkaIntake {
    writer: LogWriter,
    feeds: Feeds,
}

impl KafkaIntake {
    pub(crate) fn new(writer: LogWriter) -> Self {
        Self { writer, feeds: Feeds::default() }
    }
}

/// The feeds that came since the start, by partner.
#[derive(Default)]
struct Feeds(Mutex<HashMap<Tenant, HashSet<Arc<str>>>>);

impl Feeds {
    fn admit(&self, topic: &LogTopic) -> Result<(), IntakeError> {
        let mut feeds = self.0.lock().expect("no holder of this lock panics");
        let feeds = feeds.entry(topic.tenant.clone()).or_default();
        if feeds.contains(&topic.feed) {
            return Ok(());
        }
        if feeds.len() >= FEEDS_MAX {
            return Err(IntakeError::TooManyFeeds { feeds_max: FEEDS_MAX });
        }
        feeds.insert(Arc::clone(&topic.feed));
        Ok(())
    }
}

#[async_trait::async_trait]
impl Intake for KafkaIntake {
    async fn append(
        &self,
        topic: &LogTopic,
        lines: Vec<Bytes>,
        format: Option<String>,
        shipper: &str,
    ) -> Result<Accepted, IntakeError> {
        self.feeds.admit(topic)?;
        let name = topic.name();
        let mut headers = vec![("wf-shipper-id", shipper)];
        if let Some(format) = &format {
            headers.push(("wf-format", format));
        }
        let records = records(&lines);
        // One key, so one partition: the request's lines stay in order.
        let appends = records.iter().map(|record| self.writer.append(&name, Some(shipper), record, &headers));
        let appended = futures::future::try_join_all(appends).await.map_err(refused)?;
        let position = |appended: &kafka::Appended| (appended.partition, appended.offset);
        Ok(Accepted {
            lines: lines.len(),
            first: appended.first().map(position),
            last: appended.last().map(position),
        })
    }
}

fn refused(error: WriteError) -> IntakeError {
    match error {
        WriteError::Busy => IntakeError::Busy { retry_after: Duration::from_secs(1) },
        WriteError::TooLarge => IntakeError::TooLarge,
        WriteError::Unavailable(why) => IntakeError::Unavailable(why),
    }
}

/// Joins lines with newlines into records. A line alone may be longer than a record should be.
fn records(lines: &[Bytes]) -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        match records.last_mut() {
            Some(record) if record.len() + line.len() < RECORD_BYTES => {
                record.push(b'\n');
                record.extend_from_slice(line);
            }
            _ => records.push(line.to_vec()),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partner_has_so_many_feeds_and_others_have_theirs() {
        let feeds = Feeds::default();
        let admit = |partner: &str, feed: &str| feeds.admit(&LogTopic::new(partner, feed).expect("valid"));
        for n in 0..FEEDS_MAX {
            admit("prt_acme", &format!("feed{n}")).expect("not too many");
        }
        assert!(matches!(admit("prt_acme", "another"), Err(IntakeError::TooManyFeeds { .. })));
        admit("prt_acme", "feed7").expect("it is known");
        admit("prt_zeta", "another").expect("it is zeta's first");
    }

    #[test]
    fn every_line_is_in_exactly_one_record_and_in_order() {
        let lines: Vec<Bytes> =
            (0..5_000).map(|n| Bytes::from(format!("line {n} {}", "x".repeat(n % 300)))).collect();
        let records = records(&lines);
        assert!(records.len() > 1);
        let back: Vec<&[u8]> =
            records.iter().flat_map(|record| record.split(|&byte| byte == b'\n')).collect();
        assert_eq!(back, lines.iter().map(|line| &line[..]).collect::<Vec<_>>());
    }
}
