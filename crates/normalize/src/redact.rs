//! Redaction: one linear pass that finds secrets in any text and puts fingerprints in their place.
//!
//! Secrets are known by their shape (see `shapes`), by the name they stand under (see `names`),
//! or because a description says that a field is one: those are `Known` and looked for literally.

mod anchors;
mod keys;
mod named;
mod names;
mod shapes;
mod unescape;

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::fields::write_json_inside;
use crate::fingerprint::{Fingerprinter, fingerprint_len};

pub(crate) use keys::is_cloud_key_id;
pub(crate) use names::secret_name;
pub(crate) use unescape::{percent_decoded, plain_escapes};

/// What stands where a secret was whose fingerprint would say too much: a password can be guessed.
const WITHHELD: &str = "[redacted]";

/// Literal search is for secrets long enough that they do not turn up by chance.
const KNOWN_BYTES_MIN: usize = 6;

/// A line with more named secrets than this loses its raw text instead of being searched for each.
const KNOWN_MAX: usize = 16;

/// What kind of secret it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SessionToken,
    ApiKey,
    WebhookSecret,
    Jwt,
    Authorization,
    Password,
    Session,
    Secret,
    /// Of a person, as a description says.
    Personal,
    /// The same, and not even a fingerprint is kept.
    Dropped,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SessionToken => "session_token",
            Self::ApiKey => "api_key",
            Self::WebhookSecret => "webhook_secret",
            Self::Jwt => "jwt",
            Self::Authorization => "authorization",
            Self::Password => "password",
            Self::Session => "session_id",
            Self::Secret => "secret",
            Self::Personal | Self::Dropped => "personal",
        }
    }
}

/// A secret's place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hit {
    start: usize,
    end: usize,
    kind: Kind,
}

/// A secret that the line's own structure names.
#[derive(Debug)]
pub(crate) struct Known {
    /// What it is looked for with: it is looked for in every column of its line.
    plain: Finder<'static>,
    /// The same as it stands in JSON, where that is another spelling.
    escaped: Option<Finder<'static>>,
    kind: Kind,
    /// Its fingerprint, where the field that it came from has asked for that.
    fingerprint: Option<String>,
}

/// The secrets that a line's fields are known to hold.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    known: Vec<Known>,
    /// Whether one came from a field that fills more than one column.
    shared: bool,
}

impl Secrets {
    pub(crate) fn add(&mut self, kind: Kind, value: &str) {
        // One more than is searched for says that there are too many.
        if !value.is_empty()
            && self.known.len() <= KNOWN_MAX
            && !self.known.iter().any(|known| known.plain.needle() == value.as_bytes())
        {
            self.known.push(Known::of(kind, value));
        }
    }

    /// Adds one whose field fills other columns, too.
    pub(crate) fn add_shared(&mut self, kind: Kind, value: &str) {
        self.add(kind, value);
        self.shared = true;
    }

    /// Keeps the fingerprint of one that was added, so that it is not hashed again for every place
    /// where it stands. One with escapes of a URL has another there.
    pub(crate) fn keep_fingerprint(&mut self, value: &str, fingerprint: &str) {
        let known = self.known.iter_mut().find(|known| known.plain.needle() == value.as_bytes());
        if let Some(known) = known
            && !value.contains('%')
        {
            known.fingerprint = Some(fingerprint.to_owned());
        }
    }

    /// What stands in for a secret, where that is the fingerprint that was kept.
    fn kept(&self, secret: &str, kind: Kind) -> Option<String> {
        if matches!(kind, Kind::Password | Kind::Dropped | Kind::Authorization) {
            return None;
        }
        let known = self.known.iter().find(|known| known.plain.needle() == secret.as_bytes())?;
        known.fingerprint.clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The secrets themselves.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.known.iter().filter_map(|known| std::str::from_utf8(known.plain.needle()).ok())
    }

    /// Whether a text cannot be cleaned of them by looking for each: too many, or so short that
    /// they are part of innocent words.
    pub(crate) fn beyond_search(&self) -> bool {
        self.known.len() > KNOWN_MAX || !self.known.iter().all(Known::is_searchable)
    }

    /// Whether each stands in the text once at most, and so, where every field of the line fills
    /// one column, only in that which it was taken from.
    pub(crate) fn stand_alone(&self, text: &str) -> bool {
        let twice = |known: &Known| known.plain.find_iter(text.as_bytes()).nth(1).is_some();
        !self.shared && !self.known.iter().any(twice)
    }

    fn searchable(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().take(KNOWN_MAX).filter(|known| known.is_searchable())
    }
}

