//! Observations: for each event the small rows that detectors count by, keyed and routed.

use std::borrow::Cow;

use event::ids::{digest, partition_of, partition_of_parts, spelled};
use event::{EventRow, Observation, ObservationBatch, ObservationBatchBuilder, ObservationKind, RawLog};
use hashbrown::{HashMap, HashSet};

use crate::address;
use crate::client::EDGE_ADDRESS;
use crate::enrich::OUTSIDE_EGRESS;
use crate::observe::Seen;
use crate::probe::Probe;
use crate::requests::Requests;
use crate::signals::signal;
use crate::sources::{Arrived, Sources};

/// A longer id of an object is none.
const OBJECT_BYTES_MAX: usize = 128;

/// Builds the batches of observations, one for each partition.
pub(crate) struct Observations {
    partitions: Vec<ObservationBatchBuilder>,
    requests: Requests,
    sources: Sources,
    /// The deliveries whose requests are counted in this batch.
    counted: HashSet<[u8; 16]>,
    /// How often each line that is known by its content stands in the record so far.
    occurrences: HashMap<[u8; 32], u32>,
}

impl Observations {
    pub(crate) fn new(partitions: i32) -> Self {
        let partitions = (0..partitions.max(1)).map(|_| ObservationBatchBuilder::default()).collect();
        Self {
            partitions,
            requests: Requests::default(),
            sources: Sources::default(),
            counted: HashSet::new(),
            occurrences: HashMap::new(),
        }
    }

    /// Begins a record.
    pub(crate) fn record(&mut self) {
        self.occurrences.clear();
    }

    /// Notes a line that could not be read.
    pub(crate) fn unreadable(&mut self, raw: &RawLog<'_>, line: i32) {
        self.sources.add(&Arrived {
            at: raw.ingest_time(),
            tenant: raw.source.tenant.as_str(),
            topic: raw.topic,
            partition: raw.partition,
            offset: raw.offset,
            line,
            read: None,
        });
    }

    /// Adds what an event yields.
    pub(crate) fn add(&mut self, row: &EventRow<'_>, seen: &Seen) {
        self.sources.add(&Arrived::of(row, seen));
        let observe = &seen.observe;
        let status = row.status;
        let request = observe.yields(ObservationKind::Requests) && row.route.is_some();
        let account = account_of(row).filter(|_| observe.yields(ObservationKind::AuthByAccount));
        let by_address = observe.yields(ObservationKind::AuthByAddress) && row.src_ip.is_some();
        // What is no token identifies none: a scanner's `?token=1` is not one token used often.
        let malformed = row.flags.iter().any(|flag| flag == "malformed_token");
        let token = row.token_fp.as_deref().filter(|_| !malformed && observe.yields(ObservationKind::Token));
        let key = row.api_key_id.as_deref().or(row.api_key_fp.as_deref());
        let key = key.filter(|_| observe.yields(ObservationKind::KeyUse));
        let object = object(row);
        let is_refused = object.is_some() && matches!(status, Some(403 | 404));
        let caller = key.or(account).or_else(|| account_of(row).filter(|_| is_refused));
        // A proxy's address is nobody's: all that come through it would be one.
        let is_edge = row.flags.iter().any(|flag| flag == EDGE_ADDRESS);
        let src_ip = row.src_ip.as_deref().filter(|_| !is_edge);
        let net = || src_ip.and_then(address::parse).map(address::network);
        let signal = signal(row, net);
        let is_http = observe.yields(ObservationKind::Requests) && row.src_ip.is_some();
        let probe = if is_http { Probe::of(row) } else { None };
        let is_checked = caller.is_some()
            || by_address
            || token.is_some()
            || signal.is_some()
            || probe.is_some()
            || !seen.exposed.is_empty();
        if !request && !is_checked {
            return;
        }
        let delivery = self.delivery(row, seen);
        let delivery_id = || match &delivery {
            Some(delivery) => Cow::Owned(spelled("dlv_", delivery)),
            None => Cow::Borrowed(row.event_id.as_deref().unwrap_or_default()),
        };
        // Once folded into a count, a line that was sent twice cannot be told from two.
        if request && delivery.is_none_or(|delivery| self.counted.insert(delivery)) {
            self.requests.add(row, || delivery_id().into_owned());
        }
        if !is_checked {
            return;
        }
        let net = net();
        let mut observation = Observation {
            time: row.time,
            ingest_time: row.ingest_time,
            tenant: lent(&row.tenant),
            delivery_id: Some(delivery_id()),
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
            src_ip: src_ip.map(Cow::Borrowed),
            src_net: net.as_deref().map(Cow::Borrowed),
            ua_fp: lent(&row.ua_fp),
            origin_host: lent(&row.origin_host),
            route: lent(&row.route),
            status,
            count: seen.repeated,
            ..Observation::default()
        };
        if let Some(caller) = caller {
            let kind = match (account, key) {
                (Some(_), _) => ObservationKind::AuthByAccount,
                (None, Some(_)) => ObservationKind::KeyUse,
                (None, None) => ObservationKind::Access,
            };
            observation.kind = Some(kind.code());
            observation.object = object.map(Cow::Borrowed);
            observation.object_owner = lent(&row.object_owner);
            if key.is_some() {
                observation.key_use = Some(origin(row, seen));
                observation.src_asn = row.src_asn;
                observation.src_country = lent(&row.src_country);
                observation.ua_family = lent(&row.ua_family);
            }
            self.send(&observation, caller);
            (observation.key_use, observation.src_asn) = (None, None);
            (observation.src_country, observation.ua_family) = (None, None);
            (observation.object, observation.object_owner) = (None, None);
        }
        if let (true, Some(net)) = (by_address, net.as_deref()) {
            observation.kind = Some(ObservationKind::AuthByAddress.code());
            self.send(&observation, net);
        }
        if let (Some(probe), Some(net)) = (&probe, net.as_deref()) {
            let reason = std::mem::replace(&mut observation.reason, probe.telltale.map(Cow::Borrowed));
            observation.kind = Some(ObservationKind::Probe.code());
            observation.sought = Some(Cow::Borrowed(&probe.sought));
            self.send(&observation, net);
            (observation.reason, observation.sought) = (reason, None);
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
            if let Some(next) = &seen.next_token {
                observation.token_fp = Some(Cow::Borrowed(next));
                observation.rehearsal = Some(1);
                self.send(&observation, next);
                observation.rehearsal = None;
            }
        }
        if let Some((signal, entity)) = &signal {
            let reason = observation.reason.replace(Cow::Borrowed(signal.name()));
            observation.kind = Some(ObservationKind::Signal.code());
            observation.entity = Some(Cow::Borrowed(entity));
            self.send(&observation, entity);
            (observation.reason, observation.entity) = (reason, None);
        }
        for exposed in &seen.exposed {
            observation.kind = Some(ObservationKind::Secret.code());
            observation.reason = Some(Cow::Borrowed(&exposed.kind));
            observation.action = Some(Cow::Borrowed(&exposed.place));
            observation.token_fp = exposed.fingerprint.as_deref().map(Cow::Borrowed);
            self.send(&observation, &exposed.kind);
        }
    }

