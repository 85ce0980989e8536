//! Which source a line is of, where neither its record nor its topic says so.

mod keys;

pub(crate) use keys::Keys;

use memchr::memmem::Finder;

use crate::formats::{cef, syslog};
use crate::schema::{Format, Recognise, Schemas, Source};

/// The first of some sources that takes the line for one of its own.
///
/// This looks at the line alone, not at its neighbours: a record may mix sources, and however
/// lines are put into records they have to mean the same.
pub(crate) fn recognise<'s>(
    line: &str,
    schemas: &'s Schemas,
    may_be: impl Fn(&Source) -> bool,
) -> Option<&'s Source> {
    let keys = schemas.keys();
    let present = line.starts_with('{').then(|| keys.present(line));
    let tried = schemas.in_order().zip(&keys.asked);
    let is_its = |source: &Source, asked: &Option<keys::Asked>| match asked {
        Some(asked) => present.as_ref().is_some_and(|present| asked.has(present)),
        None => recognises(source, line),
    };
    tried.filter(|(source, _)| may_be(source)).find(|(source, asked)| is_its(source, asked)).map(|it| it.0)
}

/// Whether a source takes the line for one of its own.
pub(crate) fn recognises(source: &Source, line: &str) -> bool {
    let json = line.starts_with('{');
    match (&source.recognise, &source.format) {
        (Recognise::Keys { all, any }, _) => {
            json && all.iter().all(|key| has_key(line, key))
                && (any.is_empty() || any.iter().any(|key| has_key(line, key)))
        }
        // A template's first variables would take a syslog stamp for a host and its user.
        (Recognise::Readable, Format::Template(template)) => {
            !json && !syslog::is_stamped(line) && template.fits(line)
        }
        (Recognise::Readable, Format::Syslog { .. }) => !json && syslog::recognises(line),
        (Recognise::Structured, Format::Syslog { .. }) => !json && syslog::is_structured(line),
        (Recognise::Readable, Format::Cef(_)) => cef::recognises(line),
        (Recognise::Readable, Format::Regex(patterns)) => {
            !json && patterns.iter().any(|pattern| pattern.fits(line))
        }
        (Recognise::Last, Format::Regex(patterns)) => patterns.iter().any(|pattern| pattern.fits(line)),
        (Recognise::Pairs(keys), Format::KeyValue(pairs, _)) => {
            !json && pairs.begin(line) && keys.iter().all(|key| has_pair(line, key))
        }
        (Recognise::Readable, Format::Delimited(delimited)) => !json && delimited.fits(line),
        (Recognise::Readable, Format::Json(_) | Format::KeyValue(..))
        | (Recognise::Pairs(_) | Recognise::Structured | Recognise::Last | Recognise::Never, _) => false,
    }
}

/// Whether a JSON text has a quoted key somewhere; whether it is the right one, the parser will say.
fn has_key(line: &str, quoted: &Finder<'_>) -> bool {
    quoted
        .find_iter(line.as_bytes())
        .any(|at| line[at + quoted.needle().len()..].trim_start().starts_with(':'))
}

/// Whether a text has a key with its sign somewhere, and not as the end of a longer key.
fn has_pair(line: &str, key: &Finder<'_>) -> bool {
    let begins = |at: usize| {
        !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    key.find_iter(line.as_bytes()).any(begins)
}
