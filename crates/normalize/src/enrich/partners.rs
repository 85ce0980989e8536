//! What a partner declared, held against what is seen.

use std::borrow::Cow;
use std::net::IpAddr;

use event::EventRow;

use crate::client::Networks;

/// The flag of a backend's call that came from elsewhere than its partner declared.
pub(crate) const OUTSIDE_EGRESS: &str = "outside_egress";

/// What a partner declared of itself.
#[derive(Clone, Debug, Default)]
pub struct PartnerFacts {
    /// `production` or `sandbox`, for lines that do not say.
    pub environment: Option<String>,
    /// Where its backend's calls come from. Empty: not declared.
    pub egress: Networks,
    /// Where its users and its backend are, as ISO 3166-1 alpha-2. Empty: not declared.
    pub countries: Vec<String>,
}

impl PartnerFacts {
    /// Sets the environment, and flags calls from elsewhere. Says whether a call came from where the
    /// partner declared that its calls come from.
    pub(super) fn apply(&self, row: &mut EventRow<'_>, address: Option<IpAddr>) -> bool {
        if let (None, Some(environment)) = (&row.env, &self.environment) {
            row.env = Some(Cow::Owned(environment.clone()));
        }
        // Only the backend has a key; users come from anywhere.
        let is_backend = row.api_key_id.is_some() || row.api_key_fp.is_some();
        let is_declared = address.filter(|_| is_backend && !self.egress.is_empty());
        let is_declared = is_declared.map(|address| self.egress.contains(address));
        if is_declared == Some(false) {
            row.flags.push(Cow::Borrowed(OUTSIDE_EGRESS));
        }
        let is_elsewhere =
            |country: &str| !self.countries.is_empty() && !self.countries.iter().any(|c| c == country);
        if row.src_country.as_deref().is_some_and(is_elsewhere) {
            row.flags.push(Cow::Borrowed("unexpected_country"));
        }
        is_declared == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> PartnerFacts {
        PartnerFacts {
            environment: Some("production".into()),
            egress: Networks::parse(["203.0.113.0/24"]).expect("a network"),
            countries: vec!["DE".into()],
        }
    }

    #[track_caller]
    fn check(key: Option<&'static str>, ip: &str, country: Option<&'static str>, flags: &[&str]) {
        let country = country.map(Cow::Borrowed);
        let mut row =
            EventRow { api_key_id: key.map(Cow::Borrowed), src_country: country, ..EventRow::default() };
        let is_declared = facts().apply(&mut row, Some(ip.parse().expect("an address")));
        assert_eq!(is_declared, key.is_some() && !flags.contains(&"outside_egress"));
        assert_eq!(
            (row.flags, row.env.as_deref()),
            (flags.iter().map(|flag| (*flag).into()).collect(), Some("production"))
        );
    }

    #[test]
    fn a_key_is_used_from_where_its_partner_said() {
        check(Some("key_1"), "203.0.113.9", None, &[]);
        check(Some("key_1"), "198.51.100.9", None, &["outside_egress"]);
        check(None, "198.51.100.9", None, &[]);
    }

    #[test]
    fn a_country_that_was_not_declared_is_flagged() {
        check(None, "203.0.113.9", Some("DE"), &[]);
        check(Some("key_1"), "198.51.100.9", Some("FR"), &["outside_egress", "unexpected_country"]);
    }

    #[test]
    fn what_a_line_says_of_its_environment_stands() {
        let mut row = EventRow { env: Some("sandbox".into()), ..EventRow::default() };
        facts().apply(&mut row, None);
        assert_eq!(row.env.as_deref(), Some("sandbox"));
    }
}
