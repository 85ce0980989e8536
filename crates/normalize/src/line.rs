//! One line: its source found, parsed once, mapped to columns, its secrets taken out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use event::ids::event_id;
use event::{EventRow, EventTime, Position, RawLog, RejectReason};
use sha2::{Digest, Sha256};

use crate::agents::Agents;
use crate::columns::{Cell, REDACTED};
use crate::fields::{Fields, Value, write_json_object};
use crate::fingerprint::Fingerprinter;
use crate::formats::{Unreadable, json, syslog};
use crate::limits::Limits;
use crate::mapping::{Draft, RequestLine, is_empty, text_of};
use crate::observe::{Observe, Seen};
use crate::recognise::recognise;
use crate::redact::{Text, plain_escapes, redact, suspects};
use crate::route::route;
use crate::schema::{Format, Schemas, Source};
use crate::settings::Settings;
use crate::stamp::day_ms;
use crate::text::Readable;
use crate::wrapper::unwrapped;

/// How long a value may be that detectors keep their counts by.
const KEY_BYTES_MAX: usize = 256;

/// What `message repeated N times` can add to a count: rsyslog folds the lines of some seconds.
const REPEATED_MAX: i64 = 1_000;

/// A line and where it stands.
pub(crate) struct Line<'l> {
    pub(crate) raw: &'l RawLog<'l>,
    pub(crate) number: i32,
    pub(crate) bytes: &'l [u8],
}

/// A line that became an event.
pub(crate) struct Read<'a> {
    pub(crate) row: EventRow<'a>,
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
    agents: Agents,
}

impl LineReader {
    pub(crate) fn new(
        schemas: Arc<Schemas>,
        fingerprinter: Fingerprinter,
        limits: Limits,
        formats: BTreeMap<String, String>,
    ) -> Self {
        Self { schemas, fingerprinter, limits, formats, agents: Agents::default() }
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

    /// Reads one line.
    pub(crate) fn read<'a>(
        &mut self,
        schemas: &'a Schemas,
        line: &Line<'a>,
        readable: &'a Readable<'_>,
    ) -> Result<Read<'a>, Failure<'a>> {
        let unnamed = |unreadable| Failure { source: None, unreadable };
        if line.bytes.len() > self.limits.line_bytes_max {
            let detail = "the line is longer than a line may be";
            return Err(unnamed(Unreadable::new(RejectReason::TooLong, detail)));
        }
        let text = readable.text.trim();
        let inner = unwrapped(text).map_err(unnamed)?;
        if inner.is_empty() {
            return Err(unnamed(Unreadable::new(RejectReason::Empty, "there is nothing but white space")));
        }
        let source = self.source(schemas, line.raw, inner).map_err(unnamed)?;
        let failed = |unreadable| Failure { source: Some(&source.name), unreadable };
        let (fields, meaning) = fields(source, inner, self.limits.depth_max).map_err(failed)?;
        let mut draft = self.draft(line, source, fields);
        for (flag, raised) in [("invalid_utf8", readable.invalid_utf8), ("nul_byte", readable.nul_byte)] {
            draft.flag(raised.then_some(flag));
        }
        draft.flag(draft.fields.duplicate_key.then_some("duplicate_key"));
        draft.split_request_line(source);
        required(source, &draft.fields).map_err(failed)?;
        let ingest_time = line.raw.ingest_time();
        let (time, stamp) = match ingest_time.filter(|_| source.time.from.is_empty()) {
            Some(arrival) => (arrival, None),
            None => time(source, &draft.fields, ingest_time.unwrap_or_default()).map_err(failed)?,
        };
        // Whatever the source could write, a stamp without a fraction tells no two events apart.
        let precise = source.time.precise && stamp.as_ref().is_some_and(|stamp| stamp.contains('.'));
        draft.row.original_time = stamp;
        draft.set_time(time, ingest_time, self.limits.ahead_ms_max);
        let (observe, sequence_of_record) = draft.fill_columns(source, meaning, line.raw.shipper_seq);
        let repeated = draft.repeated();
        draft.token_from_url(&source.token_in_url);
        draft.withhold_by_name(&source.leftover);
        draft.finish_columns();
        let mut row = draft.clean(line, text, source);
        self.bound_keys(&mut row);
        if let Some(agent) = row.user_agent.as_deref() {
            row.ua_fp = Some(Cow::Owned(self.agents.fingerprint(agent)));
        }
        if let (None, Some(method), Some(path)) = (&row.route, &row.method, &row.path) {
            row.route = Some(Cow::Owned(route(method, path)));
        }
        let stamped = Some(time).filter(|time| row.time != Some(*time));
        let seen = Seen { observe, repeated, sequence_of_record, precise, stamped };
        row.observed = Some(Cow::Owned(seen.to_text()));
        Ok(Read { row, seen })
    }

