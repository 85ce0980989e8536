//! Observations: for each event the small rows that detectors count by, keyed and routed.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use event::ids::{partition_of, tagged};
use event::{EventRow, Observation, ObservationBatch, ObservationBatchBuilder, ObservationKind};

use crate::address;
use crate::requests::Requests;

/// Which observations a line may yield. It yields those whose key it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observe {
    kinds: u8,
    /// The action that a token's observation gets instead of the event's.
    token_action: Option<Arc<str>>,
}

impl Observe {
    /// The kinds by the names that descriptions use.
    pub(crate) const NAMES: [(&'static str, ObservationKind); 4] = [
        ("token", ObservationKind::Token),
        ("auth_by_account", ObservationKind::AuthByAccount),
        ("auth_by_address", ObservationKind::AuthByAddress),
        ("requests", ObservationKind::Requests),
    ];

    pub(crate) fn add(&mut self, kind: ObservationKind, action: Option<&str>) {
        self.kinds |= 1 << kind.code();
        if let Some(action) = action {
            self.token_action = Some(action.into());
        }
    }

    pub(crate) fn merge(&mut self, other: &Observe) {
        self.kinds |= other.kinds;
        if self.token_action.is_none() {
            self.token_action.clone_from(&other.token_action);
        }
    }

    fn yields(&self, kind: ObservationKind) -> bool {
        self.kinds & (1 << kind.code()) != 0
    }
}

/// What an event's observations need to know besides its row.
pub(crate) struct Seen<'s> {
    pub(crate) observe: &'s Observe,
    /// How many times the line says that it happened, where more than once.
    pub(crate) repeated: Option<i64>,
    /// Whether the sequence number is the record's, so that its lines share it.
    pub(crate) sequence_of_record: bool,
}

/// Builds the batches of observations, one for each partition.
pub(crate) struct Observations {
    partitions: Vec<ObservationBatchBuilder>,
    requests: Requests,
    key: String,
}

impl Observations {
    pub(crate) fn new(partitions: i32) -> Self {
        let partitions = (0..partitions.max(1)).map(|_| ObservationBatchBuilder::default()).collect();
        Self { partitions, requests: Requests::default(), key: String::new() }
    }

    /// Adds what an event yields.
    pub(crate) fn add(&mut self, row: &EventRow<'_>, seen: &Seen<'_>) {
        let observe = seen.observe;
        let status = row.status;
        if observe.yields(ObservationKind::Requests) && row.route.is_some() {
            self.requests.add(row, || delivery_id(row, seen));
        }
        let account = row.api_key_id.as_deref().or(row.api_key_fp.as_deref()).or(row.user_ref.as_deref());
        let account = account.filter(|_| observe.yields(ObservationKind::AuthByAccount));
        let by_address = observe.yields(ObservationKind::AuthByAddress) && row.src_ip.is_some();
        // What is no token identifies none: a scanner's `?token=1` is not one token used often.
        let malformed = row.flags.iter().any(|flag| flag == "malformed_token");
        let token = row.token_fp.as_deref().filter(|_| !malformed && observe.yields(ObservationKind::Token));
        if account.is_none() && !by_address && token.is_none() {
            return;
        }
        let delivery_id = delivery_id(row, seen);
        let net = row.src_ip.as_deref().and_then(address::parse).map(address::network);
        let mut observation = Observation {
            time: row.time,
            ingest_time: row.ingest_time,
            tenant: lent(&row.tenant),
            delivery_id: Some(Cow::Borrowed(&delivery_id)),
            event_id: lent(&row.event_id),
            kafka_topic: lent(&row.kafka_topic),
            kafka_partition: row.kafka_partition,
            kafka_offset: row.kafka_offset,
            kafka_line: row.kafka_line,
            source_format: lent(&row.source_format),
            env: lent(&row.env),
            action: lent(&row.action),
            outcome: lent(&row.outcome),
            reason: lent(&row.reason),
            partner_id: lent(&row.partner_id),
            user_ref: lent(&row.user_ref),
            api_key: lent(&row.api_key_id).or(lent(&row.api_key_fp)),
            src_ip: lent(&row.src_ip),
            src_net: net.as_deref().map(Cow::Borrowed),
            ua_fp: lent(&row.ua_fp),
            origin_host: lent(&row.origin_host),
            route: lent(&row.route),
            status,
            count: seen.repeated,
            ..Observation::default()
        };
        if let Some(account) = account {
            observation.kind = Some(ObservationKind::AuthByAccount.code());
            self.send(&observation, account);
        }
        if let (true, Some(net)) = (by_address, net.as_deref()) {
            observation.kind = Some(ObservationKind::AuthByAddress.code());
            self.send(&observation, net);
        }
        if let Some(token) = token {
            observation.kind = Some(ObservationKind::Token.code());
            observation.token_fp = lent(&row.token_fp);
            observation.token_expires_at = row.token_expires_at;
            observation.end_user_ip = lent(&row.end_user_ip);
            observation.bound_origin = lent(&row.bound_origin);
            if let Some(action) = &observe.token_action {
                observation.action = Some(Cow::Borrowed(action));
            }
            self.send(&observation, token);
        }
    }

    /// Sends one where its tenant and key belong.
    fn send(&mut self, observation: &Observation<'_>, key: &str) {
        self.key.clear();
        let tenant = observation.tenant.as_deref().unwrap_or_default();
        write!(self.key, "{tenant}\u{1f}{key}").expect("writing to a string does not fail");
        let partition = partition_of(&self.key, self.partitions.len() as i32);
        self.partitions[partition as usize].append(observation);
    }

    /// Ends the batches and starts others.
    pub(crate) fn finish(&mut self) -> Vec<ObservationBatch> {
        let partitions = self.partitions.len() as i32;
        self.requests.drain(|observation| {
            let tenant = observation.tenant.as_deref().unwrap_or_default();
            self.partitions[partition_of(tenant, partitions) as usize].append(observation);
        });
        self.partitions.iter_mut().map(ObservationBatchBuilder::finish).collect()
    }
}

/// The same for two deliveries of one line. A shipper's sequence number tells them; where there is
/// none, the position does: two equal lines may be two calls in one second.
fn delivery_id(row: &EventRow<'_>, seen: &Seen<'_>) -> String {
    let bytes = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().as_bytes().to_vec();
    match row.seq {
        Some(seq) => {
            let line = if seen.sequence_of_record { row.kafka_line.unwrap_or(0) } else { -1 };
            tagged(
                "dlv_",
                &[
                    &bytes(&row.kafka_topic),
                    &bytes(&row.shipper_id),
                    &bytes(&row.boot_id),
                    &seq.to_be_bytes(),
                    &line.to_be_bytes(),
                    &bytes(&row.original_time),
                ],
            )
        }
        None => row.event_id.as_deref().unwrap_or_default().to_owned(),
    }
}

fn lent<'r>(text: &'r Option<Cow<'_, str>>) -> Option<Cow<'r, str>> {
    text.as_deref().map(Cow::Borrowed)
}
