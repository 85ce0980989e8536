//! NORMALIZE: raw logs in; events, rejects and observations out.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use event::{EventBatch, LogTopic, Positions, RawLog, SourceProgress, ipc};
use normalize::{Counts, Enrichment, Normalized, Normalizer, Schemas};
use pipeline::metrics::{OutputLabel, ReasonLabel, TenantLabel};
use pipeline::{
    Metrics, OutRecord, Polled, Reader, RecordView, SourceError, Stage, StageError, TopicPartition,
};
use tracing::warn;

use crate::Topics;
use crate::alignment::Alignment;

/// Rows and bytes of one record, about; more are cut, so that a record stays well under what our
/// topics take.
const ROWS_PER_RECORD: usize = 10_000;
const BYTES_PER_RECORD: usize = crate::MESSAGE_BYTES_MAX / 4;

/// NORMALIZE.
pub struct NormalizeStage {
    normalizer: Normalizer,
    sources: HashMap<Arc<str>, Option<LogTopic>>,
    event_partitions: i32,
    next_partition: i32,
    /// What is known of sources beside what was read of them.
    known: Vec<SourceProgress>,
    alignment: Alignment,
    topics: Topics,
    metrics: Metrics,
    news: Box<dyn FnMut() -> Option<News> + Send>,
}

/// What lines are read with from now on.
type News = (Arc<Schemas>, Arc<Enrichment>);

impl NormalizeStage {
    /// A stage that has read nothing. A partition that is further ahead than `drift_max_ms` in event
    /// time waits for those of its tenant that have a backlog.
    pub fn new(
        normalizer: Normalizer,
        topics: Topics,
        event_partitions: i32,
        drift_max_ms: i64,
        metrics: Metrics,
    ) -> Self {
        Self {
            normalizer,
            sources: HashMap::new(),
            event_partitions,
            next_partition: 0,
            known: Vec::new(),
            alignment: Alignment::new(drift_max_ms),
            topics,
            metrics,
            news: Box::new(|| None),
        }
    }

    /// Asks between batches what lines are to be read with from now on.
    pub fn with_news(self, news: impl FnMut() -> Option<News> + Send + 'static) -> Self {
        Self { news: Box::new(news), ..self }
    }

    fn count(&self, counts: &Counts, normalized: &Normalized, observations: usize) {
        let rows = [
            ("events", normalized.events.len()),
            ("rejects", normalized.rejects.len()),
            ("observations", observations),
        ];
        for (output, rows) in rows {
            let label = OutputLabel { stage: "normalize".into(), output: output.into() };
            self.metrics.rows_out.get_or_create(&label).inc_by(rows as u64);
        }
        for (reason, count) in &counts.rejects {
            let label = ReasonLabel { reason: reason.as_str().to_owned() };
            self.metrics.rejects.get_or_create(&label).inc_by(*count);
        }
        for (tenant, outcome, count) in by_tenant(&normalized.events) {
            let label = TenantLabel { tenant: tenant.to_owned(), outcome: outcome.to_owned() };
            self.metrics.events.get_or_create(&label).inc_by(count);
        }
    }
}

impl Reader for NormalizeStage {
    fn assigned(&mut self, _: &[TopicPartition]) -> Result<(), SourceError> {
        Ok(())
    }

    /// The detectors are told what is still to be read, or the sources that happen to be read
    /// first would carry event time past the others.
    fn announced(&mut self, partitions: &[TopicPartition]) {
        self.known.extend(sources(partitions).map(SourceProgress::announced));
    }

    /// A source that is silent is told from one that is not read; this is also how they hear that
    /// time goes on where nothing comes.
    fn at_end(&mut self, partitions: &[TopicPartition]) {
        self.known.extend(sources(partitions).map(SourceProgress::at_end));
    }

    fn ahead(&self, backlogged: &[TopicPartition]) -> Vec<TopicPartition> {
        self.alignment.ahead(backlogged)
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.alignment.revoked(partitions);
    }