    /// The line's source: named by the record's header, else by the topic's configuration, else
    /// recognised.
    fn source<'s>(
        &self,
        schemas: &'s Schemas,
        raw: &RawLog<'_>,
        text: &str,
    ) -> Result<&'s Source, Unreadable> {
        let configured = || self.formats.get(&**raw.topic).or_else(|| self.formats.get(&*raw.source.feed));
        if let Some(name) = raw.format.or_else(|| configured().map(String::as_str)) {
            return schemas.get(name).ok_or_else(|| {
                Unreadable::new(
                    RejectReason::UnknownFormat,
                    "no source has the name that the record or topic gives",
                )
            });
        }
        if let Some(source) = recognise(text, schemas) {
            return Ok(source);
        }
        if text.starts_with(['{', '[']) {
            json::parse(text, self.limits.depth_max)?;
        }
        Err(Unreadable::new(RejectReason::UnknownFormat, "no source recognises the line"))
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
        let position = Position {
            topic: Arc::clone(raw.topic),
            partition: raw.partition,
            offset: raw.offset,
            line: line.number,
        };
        let row = EventRow {
            event_id: Some(Cow::Owned(event_id(&position))),
            ingest_time: raw.ingest_time(),
            tenant: Some(Cow::Borrowed(raw.source.tenant.as_str())),
            source_format: Some(Cow::Borrowed(&source.name)),
            feed: Some(Cow::Borrowed(&raw.source.feed)),
            shipper_id: raw.shipper_id.map(Cow::Borrowed),
            kafka_topic: Some(Cow::Borrowed(raw.topic)),
            kafka_partition: Some(raw.partition),
            kafka_offset: Some(raw.offset),
            kafka_line: Some(line.number),
            ..EventRow::default()
        };
        Draft { row, fields, secrets: Default::default(), fingerprinter: &self.fingerprinter }
    }
}

/// Takes a line apart as its source's format says; with it comes what a pattern says it means.
fn fields<'a>(
    source: &'a Source,
    text: &'a str,
    depth_max: usize,
) -> Result<(Fields<'a>, Option<&'a Settings>), Unreadable> {
    match &source.format {
        Format::Json(shape) => Ok((json::read(text, shape, depth_max)?, None)),
        Format::Template(template) => Ok((template.read(text, source.slots)?, None)),
        Format::Regex(patterns) => {
            let mut fields = Fields::with_slots(source.slots);
            let pattern = patterns.iter().find(|pattern| pattern.read(None, text, &mut fields));
            let pattern = pattern.ok_or_else(|| {
                Unreadable::new(RejectReason::UnknownFormat, "none of the source's patterns fits the line")
            })?;
            Ok((fields, Some(&pattern.settings)))
        }
        Format::Syslog { patterns, header } => {
            let parts = syslog::header(text)?;
            let mut fields = Fields::with_slots(source.slots);
            let values = [
                parts.priority,
                Some(parts.timestamp),
                Some(parts.host),
                parts.program,
                parts.pid,
                Some(parts.message),
                parts.repeated,
            ];
            for (place, value) in header.iter().zip(values) {
                if let Some(value) = value {
                    place.put(Cow::Borrowed(value), &mut fields);
                }
            }
            fields.repeated = parts.repeated.and_then(|times| times.parse().ok());
            let pattern =
                patterns.iter().find(|pattern| pattern.read(parts.program, parts.message, &mut fields));
            Ok((fields, pattern.map(|pattern| &pattern.settings)))
        }
    }
}

