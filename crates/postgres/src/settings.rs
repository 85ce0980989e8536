//! What a client may set and ask for about its own connection. Nothing here changes what a query may
//! do or see.

use std::collections::BTreeMap;

use crate::error::SqlError;

/// The version that is spoken as far as clients choose their catalog queries by it.
pub(crate) const SERVER_VERSION: &str = "15.0";
pub(crate) const SERVER_VERSION_NUMBER: &str = "150000";

/// Names that one connection may set.
const SET_MAX: usize = 64;
/// The most bytes of a value.
const VALUE_BYTES_MAX: usize = 1_024;

/// What is told to a client when it has come in, and what `SHOW` answers where nothing was set.
const REPORTED: [(&str, &str); 9] = [
    ("server_version", SERVER_VERSION),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
    ("default_transaction_read_only", "on"),
];

/// What `SHOW` and `current_setting` answer besides.
const KNOWN: [(&str, &str); 21] = [
    ("application_name", ""),
    ("server_version_num", SERVER_VERSION_NUMBER),
    ("transaction_isolation", "read committed"),
    ("default_transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
    ("is_superuser", "off"),
    ("search_path", "public"),
    ("extra_float_digits", "1"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("bytea_output", "hex"),
    ("client_min_messages", "notice"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("row_security", "on"),
    ("in_hot_standby", "off"),
];

/// The settings that answers are written by, and the only value of each that there is.
const FIXED: [(&str, &str); 6] = [
    ("client_encoding", "utf8"),
    ("datestyle", "iso"),
    ("standard_conforming_strings", "on"),
    ("bytea_output", "hex"),
    ("transaction_read_only", "on"),
    ("default_transaction_read_only", "on"),
];

/// A connection's settings.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    set: BTreeMap<String, String>,
}

impl Settings {
    /// What a client is told when it has come in.
    pub(crate) fn reported() -> impl Iterator<Item = (&'static str, &'static str)> {
        REPORTED.into_iter()
    }

    /// The value of a setting.
    pub(crate) fn get(&self, name: &str) -> Result<&str, SqlError> {
        let name = name.to_lowercase();
        if let Some(value) = self.set.get(&name) {
            return Ok(value);
        }
        default(&name).ok_or_else(|| {
            SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))
                .with_hint("see information_schema and pg_catalog.pg_settings for what there is to look up")
        })
    }

    /// Takes a value note of; what answers are written by can only be set to what it is.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), SqlError> {
        let name = name.to_lowercase();
        if name.starts_with("datafusion.") {
            return Err(SqlError::new("42501", "the engine's settings are not available"));
        }
        if let Some((_, only)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
            let told = value.to_lowercase().replace(['-', '"'], "").replace("true", "on");
            let is_it = told.starts_with(only) || told == "default" || (*only == "utf8" && told == "unicode");
            if !is_it {
                let text = format!("\"{name}\" cannot be \"{value}\": it is always \"{only}\" here");
                return Err(SqlError::new("22023", text));
            }
            return Ok(());
        }
        // Moments are written in UTC with their offset, whatever zone was asked for.
        if name == "timezone" || is_read_only(&name) {
            return Ok(());
        }
        if value.len() > VALUE_BYTES_MAX
            || name.len() > 63
            || (self.set.len() >= SET_MAX && !self.set.contains_key(&name))
        {
            let text = format!("at most {SET_MAX} settings of {VALUE_BYTES_MAX} bytes are kept");
            return Err(SqlError::new("53400", text));
        }
        self.set.insert(name, value.to_owned());
        Ok(())
    }

    pub(crate) fn reset(&mut self, name: &str) {
        self.set.remove(&name.to_lowercase());
    }

    pub(crate) fn reset_all(&mut self) {
        self.set.clear();
    }
}

fn is_read_only(name: &str) -> bool {
    matches!(name, "server_version" | "server_version_num" | "server_encoding" | "is_superuser")
}

/// The value of a setting that nobody has set.
pub(crate) fn default(name: &str) -> Option<&'static str> {
    let mut all = REPORTED.iter().chain(&KNOWN);
    all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// Every setting that there is to look up.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    REPORTED.into_iter().chain(KNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_shown_until_it_is_reset() {
        let mut settings = Settings::default();
        settings.set("Application_Name", "psql").unwrap();
        assert_eq!(settings.get("application_name").unwrap(), "psql");
        settings.reset("application_name");
        assert_eq!(settings.get("application_name").unwrap(), "");
        assert_eq!(settings.get("nonsense").unwrap_err().code, "42704");
    }

    #[test]
    fn what_answers_are_written_by_stays_as_it_is() {
        let mut settings = Settings::default();
        assert!(settings.set("client_encoding", "UTF-8").is_ok());
        assert!(settings.set("DateStyle", "ISO, DMY").is_ok());
        assert_eq!(settings.set("client_encoding", "LATIN1").unwrap_err().code, "22023");
        assert_eq!(settings.set("transaction_read_only", "off").unwrap_err().code, "22023");
        assert_eq!(settings.set("datafusion.execution.batch_size", "1").unwrap_err().code, "42501");
    }

    #[test]
    fn settings_do_not_pile_up() {
        let mut settings = Settings::default();
        let refused = (0..1_000).find_map(|n| settings.set(&format!("my.{n}"), "x").err());
        assert_eq!(refused.unwrap().code, "53400");
    }
}