    fn record(&mut self, record: RecordView<'_>) {
        let source = self.sources.entry(Arc::clone(record.topic)).or_insert_with(|| {
            let parsed = LogTopic::parse(record.topic);
            if let Err(why) = &parsed {
                warn!(topic = %record.topic, %why, "topic is not read");
            }
            parsed.ok()
        });
        let Some(source) = source else { return };
        let header = |name: &str| {
            let found = record.headers.iter().find(|(key, _)| *key == name)?;
            Some(found.1)
        };
        let raw = RawLog {
            source,
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            broker_time: record.broker_time,
            payload: record.payload,
            format: None,
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        };
        self.normalizer.normalize(&raw.with_headers(header));
    }
}

impl Stage for NormalizeStage {
    type Output = Vec<OutRecord>;

    fn finish(&mut self, _: &Polled) -> Result<Vec<OutRecord>, StageError> {
        let normalized = self.normalizer.finish();
        if let Some((schemas, enrichment)) = (self.news)() {
            self.normalizer.learn(schemas, enrichment);
        }
        let mut progress = std::mem::take(&mut self.known);
        self.alignment.read(&normalized.progress);
        progress.extend_from_slice(&normalized.progress);
        if progress.is_empty() {
            return Ok(Vec::new());
        }
        let observations = normalized.observations.iter().map(event::ObservationBatch::len).sum();
        self.count(&normalized.counts, &normalized, observations);
        self.next_partition = (self.next_partition + 1) % self.event_partitions.max(1);
        let mut records = Vec::new();
        for rows in slices(normalized.events.arrow()) {
            records.push(OutRecord {
                topic: Arc::clone(&self.topics.events),
                partition: Some(self.next_partition),
                key: None,
                payload: ipc::encode(&rows),
            });
        }
        for rows in slices(normalized.rejects.arrow()) {
            records.push(OutRecord {
                topic: Arc::clone(&self.topics.rejects),
                partition: Some(0),
                key: None,
                payload: ipc::encode(&rows),
            });
        }
        if let Some(ocsf) = &self.topics.ocsf {
            let object = |row: event::EventRow<'_>| OutRecord {
                topic: Arc::clone(&ocsf.events),
                partition: None,
                key: row.tenant.as_deref().map(str::to_owned),
                payload: event::ocsf::of_event(&row).to_string().into_bytes(),
            };
            records.extend(normalized.events.rows().map(object));
        }
        // Every partition hears how far the sources have come, rows or none.
        for (partition, rows) in normalized.observations.iter().enumerate() {
            records.push(OutRecord {
                topic: Arc::clone(&self.topics.observations),
                partition: Some(partition as i32),
                key: None,
                payload: ipc::encode_observations(rows, &progress),
            });
        }
        Ok(records)
    }

    fn delivered(&mut self, _: &Positions) -> Result<(), StageError> {
        Ok(())
    }
}

/// The names of those partitions that are sources.
fn sources(partitions: &[TopicPartition]) -> impl Iterator<Item = String> {
    let logs = partitions.iter().filter(|partition| LogTopic::parse(&partition.topic).is_ok());
    logs.map(|partition| format!("{}/{}", partition.topic, partition.partition))
}

/// Events by tenant and outcome. A batch holds few of them, so looking through a short list is quicker than hashing.
fn by_tenant(events: &EventBatch) -> Vec<(&str, &str, u64)> {
    let column =
        |name: &str| events.arrow().column_by_name(name).expect("a column of events").as_string::<i32>();
    let (tenants, outcomes) = (column("tenant"), column("outcome"));
    let mut counts: Vec<(&str, &str, u64)> = Vec::new();
    for i in 0..events.len() {
        let outcome = if outcomes.is_valid(i) { outcomes.value(i) } else { "none" };
        let tenant = tenants.value(i);
        match counts.iter_mut().find(|(t, o, _)| *t == tenant && *o == outcome) {
            Some((_, _, count)) => *count += 1,
            None => counts.push((tenant, outcome, 1)),
        }
    }
    counts
}

fn slices(
    batch: &arrow::record_batch::RecordBatch,
) -> impl Iterator<Item = arrow::record_batch::RecordBatch> {
    let rows = batch.num_rows();
    let row_bytes = batch.get_array_memory_size() / rows.max(1);
    let most = (BYTES_PER_RECORD / row_bytes.max(1)).clamp(1, ROWS_PER_RECORD);
    (0..rows).step_by(most).map(move |from| batch.slice(from, most.min(rows - from)))
}
