//! One line: its source found, parsed once, mapped to columns, its secrets taken out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use event::ids::event_id;
use event::{EventRow, RawLog, RejectReason};

use crate::agents::Agents;
use crate::carry::{Found, Search};
use crate::client::Networks;
use crate::enrich::{Enrichment, Known};
use crate::fields::Fields;
use crate::fingerprint::Fingerprinter;
use crate::formats::Unreadable;
use crate::limits::Limits;
use crate::mapping::Draft;
use crate::normalizer::Options;
use crate::observe::Seen;
use crate::parse::{fields, required, time};
use crate::route::route;
use crate::schema::{Schemas, Source};
use crate::text::Readable;

/// How long a value may be that detectors keep their counts by.
const KEY_BYTES_MAX: usize = 256;

/// A line and where it stands.
pub(crate) struct Line<'l> {
    pub(crate) raw: &'l RawLog<'l>,
    pub(crate) number: i32,
    pub(crate) bytes: &'l [u8],
}

/// A line that became an event.
pub(crate) struct Read<'a> {
    pub(crate) row: Box<EventRow<'a>>,
    pub(crate) seen: Seen,
}

/// A line that did not, and the source that was tried.
pub(crate) struct Failure<'a> {
    pub(crate) source: Option<&'a str>,
    pub(crate) unreadable: Unreadable,
}

/// Reads lines. What it keeps from one to the next are results of pure functions.
pub(crate) struct LineReader {
    schemas: Arc<Schemas>,
    fingerprinter: Fingerprinter,
    limits: Limits,
    formats: BTreeMap<String, String>,
    trusted_hops: BTreeMap<String, Networks>,
    enrichment: Arc<Enrichment>,
    agents: Agents,
    known: Known,
}

impl LineReader {
    pub(crate) fn new(schemas: Arc<Schemas>, fingerprinter: Fingerprinter, options: Options) -> Self {
        let Options { limits, formats, trusted_hops, .. } = options;
        Self {
            schemas,
            fingerprinter,
            limits,
            formats,
            trusted_hops,
            enrichment: Arc::default(),
            agents: Agents::default(),
            known: Known::default(),
        }
    }

    /// Reads on with what is known now.
    pub(crate) fn learn(&mut self, schemas: Arc<Schemas>, enrichment: Arc<Enrichment>) {
        (self.schemas, self.enrichment, self.known) = (schemas, enrichment, Known::default());
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn schemas(&self) -> &Arc<Schemas> {
        &self.schemas
    }

    pub(crate) fn fingerprinter(&self) -> &Fingerprinter {
        &self.fingerprinter
    }

    /// Finds the line inside its wrappers, and whose it is: the source that the record's header names,
    /// else the topic's configuration, else the one that recognises it.
    pub(crate) fn find<'s, 't>(
        &self,
        schemas: &'s Schemas,
        line: &Line<'_>,
        readable: &'t Readable<'_>,
    ) -> Result<Found<'s, 't>, Unreadable> {
        if line.bytes.len() > self.limits.line_bytes_max {
            return Err(Unreadable::new(RejectReason::TooLong, "the line is longer than a line may be"));
        }
        let source = |name| {
            let detail = "no source has the name that the record or topic gives";
            schemas.get(name).ok_or_else(|| Unreadable::new(RejectReason::UnknownFormat, detail))
        };
        let named = self.source_name(line.raw).map(source).transpose()?;
        Search { schemas, named, depth_max: self.limits.depth_max, in_syslog: false }.find(&readable.text)
    }

    /// The source that a record's header names, or else the configuration of its topic.
    pub(crate) fn source_name<'n>(&'n self, raw: &RawLog<'n>) -> Option<&'n str> {
        let configured = || self.formats.get(&**raw.topic).or_else(|| self.formats.get(&*raw.source.feed));
        raw.format.or_else(|| configured().map(String::as_str))
    }

    /// The hops that are trusted to say whom they stand for: by topic, feed or source.
    fn trusted_hops(&self, raw: &RawLog<'_>, source: &Source) -> Option<&Networks> {
        [&**raw.topic, &*raw.source.feed, &source.name]
            .into_iter()
            .find_map(|name| self.trusted_hops.get(name))
    }

    /// Reads one line that was found.
    pub(crate) fn read<'a>(
        &mut self,
        line: &Line<'a>,
        readable: &Readable<'_>,
        found: &'a Found<'a, '_>,
    ) -> Result<Read<'a>, Failure<'a>> {
        let (source, text) = (found.source, &*found.text);
        let failed = |unreadable| Failure { source: Some(&source.name), unreadable };
        let (fields, meaning) = fields(source, text, self.limits.depth_max).map_err(failed)?;
        let mut draft = self.draft(line, source, fields);
        for (flag, raised) in [("invalid_utf8", readable.invalid_utf8), ("nul_byte", readable.nul_byte)] {
            draft.flag(raised.then_some(flag));
        }
        draft.flag(draft.fields.duplicate_key.then_some("duplicate_key"));
        draft.split_request_line(source);
        required(source, &draft.fields).map_err(failed)?;
        let ingest_time = line.raw.ingest_time();
        let arrival = ingest_time.filter(|_| source.time.from.is_empty() || source.time.or_arrival);
        let (time, stamp) = match time(source, &draft.fields, ingest_time.unwrap_or_default()) {
            Ok((time, stamp)) => (time, stamp),
            Err(Unreadable { reason: RejectReason::MissingField, .. }) if arrival.is_some() => {
                draft.flag(source.time.or_arrival.then_some("no_time"));
                (arrival.unwrap_or_default(), None)
            }
            Err(unreadable) => return Err(failed(unreadable)),
        };
        // Whatever the source could write, a stamp without a fraction tells no two events apart.
        let precise = source.time.precise && stamp.as_ref().is_some_and(|stamp| stamp.contains('.'));
        draft.row.original_time = stamp;
        draft.set_time(time, ingest_time, self.limits.ahead_ms_max);
        let happened = draft.row.time.unwrap_or_default();
        draft.fingerprinter = self.fingerprinter.at(happened);
        draft.take_personal(source);
        let way = draft.way(source);
        let (mut observe, sequence_of_record) = draft.fill_columns(source, meaning, line.raw.shipper_seq);
        draft.set_client(&way, self.trusted_hops(line.raw, source), &mut observe);
        let repeated = draft.repeated();
        draft.set_wrappers(found);
        draft.token_from_url(&source.token_in_url);
        let next = self.fingerprinter.successor(happened);
        let next_token = next.and_then(|next| draft.token_under(next));
        draft.withhold_by_name(&source.leftover, &source.empty);
        draft.finish_columns();
        let (mut row, exposed) = draft.clean(line, found);
        self.bound_keys(&mut row);
        if let Some(agent) = row.user_agent.as_deref() {
            let agent = self.agents.of(agent);
            row.ua_fp = Some(Cow::Owned(agent.fingerprint));
            row.ua_family = Some(Cow::Owned(agent.family));
        }
        let declared = self.enrichment.apply(&mut row, &mut self.known);
        if let (None, Some(method), Some(path)) = (&row.route, &row.method, &row.path) {
            row.route = Some(Cow::Owned(route(method, path)));
        }
        let stamped = Some(time).filter(|time| row.time != Some(*time));
        let seen =
            Seen { observe, repeated, sequence_of_record, precise, stamped, exposed, next_token, declared };
        row.observed = Some(Cow::Owned(seen.to_text()));
        Ok(Read { row, seen })
    }

