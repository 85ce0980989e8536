//! Which source a line is of, where neither its record nor its topic says so.

use memchr::memmem::Finder;

use crate::schema::{Format, Recognise, Schemas, Source};

/// The first source that takes the line for one of its own.
///
/// This looks at the line alone, not at its neighbours: a record may mix sources, and however
/// lines are put into records they have to mean the same.
pub(crate) fn recognise<'s>(line: &str, schemas: &'s Schemas) -> Option<&'s Source> {
    let json = line.starts_with('{');
    schemas.in_order().find(|source| match (&source.recognise, &source.format) {
        (Recognise::Keys(keys), _) => json && keys.iter().all(|key| has_key(line, key)),
        (Recognise::Readable, Format::Template(template)) => !json && template.fits(line),
        (Recognise::Readable, Format::Syslog { .. }) => !json && crate::formats::syslog::recognises(line),
        (Recognise::Readable, Format::Regex(patterns)) => {
            let mut fields = crate::fields::Fields::with_slots(source.slots);
            !json && patterns.iter().any(|pattern| pattern.read(None, line, &mut fields))
        }
        (Recognise::Readable, Format::Json(_)) | (Recognise::Never, _) => false,
    })
}

/// Whether a JSON text has a quoted key somewhere; whether it is the right one, the parser will say.
fn has_key(line: &str, quoted: &Finder<'_>) -> bool {
    quoted
        .find_iter(line.as_bytes())
        .any(|at| line[at + quoted.needle().len()..].trim_start().starts_with(':'))
}
