//! Lines that carry other lines: what shippers, container runtimes and syslog daemons put around
//! what they collect. The innermost line that a source knows is what counts.

use std::borrow::Cow;

use event::{EventTime, RejectReason};

use crate::fields::Value;
use crate::formats::{Unreadable, json, syslog};
use crate::recognise::{recognise, recognises};
use crate::schema::{Carries, Format, Schemas, Source, is_in_our_time};
use crate::stamp::StampFormat;
use crate::wrapper::unwrapped;

/// How many lines may lie one in another.
const WRAPPERS_MAX: usize = 4;

/// A line without its wrappers, and whose it is.
pub(crate) struct Found<'s, 't> {
    pub(crate) source: &'s Source,
    pub(crate) text: Cow<'t, str>,
    /// What each wrapper says besides, the innermost first.
    pub(crate) around: Vec<(String, Value<'static>)>,
    /// When the outermost wrapper was put around it.
    pub(crate) wrapped_at: Option<EventTime>,
}

/// What a wrapper holds.
struct Carried<'t> {
    text: Cow<'t, str>,
    around: Value<'static>,
    wrapped_at: Option<EventTime>,
}

/// Finds whose line a text is. Where the source is named it is that one's, and only the wrappers
/// are looked for.
pub(crate) struct Search<'s> {
    pub(crate) schemas: &'s Schemas,
    pub(crate) named: Option<&'s Source>,
    pub(crate) depth_max: usize,
    /// Whether it is what a syslog line carries: what that says of logins the syslog source knows as
    /// well, and when it happened besides.
    pub(crate) in_syslog: bool,
}

impl<'s> Search<'s> {
    /// The line inside all wrappers. A line that no source knows is an error that says why.
    pub(crate) fn find<'t>(&self, text: &'t str) -> Result<Found<'s, 't>, Unreadable> {
        self.inside(text, WRAPPERS_MAX)
    }

    fn inside<'t>(&self, text: &'t str, wrappers_left: usize) -> Result<Found<'s, 't>, Unreadable> {
        let text = text.trim();
        if wrappers_left > 0
            && let Some(wrapped) = unwrapped(text)?
        {
            let mut found = self.inside(wrapped.line, wrappers_left - 1)?;
            let stream = Value::Text(Cow::Owned(wrapped.stream.to_owned()));
            found.around.push(("wrapper.cri".to_owned(), Value::Object(vec![("stream".into(), stream)])));
            let stamp = StampFormat::Rfc3339.read(wrapped.stamp, None, EventTime(0));
            found.wrapped_at = stamp.or(found.wrapped_at);
            return Ok(found);
        }
        if text.is_empty() {
            return Err(Unreadable::new(RejectReason::Empty, "there is nothing but white space"));
        }
        let own = match self.named {
            Some(named) if recognises(named, text) => Some(named),
            Some(_) => recognise(text, self.schemas, |source| source.carries.is_some()),
            None => recognise(text, self.schemas, |source| !self.in_syslog || !source.is_last()),
        };
        let inner = self.inside_of(own);
        if let Some(carrier) = own
            && wrappers_left > 0
            && let Some(carried) = carried(carrier, text, self.depth_max).filter(|it| inner.may_be(&it.text))
        {
            let found = match carried.text {
                Cow::Borrowed(text) => inner.inside(text, wrappers_left - 1),
                Cow::Owned(text) => inner.inside(&text, wrappers_left - 1).map(Found::into_owned),
            };
            match found {
                Ok(mut found) => {
                    let name = if carrier.is_syslog() { "syslog" } else { &carrier.name };
                    found.around.push((format!("wrapper.{name}"), carried.around));
                    found.wrapped_at = carried.wrapped_at.or(found.wrapped_at);
                    return Ok(found);
                }
                Err(unreadable) if unreadable.reason == RejectReason::PartialLine => return Err(unreadable),
                Err(_) => {}
            }
        }
        match self.named.or(own) {
            Some(source) => {
                Ok(Found { source, text: Cow::Borrowed(text), around: Vec::new(), wrapped_at: None })
            }
            None => Err(self.unknown(text)),
        }
    }

    /// The search for what a line carries: where the source that carries it was named, any other may
    /// be inside.
    fn inside_of(&self, own: Option<&Source>) -> Self {
        let is_named = self.named.is_some_and(|named| own.is_some_and(|own| own.name == named.name));
        let in_syslog = own.is_some_and(Source::is_syslog);
        Self { named: self.named.filter(|_| !is_named), in_syslog, ..*self }
    }

    /// Whether the named source might read it: a JSON source reads no text.
    fn may_be(&self, inner: &str) -> bool {
        let json = |source: &Source| matches!(source.format, Format::Json(_));
        self.named.is_none_or(|named| !json(named) || inner.trim_start().starts_with('{'))
    }

    fn unknown(&self, text: &str) -> Unreadable {
        if text.starts_with(['{', '['])
            && let Err(unreadable) = json::parse(text, self.depth_max)
        {
            return unreadable;
        }
        Unreadable::new(RejectReason::UnknownFormat, "no source recognises the line")
    }
}

impl<'s> Found<'s, '_> {
    fn into_owned(self) -> Found<'s, 'static> {
        Found { text: Cow::Owned(self.text.into_owned()), ..self }
    }
}

/// What a line carries, if it does.
fn carried<'t>(carrier: &Source, text: &'t str, depth_max: usize) -> Option<Carried<'t>> {
    let carries = carrier.carries.as_ref()?;
    match &carrier.format {
        Format::Json(_) => carried_in_json(carrier, carries, text, depth_max),
        Format::Syslog { patterns, .. } => {
            let header = syslog::header(text).ok()?;
            // What the source has expressions for it reads itself.
            let knows = |program| patterns.iter().any(|pattern| pattern.is_of(program));
            (!header.program.is_some_and(knows)).then(|| carried_in_syslog(&header))
        }
        _ => None,
    }
}

fn carried_in_json<'t>(
    carrier: &Source,
    carries: &Carries,
    text: &'t str,
    depth_max: usize,
) -> Option<Carried<'t>> {
    let mut line = json::parse(text, depth_max).ok()?;
    if carries.unless.iter().any(|path| line.at(path).is_some()) {
        return None;
    }
    let stamp = carrier.time.from.iter().find_map(|(_, path)| crate::mapping::text_of(line.at(path)?));
    let wrapped_at = stamp.and_then(|stamp| carrier.time.moment(&stamp, EventTime(0)));
    let wrapped_at = wrapped_at.filter(|time| is_in_our_time(*time));
    let Value::Text(text) = line.take(&carries.field)? else { return None };
    Some(Carried { text, around: line.into_owned(), wrapped_at })
}

fn carried_in_syslog<'t>(header: &syslog::Header<'t>) -> Carried<'t> {
    let said = [
        ("timestamp", header.timestamp),
        ("host", header.host),
        ("program", header.program),
        ("pid", header.pid),
    ];
    let around = said
        .into_iter()
        .filter_map(|(name, value)| Some((Cow::Borrowed(name), Value::Text(Cow::Owned(value?.to_owned())))))
        .collect();
    Carried { text: Cow::Borrowed(header.message), around: Value::Object(around), wrapped_at: None }
}