    /// What detectors keep their counts by is short; of what is longer the beginning is kept, and
    /// a hash that tells it from others that begin alike.
    fn bound_keys(&self, row: &mut EventRow<'_>) {
        let keys = [
            &mut row.user_ref,
            &mut row.api_key_id,
            &mut row.env,
            &mut row.action,
            &mut row.partner_id,
            &mut row.reason,
        ];
        let mut shortened = false;
        for key in keys {
            let Some(long) = key.as_deref().filter(|key| key.len() > KEY_BYTES_MAX) else { continue };
            let hash = hex::encode(&self.fingerprinter.line(long.as_bytes())[..16]);
            let end = long.floor_char_boundary(KEY_BYTES_MAX - "…".len() - hash.len());
            *key = Some(Cow::Owned(format!("{}…{hash}", &long[..end])));
            shortened = true;
        }
        if shortened {
            row.flags.push(Cow::Borrowed("value_shortened"));
        }
    }

    /// A row that knows where it comes from and nothing else.
    fn draft<'d, 'a>(&'d self, line: &Line<'a>, source: &'a Source, fields: Fields<'a>) -> Draft<'d, 'a> {
        let raw = line.raw;
        let mut row = Box::<EventRow<'a>>::default();
        row.event_id = Some(Cow::Owned(event_id(raw.topic, raw.partition, raw.offset, line.number)));
        row.ingest_time = raw.ingest_time();
        row.tenant = Some(Cow::Borrowed(raw.source.tenant.as_str()));
        row.source_format = Some(Cow::Borrowed(&source.name));
        row.feed = Some(Cow::Borrowed(&raw.source.feed));
        row.shipper_id = raw.shipper_id.map(Cow::Borrowed);
        row.kafka_topic = Some(Cow::Borrowed(raw.topic));
        row.kafka_partition = Some(raw.partition);
        row.kafka_offset = Some(raw.offset);
        row.kafka_line = Some(line.number);
        row.redriven_from = raw.redriven_from.map(Cow::Borrowed);
        Draft {
            row,
            fields,
            secrets: Default::default(),
            exposed: Vec::new(),
            fingerprinter: &self.fingerprinter,
        }
    }
}