fn required(source: &Source, fields: &Fields<'_>) -> Result<(), Unreadable> {
    for (slot, path) in &source.required {
        match &fields.slots[*slot] {
            Some(Value::List(_) | Value::Object(_)) => {
                let detail = format!("`{path}` holds a list or an object");
                return Err(Unreadable::new(RejectReason::InvalidField, detail));
            }
            Some(value) if !is_empty(value, &source.empty) => {}
            _ => return Err(Unreadable::new(RejectReason::MissingField, format!("`{path}` is missing"))),
        }
    }
    Ok(())
}

/// The event's time and how it was written.
fn time<'a>(
    source: &Source,
    fields: &Fields<'a>,
    near: EventTime,
) -> Result<(EventTime, Option<Cow<'a, str>>), Unreadable> {
    let rule = &source.time;
    let mut unreadable = None;
    for (slot, path) in &rule.from {
        let Some(value) = fields.slots[*slot].as_ref().filter(|value| !is_empty(value, &source.empty)) else {
            continue;
        };
        let text = text_of(value).unwrap_or_default();
        let read = rule.formats.iter().filter_map(|format| format.read(&text, rule.zone_ms, near));
        // A number may be of seconds or nanoseconds; only one of them lies in our time.
        match read.reduce(|one, other| if in_range(one) { one } else { other }) {
            Some(time) if in_range(time) => return Ok((time, Some(text))),
            Some(_) => {
                let detail = format!("`{path}` lies before 2000 or after 2100");
                return Err(Unreadable::new(RejectReason::TimeOutOfRange, detail));
            }
            None => unreadable = unreadable.or(Some(path)),
        }
    }
    Err(match unreadable {
        Some(path) => Unreadable::new(RejectReason::InvalidField, format!("`{path}` holds no time stamp")),
        None => Unreadable::new(RejectReason::MissingField, "the line has no time stamp"),
    })
}

fn in_range(time: EventTime) -> bool {
    let start = |year| day_ms(year, 1, 1).unwrap_or_default();
    (start(2000)..start(2101)).contains(&time.millis())
}