impl Known {
    fn of(kind: Kind, value: &str) -> Self {
        let is_plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
        let escaped = (!is_plain).then(|| {
            let mut escaped = String::with_capacity(value.len() + 8);
            write_json_inside(value, &mut escaped);
            Finder::new(&escaped).into_owned()
        });
        Self { plain: Finder::new(value).into_owned(), escaped, kind, fingerprint: None }
    }

    /// Whether it does not turn up by chance: it is long, or an e-mail address.
    fn is_searchable(&self) -> bool {
        let value = self.plain.needle();
        value.len() >= KNOWN_BYTES_MIN || value.contains(&b'@')
    }

    /// Adds the places where it stands.
    fn each_hit(&self, text: &str, hits: &mut Vec<Hit>) {
        for finder in std::iter::once(&self.plain).chain(&self.escaped) {
            let hit = |start| Hit { start, end: start + finder.needle().len(), kind: self.kind };
            hits.extend(finder.find_iter(text.as_bytes()).map(hit));
        }
    }
}

/// What kind of text is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// JSON that was parsed and has no escapes: what stands behind `"name":` the parser has told
    /// apart, and within its strings there is prose.
    Json,
    /// Anything else: a secret may stand behind `name: `.
    Prose,
    /// JSON that no parser takes.
    Torn,
}

/// Whether a text may hold a secret.
pub(crate) fn suspects(text: &str, kind: Text) -> bool {
    let mut any = false;
    shapes::each_hit(text.as_bytes(), kind, |_| {
        any = true;
        false
    });
    any
}

/// The text without its secrets; `found` hears the kind of each and what stands in for it.
pub(crate) fn redact<'t>(
    text: &'t str,
    kind: Text,
    secrets: &Secrets,
    fingerprinter: &Fingerprinter,
    mut found: impl FnMut(Kind, &str),
) -> Cow<'t, str> {
    let mut hits = Vec::new();
    shapes::each_hit(text.as_bytes(), kind, |hit| {
        hits.push(hit);
        true
    });
    secrets.searchable().for_each(|known| known.each_hit(text, &mut hits));
    if hits.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    // A secret that comes again and again is hashed once.
    let mut before: Option<(&str, Kind, String)> = None;
    for hit in merged(hits) {
        // A hit begins and ends at ASCII, or where a known text does: on character borders.
        let secret = &text[hit.start..hit.end];
        if is_placeholder(secret) {
            continue;
        }
        out.push_str(&text[from..hit.start]);
        let known = before.take().filter(|(known, kind, _)| (*known, *kind) == (secret, hit.kind));
        let stand_in = known.map(|known| known.2).or_else(|| secrets.kept(secret, hit.kind));
        let stand_in = stand_in.unwrap_or_else(|| replacement(secret, hit.kind, fingerprinter));
        out.push_str(&stand_in);
        from = hit.end;
        found(hit.kind, &stand_in);
        before = Some((secret, hit.kind, stand_in));
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// What stands in for a secret.
pub(crate) fn replacement(secret: &str, kind: Kind, fingerprinter: &Fingerprinter) -> String {
    if matches!(kind, Kind::Password | Kind::Dropped) {
        return WITHHELD.to_owned();
    }
    let bare = secret.split_once(' ').map_or(secret, |(scheme, rest)| {
        if kind == Kind::Authorization && shapes::is_scheme(scheme.as_bytes()) { rest.trim() } else { secret }
    });
    fingerprinter.fingerprint(&percent_decoded(bare))
}

/// Whether a value already is what redaction leaves behind.
pub(crate) fn is_redacted(value: &str) -> bool {
    value == WITHHELD
        || value.eq_ignore_ascii_case("redacted")
        || fingerprint_len(value.as_bytes()).is_some_and(|len| len == value.len())
}

/// What others write where they took a secret out.
const PLACEHOLDERS: [&str; 12] = [
    "redacted",
    "hidden",
    "masked",
    "filtered",
    "removed",
    "withheld",
    "omitted",
    "scrubbed",
    "none",
    "null",
    "nil",
    "undefined",
];

/// Whether a value stands in for any secret, or says that there was none.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let word = value.trim_matches(|c: char| c.is_whitespace() || "<>[](){}*.…-_".contains(c));
    word.is_empty()
        || (word.len() >= 3 && word.bytes().all(|byte| matches!(byte, b'x' | b'X')))
        || PLACEHOLDERS.iter().any(|placeholder| word.eq_ignore_ascii_case(placeholder))
}

/// Hits in order, those that overlap joined.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut joined: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match joined.last_mut() {
            Some(last) if hit.start < last.end => last.end = last.end.max(hit.end),
            _ => joined.push(hit),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
