//! Observations: for each event the small rows that detectors count by, keyed and routed.

mod told;

use std::borrow::Cow;

use event::ids::{digest, partition_of, partition_of_parts};
use event::{EventRow, Observation, ObservationBatch, ObservationBatchBuilder, ObservationKind, RawLog};
use hashbrown::{HashMap, HashSet};

use self::told::{Told, origin};
use crate::observe::Seen;
use crate::requests::Requests;
use crate::sources::{Arrived, Sources};

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

    /// Adds what an event yields: its observations are one row, lent from one to the next, in which each sets what it
    /// alone says and takes it back.
    pub(crate) fn add(&mut self, row: &EventRow<'_>, seen: &Seen) {
        self.sources.add(&Arrived::of(row, seen));
        let told = Told::of(row, seen);
        if !told.request && !told.is_more() {
            return;
        }
        let delivery = self.delivery(row, seen);
        // Once folded into a count, a line that was sent twice cannot be told from two.
        if told.request && delivery.is_none_or(|delivery| self.counted.insert(delivery)) {
            self.requests.add(row, delivery);
        }
        if !told.is_more() {
            return;
        }
        let net = told.net();
        let mut observation = Observation {
            delivery,
            src_ip: told.src_ip.map(Cow::Borrowed),
            src_net: net.as_deref().map(Cow::Borrowed),
            count: seen.repeated,
            ..of_row(row)
        };
        self.send_caller(&told, row, seen, &mut observation);
        self.send_user(&told, row, &mut observation);
        self.send_by_network(&told, net.as_deref(), &mut observation);
        self.send_token(&told, row, seen, &mut observation);
        self.send_others(&told, seen, &mut observation);
    }

    /// What is told of the account that made a call.
    fn send_caller<'r>(
        &mut self,
        told: &'r Told<'_>,
        row: &'r EventRow<'_>,
        seen: &Seen,
        observation: &mut Observation<'r>,
    ) {
        let Some((kind, caller)) = told.caller else { return };
        observation.kind = Some(kind.code());
        observation.object = told.object.map(Cow::Borrowed);
        observation.object_owner = lent(&row.object_owner);
        if told.is_key_use {
            observation.key_use = Some(origin(row, seen));
            observation.src_asn = row.src_asn;
            observation.src_country = lent(&row.src_country);
            observation.ua_family = lent(&row.ua_family);
        }
        self.send(observation, caller);
        if let Some(replaced) = told.replaced {
            let (key, action) = (observation.api_key.take(), observation.action.take());
            observation.api_key = Some(Cow::Borrowed(replaced));
            observation.action = Some(Cow::Borrowed("api_key.replaced"));
            self.send(observation, replaced);
            (observation.api_key, observation.action) = (key, action);
        }
        (observation.object, observation.object_owner) = (None, None);
        (observation.key_use, observation.src_asn) = (None, None);
        (observation.src_country, observation.ua_family) = (None, None);
    }

    /// What is told of the user who was let in, and from where.
    fn send_user<'r>(
        &mut self,
        told: &'r Told<'_>,
        row: &'r EventRow<'_>,
        observation: &mut Observation<'r>,
    ) {
        let Some(user) = told.user else { return };
        observation.kind = Some(ObservationKind::UserUse.code());
        (observation.src_lat, observation.src_lon) = (row.src_lat, row.src_lon);
        (observation.src_asn, observation.src_country) = (row.src_asn, lent(&row.src_country));
        self.send(observation, user);
        (observation.src_lat, observation.src_lon) = (None, None);
        (observation.src_asn, observation.src_country) = (None, None);
    }

    /// What is told of the network that a call came from.
    fn send_by_network<'r>(
        &mut self,
        told: &'r Told<'_>,
        net: Option<&str>,
        observation: &mut Observation<'r>,
    ) {
        let Some(net) = net else { return };
        if told.by_address {
            observation.kind = Some(ObservationKind::AuthByAddress.code());
            self.send(observation, net);
        }
        if let Some(probe) = &told.probe {
            let telltale = probe.telltale.map(Cow::Borrowed);
            let reason = std::mem::replace(&mut observation.reason, telltale);
            observation.kind = Some(ObservationKind::Probe.code());
            observation.sought = Some(Cow::Borrowed(&probe.sought));
            self.send(observation, net);
            (observation.reason, observation.sought) = (reason, None);
        }
    }

    /// What is told of a session token, under its name and under that which it will have.
    fn send_token<'r>(
        &mut self,
        told: &'r Told<'_>,
        row: &'r EventRow<'_>,
        seen: &'r Seen,
        observation: &mut Observation<'r>,
    ) {
        let Some(token) = told.token else { return };
        observation.kind = Some(ObservationKind::Token.code());
        observation.token_fp = Some(Cow::Borrowed(token));
        observation.token_expires_at = row.token_expires_at;
        observation.end_user_ip = lent(&row.end_user_ip);
        observation.bound_origin = lent(&row.bound_origin);
        if let Some(action) = &seen.observe.token_action {
            observation.action = Some(Cow::Borrowed(action));
        }
        self.send(observation, token);
        self.send_to_tenant(observation);
        if let Some(next) = &seen.next_token {
            observation.token_fp = Some(Cow::Borrowed(next));
            observation.rehearsal = Some(1);
            self.send(observation, next);
            self.send_to_tenant(observation);
        }
        (observation.token_fp, observation.token_expires_at, observation.rehearsal) = (None, None, None);
        (observation.end_user_ip, observation.bound_origin) = (None, None);
        observation.action = lent(&row.action);
    }

    /// What is only worth a word when there is much of it, and secrets that stood where none belongs.
    fn send_others<'r>(&mut self, told: &'r Told<'_>, seen: &'r Seen, observation: &mut Observation<'r>) {
        for (signal, entity) in told.signal.iter().chain(&told.transport) {
            let reason = observation.reason.replace(Cow::Borrowed(signal.name()));
            observation.kind = Some(ObservationKind::Signal.code());
            observation.entity = Some(Cow::Borrowed(entity));
            self.send(observation, entity);
            (observation.reason, observation.entity) = (reason, None);
        }
        for exposed in &seen.exposed {
            observation.kind = Some(ObservationKind::Secret.code());
            observation.reason = Some(Cow::Borrowed(&exposed.kind));
            observation.action = Some(Cow::Borrowed(&exposed.place));
            observation.token_fp = exposed.fingerprint.as_deref().map(Cow::Borrowed);
            self.send(observation, &exposed.kind);
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

    /// Tells of a token where all tokens of its tenant are told of.
    fn send_to_tenant(&mut self, observation: &mut Observation<'_>) {
        let kind = observation.kind.replace(ObservationKind::TokenOfTenant.code());
        let tenant = observation.tenant.as_deref().unwrap_or_default();
        let partition = partition_of(tenant, self.partitions.len() as i32);
        self.partitions[partition as usize].append(observation);
        observation.kind = kind;
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

/// What every observation takes over from its event.
fn of_row<'r>(row: &'r EventRow<'_>) -> Observation<'r> {
    Observation {
        time: row.time,
        ingest_time: row.ingest_time,
        tenant: lent(&row.tenant),
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
        ua_fp: lent(&row.ua_fp),
        origin_host: lent(&row.origin_host),
        route: lent(&row.route),
        status: row.status,
        ..Observation::default()
    }
}

fn lent<'r>(text: &'r Option<Cow<'_, str>>) -> Option<Cow<'r, str>> {
    text.as_deref().map(Cow::Borrowed)
}
