//! Hands out producer ids, each once, in blocks that the journal remembers.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use tokio::sync::Mutex;

use crate::journal::Journal;
use crate::journal::record::Record;

const BLOCK: i64 = 1000;

/// The producer ids not yet given away.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    journal: Arc<Journal>,
    left: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    /// Begins after every id that may have been given away before.
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        let next = journal.read(|state| state.producer_ids_until).max(1);
        Self { journal, left: Mutex::new(next..next) }
    }

    /// An id that no one has.
    pub(crate) async fn next(&self) -> Result<i64, ResponseError> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            let until = left.end + BLOCK;
            self.journal.commit(&[Record::ProducerIdsReserved { until }]).await?;
            left.end = until;
        }
        let id = left.start;
        left.start += 1;
        Ok(id)
    }
}
