//! A row on its way: from the fields of a line to columns that hold no secret.

use std::borrow::Cow;

use event::{EventRow, EventTime};
use sha2::{Digest, Sha256};

use crate::carry::Found;
use crate::columns::{Cell, REDACTED};
use crate::fields::{Value, write_json_object};
use crate::line::Line;
use crate::mapping::{Draft, RequestLine};
use crate::observe::{EXPOSED_MAX, Exposed, Observe};
use crate::redact::{Kind, Text, is_cloud_key_id, plain_escapes, redact, suspects};
use crate::schema::{Format, Source};
use crate::settings::Settings;

/// What `message repeated N times` can add to a count: rsyslog folds the lines of some seconds.
const REPEATED_MAX: i64 = 1_000;

impl<'a> Draft<'_, 'a> {
    /// Splits `POST /v1/sessions HTTP/1.1` where the source has such a field.
    pub(crate) fn split_request_line(&mut self, source: &'a Source) {
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
    pub(crate) fn set_time(&mut self, time: EventTime, ingest_time: Option<EventTime>, ahead_ms_max: i64) {
        let ahead = ingest_time.filter(|ingest_time| time - *ingest_time > ahead_ms_max);
        self.row.time = Some(ahead.unwrap_or(time));
        self.flag(ahead.map(|_| "clock_skew"));
        self.flag(ingest_time.is_none().then_some("ingest_time_unknown"));
    }

    /// Fills the columns, the most particular word first: what a pattern says, what the line's
    /// fields say, what follows from other columns, what is so for every line.
    /// With what may be observed it says whether the sequence number is the record's.
    pub(crate) fn fill_columns(
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
    pub(crate) fn repeated(&mut self) -> Option<i64> {
        let times = self.fields.repeated?;
        self.flag((times > REPEATED_MAX).then_some("repeated_too_often"));
        Some(times.clamp(1, REPEATED_MAX))
    }

    /// What follows from the columns, whatever the source.
    pub(crate) fn finish_columns(&mut self) {
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

    /// What the wrappers said is kept beside the columns.
    pub(crate) fn set_wrappers(&mut self, found: &'a Found<'a, '_>) {
        self.row.logged_time = self.row.logged_time.or(found.wrapped_at);
        let around = found.around.iter().map(|(name, said)| (Cow::Borrowed(name.as_str()), said.clone()));
        self.fields.rest.extend(around);
    }

    /// Takes the secrets out of every column, and keeps the line without them.
    pub(crate) fn clean(
        mut self,
        line: &Line<'_>,
        found: &'a Found<'a, '_>,
    ) -> (Box<EventRow<'a>>, Vec<Exposed>) {
        let (source, text) = (found.source, &*found.text);
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
        // What a wrapper says stands outside of the line.
        let wrapped = !found.around.is_empty();
        if suspect || escaped || header || wrapped || beyond_search || !gone {
            self.clean_columns();
        }
        if beyond_search && !parsed {
            self.row.message = None;
        }
        let taken =
            suspect || header || wrapped || !self.secrets.is_empty() || !self.row.redactions.is_empty();
        // Beside a line that lacks one word, the plain hash of the whole would tell every guess at
        // that word right or wrong.
        let hash =
            if taken { self.fingerprinter.line(line.bytes) } else { Sha256::digest(line.bytes).into() };
        self.row.raw_hash = Some(hash);
        if !source.keep_raw {
            return (self.row, self.exposed);
        }
        if beyond_search {
            self.flag(Some("raw_withheld"));
        } else if suspect || !self.secrets.is_empty() {
            let mut kinds = Vec::new();
            let clean = redact(&plain, Text::Prose, &self.secrets, self.fingerprinter, |kind, stand_in| {
                kinds.push((kind, stand_in.to_owned()));
            });
            let raw = clean.into_owned();
            if self.row.redactions.is_empty() {
                for (kind, stand_in) in kinds {
                    self.note(kind, "raw");
                    self.expose(kind, "raw", &stand_in);
                }
            }
            self.row.raw = Some(Cow::Owned(raw));
        } else {
            self.row.raw = Some(Cow::Borrowed(text));
        }
        (self.row, self.exposed)
    }

    /// Notes that a secret stood where none belongs. One that has a column of its own belongs to the line,
    /// and what is about a person is no secret of a partner's.
    pub(crate) fn expose(&mut self, kind: Kind, place: &'static str, stand_in: &str) {
        let row = &self.row;
        let belongs = [&row.token_fp, &row.api_key_fp, &row.session_id, &row.user_ref];
        let is_id = |id: &str| self.fingerprinter.key(id) == stand_in;
        let is_its_own = belongs.iter().any(|own| own.as_deref() == Some(stand_in))
            || row.api_key_id.as_deref().is_some_and(is_id);
        let exposed = Exposed {
            kind: Cow::Borrowed(kind.as_str()),
            place: Cow::Borrowed(place),
            fingerprint: Some(stand_in.to_owned()).filter(|text| crate::Fingerprinter::is_fingerprint(text)),
        };
        let is_personal = matches!(kind, Kind::Personal | Kind::Dropped);
        if !is_its_own && !is_personal && self.exposed.len() < EXPOSED_MAX && !self.exposed.contains(&exposed)
        {
            self.exposed.push(exposed);
        }
    }

    fn clean_columns(&mut self) {
        for column in REDACTED {
            let Cell::Text(of) = column.cell else { continue };
            // The id of a cloud's key is public, where it stands as one.
            let is_id = |text: &Cow<'_, str>| column.name == "api_key_id" && is_cloud_key_id(text);
            let Some(text) = of(&mut self.row).take_if(|text| !is_id(text)) else { continue };
            let mut kinds = Vec::new();
            let clean =
                match redact(&text, Text::Prose, &self.secrets, self.fingerprinter, |kind, stand_in| {
                    kinds.push((kind, stand_in.to_owned()));
                }) {
                    Cow::Owned(clean) => Some(clean),
                    Cow::Borrowed(_) => None,
                };
            *of(&mut self.row) = Some(clean.map_or(text, Cow::Owned));
            for (kind, stand_in) in kinds {
                self.note(kind, column.name);
                self.expose(kind, column.name, &stand_in);
                self.flag(Some("secret_redacted"));
            }
        }
    }
}