    /// The same for two deliveries of one line; none where only its position tells it from others.
    ///
    /// A shipper's sequence number tells deliveries, or the id that a server gave the event. Where
    /// there is neither, two lines that are equal to the last byte and stamped more finely than to
    /// the second are one line that was sent twice, unless they stand in one record. Two equal
    /// lines with a stamp of a second may well be two calls.
    fn delivery(&mut self, row: &EventRow<'_>, seen: &Seen) -> Option<[u8; 16]> {
        fn bytes<'r>(text: &'r Option<Cow<'_, str>>) -> &'r [u8] {
            text.as_deref().unwrap_or_default().as_bytes()
        }
        let topic = bytes(&row.kafka_topic);
        if let Some(seq) = row.seq {
            let line = if seen.sequence_of_record { row.kafka_line.unwrap_or(0) } else { -1 };
            let (shipper, boot) = (bytes(&row.shipper_id), bytes(&row.boot_id));
            let (seq, line) = (seq.to_be_bytes(), line.to_be_bytes());
            return Some(digest(&[topic, shipper, boot, &seq, &line, bytes(&row.original_time)]));
        }
        if row.source_event_id.is_some() {
            return Some(digest(&[topic, b"id", bytes(&row.source_event_id), bytes(&row.original_time)]));
        }
        let hash = row.raw_hash.filter(|_| seen.precise)?;
        let occurrence = self.occurrences.entry(hash).and_modify(|times| *times += 1).or_insert(0);
        Some(digest(&[topic, b"line", &hash, &occurrence.to_be_bytes()]))
    }

    /// Sends one where its tenant and key belong.
    fn send(&mut self, observation: &Observation<'_>, key: &str) {
        let tenant = observation.tenant.as_deref().unwrap_or_default();
        let partition = partition_of_parts(&[tenant, "\u{1f}", key], self.partitions.len() as i32);
        self.partitions[partition as usize].append(observation);
    }

    /// Ends the batches and starts others.
    pub(crate) fn finish(&mut self) -> Vec<ObservationBatch> {
        let partitions = self.partitions.len() as i32;
        self.counted.clear();
        let mut by_tenant = |observation: &Observation<'_>| {
            let tenant = observation.tenant.as_deref().unwrap_or_default();
            self.partitions[partition_of(tenant, partitions) as usize].append(observation);
        };
        self.requests.drain(&mut by_tenant);
        self.sources.drain(&mut by_tenant);
        self.partitions.iter_mut().map(ObservationBatchBuilder::finish).collect()
    }
}

fn lent<'r>(text: &'r Option<Cow<'_, str>>) -> Option<Cow<'r, str>> {
    text.as_deref().map(Cow::Borrowed)
}

/// Whose call it was: the API key's, or else the user's.
fn account_of<'r>(row: &'r EventRow<'_>) -> Option<&'r str> {
    row.api_key_id.as_deref().or(row.api_key_fp.as_deref()).or(row.user_ref.as_deref())
}

/// The object that a call was for, where it was for one and was answered.
fn object<'r>(row: &'r EventRow<'_>) -> Option<&'r str> {
    if !matches!(row.status, Some(200..300 | 403 | 404)) {
        return None;
    }
    let in_path = || row.path.as_deref().and_then(crate::route::object);
    row.object_id.as_deref().or_else(in_path).filter(|object| object.len() <= OBJECT_BYTES_MAX)
}

/// Where a key was used from, as the column `key_use` says it.
fn origin(row: &EventRow<'_>, seen: &Seen) -> i32 {
    match seen.declared {
        true => 2,
        false if row.flags.iter().any(|flag| flag == OUTSIDE_EGRESS) => 3,
        false => 1,
    }
}
