//! Secrets of a line on its way into columns: noted, and taken out of what no column holds.

use std::borrow::Cow;

use super::{Draft, Leftover, convert, is_empty, withhold};
use crate::fields::Value;
use crate::fingerprint::Fingerprinter;
use crate::redact::{Kind, Secrets, Text, is_placeholder, percent_decoded, redact, replacement};

/// How many places of secrets an event names.
const NOTES_MAX: usize = 32;

impl<'a> Draft<'_, 'a> {
    /// Notes that a secret was taken out of a field. A line may hold more of them than are worth a
    /// note each.
    pub(crate) fn redacted(&mut self, kind: Kind, path: &str) {
        if self.row.redactions.len() < NOTES_MAX {
            // A member's name may hold a secret, too.
            self.note(kind, &redact(path, Text::Prose, &Secrets::default(), self.fingerprinter, |_, _| {}));
        }
    }

    /// Notes that a secret was taken out of a place that is named by us.
    pub(crate) fn note(&mut self, kind: Kind, place: &str) {
        let note = [kind.as_str(), ":", place].concat();
        if self.row.redactions.len() < NOTES_MAX && !self.row.redactions.iter().any(|noted| *noted == note) {
            self.row.redactions.push(Cow::Owned(note));
        }
    }

    /// A session token that a URL carries, under one of the parameters' names.
    pub(crate) fn token_from_url(&mut self, parameters: &[String]) {
        if self.row.token_fp.is_some() || parameters.is_empty() {
            return;
        }
        let Some(query) = self.row.query_redacted.clone() else { return };
        let value = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            parameters.iter().any(|parameter| parameter == name).then_some(value)
        });
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        let token = percent_decoded(value);
        self.flag(Some("token_in_url"));
        if crate::Fingerprinter::is_fingerprint(&token) {
            self.row.token_fp = Some(Cow::Owned(token.into_owned()));
            return;
        }
        if is_placeholder(&token) {
            self.flag(Some("secret_placeholder"));
            return;
        }
        if !convert::is_token(&token) {
            self.flag(Some("malformed_token"));
        }
        let fingerprint = self.fingerprinter.token(&token);
        // A URL fills the path's column and the query's.
        self.secrets.add_shared(Kind::SessionToken, value);
        self.secrets.add_shared(Kind::SessionToken, &token);
        self.secrets.keep_fingerprint(&token, &fingerprint);
        self.row.token_fp = Some(Cow::Owned(fingerprint));
    }

    /// What the line's token will be called under another key, where the token itself is known.
    pub(crate) fn token_under(&self, next: &Fingerprinter) -> Option<String> {
        let token_fp = self.row.token_fp.as_deref()?;
        let raw = self.secrets.values().find(|raw| self.fingerprinter.token(raw) == token_fp)?;
        Some(next.token(raw))
    }

    /// Takes out what stands under a secret's name among the fields that no column holds: those
    /// that the description does not name, and those that it names and does not use. A value that
    /// says that there is none is no secret.
    pub(crate) fn withhold_by_name(&mut self, leftover: &'a [Leftover], empty: &[String]) {
        let mut rest = std::mem::take(&mut self.fields.rest);
        for (path, value) in rest.iter_mut().filter(|(_, value)| !is_empty(value, empty)) {
            self.withhold(path, value, None);
        }
        for Leftover { slot, path, is_kept } in leftover {
            if let Some(mut value) = self.fields.slots[*slot].take() {
                if !is_empty(&value, empty) {
                    self.withhold(path, &mut value, None);
                }
                if *is_kept {
                    rest.push((Cow::Borrowed(path), value));
                }
            }
        }
        self.fields.rest = rest;
    }

    pub(super) fn withhold(&mut self, path: &str, value: &mut Value<'_>, kind: Option<Kind>) {
        withhold(path, value, kind, self.fingerprinter, &mut |kind, raw| {
            self.secrets.add(kind, raw);
            self.redacted(kind, path);
            let stand_in = replacement(raw, kind, self.fingerprinter);
            self.expose(kind, "unmapped", &stand_in);
        });
    }
}
