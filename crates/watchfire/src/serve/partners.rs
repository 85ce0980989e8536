//! Which partners there are: those with a contract, and those with events in the tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use api::{KnownPartner, Partners};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use event::{Scope, Tenant};
use futures::TryStreamExt;
use query::QueryEngine;
use tokio::sync::Mutex;
use tracing::warn;

use crate::config::Config;

/// How old an answer may be before the tables are read again.
const FRESH_FOR: Duration = Duration::from_secs(10);

const BY_TENANT: &str = "SELECT tenant, count(*), max(time) FROM events GROUP BY tenant";

/// Counts every partner's events now and then. Whoever asks meanwhile gets the last count: reading
/// the tables takes as long as they are large.
pub(crate) struct PartnerBook(Arc<Book>);

struct Book {
    query: QueryEngine,
    /// Whom to tell, of each partner that the configuration knows.
    contacts: BTreeMap<Tenant, Vec<String>>,
    counted: std::sync::Mutex<Option<Counted>>,
    /// Held by the one who counts.
    counting: Mutex<()>,
}

#[derive(Clone)]
struct Counted {
    partners: Vec<KnownPartner>,
    at: Instant,
}

impl PartnerBook {
    pub(crate) fn new(query: QueryEngine, config: &Config) -> Self {
        let partners = config.partners.iter();
        let contacts = partners
            .filter_map(|(name, partner)| Some((Tenant::parse(name).ok()?, partner.contacts.clone())))
            .collect();
        Self(Arc::new(Book {
            query,
            contacts,
            counted: std::sync::Mutex::default(),
            counting: Mutex::default(),
        }))
    }
}

#[async_trait::async_trait]
impl Partners for PartnerBook {
    async fn known(&self) -> Result<Vec<KnownPartner>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(counted) = self.0.counted() else {
            return Ok(self.0.count_first().await?);
        };
        if counted.at.elapsed() > FRESH_FOR {
            let book = Arc::clone(&self.0);
            tokio::spawn(async move { book.count_again().await });
        }
        Ok(counted.partners)
    }
}

impl Book {
    fn counted(&self) -> Option<Counted> {
        self.counted.lock().expect("no holder of this lock panics").clone()
    }

    async fn count_first(&self) -> anyhow::Result<Vec<KnownPartner>> {
        let _counting = self.counting.lock().await;
        match self.counted() {
            Some(counted) => Ok(counted.partners),
            None => self.count().await,
        }
    }

    /// Does nothing where somebody does it already.
    async fn count_again(&self) {
        let Ok(_counting) = self.counting.try_lock() else { return };
        if let Err(error) = self.count().await {
            warn!(error = format!("{error:#}"), "partners could not be counted; the last count stands");
        }
    }

    async fn count(&self) -> anyhow::Result<Vec<KnownPartner>> {
        let answer = self.query.query(&Scope::All, BY_TENANT).await.context("count events by partner")?;
        let batches: Vec<RecordBatch> =
            answer.batches.try_collect().await.context("count events by partner")?;
        let unheard = |(tenant, contacts): (&Tenant, &Vec<String>)| KnownPartner {
            tenant: tenant.clone(),
            has_contract: true,
            contacts: contacts.clone(),
            events: 0,
            last_event_at: None,
        };
        let mut known: BTreeMap<Tenant, KnownPartner> =
            self.contacts.iter().map(|partner| (partner.0.clone(), unheard(partner))).collect();
        for batch in &batches {
            for (tenant, events, last) in rows(batch)? {
                let partner = KnownPartner {
                    has_contract: self.contacts.contains_key(&tenant),
                    contacts: self.contacts.get(&tenant).cloned().unwrap_or_default(),
                    tenant: tenant.clone(),
                    events,
                    last_event_at: last.and_then(DateTime::from_timestamp_millis),
                };
                known.insert(tenant, partner);
            }
        }
        let partners: Vec<KnownPartner> = known.into_values().collect();
        let counted = Counted { partners: partners.clone(), at: Instant::now() };
        *self.counted.lock().expect("no holder of this lock panics") = Some(counted);
        Ok(partners)
    }
}

/// Partner, events, and the last event's time in milliseconds.
fn rows(batch: &RecordBatch) -> anyhow::Result<Vec<(Tenant, u64, Option<i64>)>> {
    let tenants = cast(batch.column(0), &DataType::Utf8)?;
    let counts = cast(batch.column(1), &DataType::Int64)?;
    let last = cast(batch.column(2), &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    let last = cast(&last, &DataType::Int64)?;
    let (tenants, counts) = (tenants.as_string::<i32>(), counts.as_primitive::<Int64Type>());
    let last = last.as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| {
            let tenant = Tenant::parse(tenants.value(row)).context("read a partner's name")?;
            let last = last.is_valid(row).then(|| last.value(row));
            Ok((tenant, u64::try_from(counts.value(row)).unwrap_or(0), last))
        })
        .collect()
}
