//! Log lines that come by HTTP, into the partner's topic.

use std::time::Duration;

use api::{Accepted, Intake, IntakeError};
use bytes::Bytes;
use event::LogTopic;
use kafka::{LogWriter, WriteError};

/// Lines of one request are joined into records of about this size: fewer, larger records cost less.
const RECORD_BYTES: usize = 256 << 10;

/// Appends to Kafka and waits for the acknowledgement.
pub(crate) struct KafkaIntake(LogWriter);

impl KafkaIntake {
    pub(crate) fn new(writer: LogWriter) -> Self {
        Self(writer)
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
        let name = topic.name();
        let mut headers = vec![("wf-shipper-id", shipper)];
        if let Some(format) = &format {
            headers.push(("wf-format", format));
        }
        let records = records(&lines);
        // One key, so one partition: the request's lines stay in order.
        let appends = records.iter().map(|record| self.0.append(&name, Some(shipper), record, &headers));
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
