//! One minute of a tenant's traffic, before it is judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use crate::seen::Seen;
use crate::stable;
use crate::text;
use crate::witness::{self, Witness};

pub(super) const MINUTE_MS: i64 = 60_000;
const DELIVERIES_MAX: usize = 16_384;
const ENDPOINTS_MAX: usize = 4_096;
/// Statuses that say: you may not, or there is nothing.
pub(super) const REFUSALS: [i32; 4] = [401, 403, 404, 429];
/// Longer names are cut.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// Stands for every route over the bound.
pub(super) const OTHER_ROUTES: &str = "(others)";
/// What an endpoint with its witness and a delivery's hash in list and set take, about.
const ENDPOINT_BYTES: usize = 768;
const DELIVERY_BYTES: usize = 24;

/// Which endpoint of which partner, as the payload names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) partner: Box<str>,
    pub(super) route: Box<str>,
}

/// How many requests, and how they were answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) by_status: BTreeMap<i32, u64>,
    /// The earliest event, to show.
    pub(super) witness: Option<Arc<Witness>>,
    pub(super) ingested_at: EventTime,
}

/// The requests of one minute by endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Minute {
    pub(super) endpoints: BTreeMap<Endpoint, Counts>,
    seen: Seen,
}

impl Minute {
    /// Adds a row; false if it was delivered before.
    pub(super) fn add(&mut self, o: &Observation<'_>) -> bool {
        let route = o.route.as_deref().unwrap_or("(none)");
        let partner = o.partner_id.as_deref().unwrap_or_default();
        let (status, count) = (o.status.unwrap_or_default(), o.count.unwrap_or(1).max(0) as u64);
        // The count belongs to the identity: cut into other batches, another row may begin
        // with the same event.
        let id = stable::hash(&[partner, route, &format!("{} {status} {count}", witness::delivery(o))]);
        if !self.seen.insert(id, DELIVERIES_MAX) {
            return false;
        }
        let short = |name: &str| text::prefix(name, NAME_BYTES_MAX).into();
        let endpoint = Endpoint { partner: short(partner), route: short(route) };
        let has_room = self.endpoints.len() < ENDPOINTS_MAX || self.endpoints.contains_key(&endpoint);
        let endpoint = if has_room { endpoint } else { Endpoint { route: OTHER_ROUTES.into(), ..endpoint } };
        let what = format!("{} requests, status {status}", count);
        let witness = Arc::new(Witness::new(o, what));
        self.endpoints.entry(endpoint).or_default().add(status, count, witness, o.ingest_time.or(o.time));
        true
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.endpoints.len() * ENDPOINT_BYTES + self.seen.len() * DELIVERY_BYTES
    }

    /// All endpoints together.
    pub(super) fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.endpoints.values().for_each(|counts| total.merge(counts));
        total
    }
}

impl Counts {
    fn add(&mut self, status: i32, count: u64, witness: Arc<Witness>, ingested_at: Option<EventTime>) {
        self.total += count;
        *self.by_status.entry(status).or_default() += count;
        self.ingested_at = self.ingested_at.max(ingested_at.unwrap_or_default());
        if self.witness.as_ref().is_none_or(|known| witness < *known) {
            self.witness = Some(witness);
        }
    }

    /// Whether more than half of them got nothing.
    pub(super) fn is_mostly_refused(&self) -> bool {
        let refused: u64 = REFUSALS.iter().filter_map(|status| self.by_status.get(status)).sum();
        2 * refused > self.total
    }

    fn merge(&mut self, other: &Counts) {
        self.total += other.total;
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        self.ingested_at = self.ingested_at.max(other.ingested_at);
        if let Some(witness) = &other.witness
            && self.witness.as_ref().is_none_or(|known| witness < known)
        {
            self.witness = Some(Arc::clone(witness));
        }
    }
}