impl<'a> Draft<'_, 'a> {
    /// Splits `POST /v1/sessions HTTP/1.1` where the source has such a field.
    fn split_request_line(&mut self, source: &'a Source) {
        let Some((slot, parts)) = source.request_line else { return };
        let line = match self.fields.slots[slot].take() {
            Some(Value::Text(line)) => line,
            Some(other) => return self.fields.rest.push((Cow::Borrowed("request"), other)),
            None => return,
        };
        if line.is_empty() || source.empty.iter().any(|empty| *empty == line) {
            return;
        }
        let Some(request) = RequestLine::of(&line) else {
            self.flag(Some("bad_request_line"));
            self.fields.rest.push((Cow::Borrowed("request"), Value::Text(line)));
            return;
        };
        let values = [Some(request.method), Some(request.target), request.protocol];
        for (slot, value) in parts.into_iter().zip(values) {
            if let (Some(slot), Some(value)) = (slot, value) {
                self.fields.slots[slot] = Some(Value::Text(value));
            }
        }
    }

    /// An event cannot have happened long after the broker got it. Where nobody knows when that
    /// was, its own word has to do.
    fn set_time(&mut self, time: EventTime, ingest_time: Option<EventTime>, ahead_ms_max: i64) {
        let ahead = ingest_time.filter(|ingest_time| time - *ingest_time > ahead_ms_max);
        self.row.time = Some(ahead.unwrap_or(time));
        self.flag(ahead.map(|_| "clock_skew"));
        self.flag(ingest_time.is_none().then_some("ingest_time_unknown"));
    }

    /// Fills the columns, the most particular word first: what a pattern says, what the line's
    /// fields say, what follows from other columns, what is so for every line.
    /// With what may be observed it says whether the sequence number is the record's.
    fn fill_columns(
        &mut self,
        source: &'a Source,
        meaning: Option<&'a Settings>,
        shipper_seq: Option<i64>,
    ) -> (Observe, bool) {
        let mut observe = Observe::default();
        if let Some(settings) = meaning {
            settings.apply(&mut self.row, &mut observe);
        }
        for rule in &source.columns {
            self.map(rule, &source.empty);
        }
        let sequence_of_record = self.row.seq.is_none() && shipper_seq.is_some();
        self.row.seq = self.row.seq.or(shipper_seq);
        for table in &source.tables {
            table.apply(&mut self.row, &self.fields, &mut observe);
        }
        source.bases.iter().for_each(|base| base.apply(&mut self.row, &mut observe));
        (observe, sequence_of_record)
    }

    /// How many times the line counts. A count that is a field of the payload is no more than one.
    fn repeated(&mut self) -> Option<i64> {
        let times = self.fields.repeated?;
        self.flag((times > REPEATED_MAX).then_some("repeated_too_often"));
        Some(times.clamp(1, REPEATED_MAX))
    }

    /// What follows from the columns, whatever the source.
    fn finish_columns(&mut self) {
        let row = &mut self.row;
        if row.severity.is_none() {
            row.severity = Some(if row.outcome.as_deref() == Some("failure") { 2 } else { 1 });
        }
        if let (Some(class), Some(activity)) = (row.class_uid, row.activity_id) {
            row.type_uid = Some(i64::from(class) * 100 + i64::from(activity));
        }
        // Whose an event is, the topic says; a payload that says otherwise is worth a look.
        let elsewhere = row.partner_id.is_some() && row.partner_id != row.tenant;
        self.flag(elsewhere.then_some("tenant_mismatch"));
        self.fields.rest.retain(|(_, value)| !value.is_null());
        if !self.fields.rest.is_empty() {
            let mut json = String::with_capacity(128);
            write_json_object(&self.fields.rest, &mut json);
            self.row.unmapped = Some(Cow::Owned(json));
        }
    }

    /// Takes the secrets out of every column, and keeps the line without them.
    fn clean(mut self, line: &Line<'_>, text: &'a str, source: &Source) -> EventRow<'a> {
        let escaped = memchr::memchr(b'\\', text.as_bytes()).is_some();
        let parsed = matches!(source.format, Format::Json(_));
        let plain = plain_escapes(text);
        let suspect = suspects(&plain, if parsed && !escaped { Text::Json } else { Text::Prose });
        let header = self.row.shipper_id.as_deref().is_some_and(|id| suspects(id, Text::Prose));
        let beyond_search = self.secrets.beyond_search();
        // Columns are parts of the line: if it holds no secret, neither do they. The members of an
        // object do not overlap, so there a secret that stands in the line once has gone with its
        // field. A message's parts, though, stand in the message, too.
        let gone = self.secrets.is_empty() || (parsed && self.secrets.stand_alone(&plain));
        if suspect || escaped || header || beyond_search || !gone {
            self.clean_columns();
        }
        if beyond_search && !parsed {
            self.row.message = None;
        }
        let taken = suspect || header || !self.secrets.is_empty() || !self.row.redactions.is_empty();
        // Beside a line that lacks one word, the plain hash of the whole would tell every guess at
        // that word right or wrong.
        let hash =
            if taken { self.fingerprinter.line(line.bytes) } else { Sha256::digest(line.bytes).into() };
        self.row.raw_hash = Some(hash);
        if !source.keep_raw {
            return self.row;
        }
        if beyond_search {
            self.flag(Some("raw_withheld"));
        } else if suspect || !self.secrets.is_empty() {
            let mut kinds = Vec::new();
            let clean =
                redact(&plain, Text::Prose, &self.secrets, self.fingerprinter, |kind| kinds.push(kind));
            let raw = clean.into_owned();
            if self.row.redactions.is_empty() {
                kinds.into_iter().for_each(|kind| self.redacted(kind, "raw"));
            }
            self.row.raw = Some(Cow::Owned(raw));
        } else {
            self.row.raw = Some(Cow::Borrowed(text));
        }
        self.row
    }

    fn clean_columns(&mut self) {
        for column in REDACTED {
            let Cell::Text(of) = column.cell else { continue };
            let Some(text) = of(&mut self.row).take() else { continue };
            let mut kinds = Vec::new();
            let clean = match redact(&text, Text::Prose, &self.secrets, self.fingerprinter, |kind| {
                kinds.push(kind)
            }) {
                Cow::Owned(clean) => Some(clean),
                Cow::Borrowed(_) => None,
            };
            *of(&mut self.row) = Some(clean.map_or(text, Cow::Owned));
            for kind in kinds {
                self.redacted(kind, column.name);
                self.flag(Some("secret_redacted"));
            }
        }
    }
}
