//! Personal fields, as a source's description names them: they leave no more than a fingerprint, or
//! nothing at all.

use crate::mapping::{Draft, is_empty, withhold};
use crate::redact::Kind;
use crate::schema::Source;

/// A field that is about a person.
#[derive(Debug)]
pub(crate) struct PersonalField {
    pub(crate) slot: usize,
    /// The field's name in the source.
    pub(crate) path: String,
    pub(crate) kept: Kept,
}

/// What is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// What tells one person from another, and whom from nobody.
    Fingerprint,
    Nothing,
}

impl<'a> Draft<'_, 'a> {
    /// Puts fingerprints in their place, or nothing. What was there is looked for in every other column
    /// and in the line.
    pub(crate) fn take_personal(&mut self, source: &'a Source) {
        for field in &source.personal {
            let Some(mut value) = self.fields.slots[field.slot].take() else { continue };
            if is_empty(&value, &source.empty) {
                continue;
            }
            let kind = match field.kept {
                Kept::Fingerprint => Kind::Personal,
                Kept::Nothing => Kind::Dropped,
            };
            withhold(&field.path, &mut value, Some(kind), self.fingerprinter, &mut |kind, raw| {
                self.secrets.add_shared(kind, raw);
            });
            self.redacted(kind, &field.path);
            if field.kept == Kept::Fingerprint {
                self.fields.slots[field.slot] = Some(value);
            }
        }
    }
}
