//! What detectors need of the events that they are given.

use std::collections::BTreeMap;

/// How many events there are, what they are observed for, and how many have each column that counts.
pub(super) const COUNTS: &str = "count(*) AS events, \
    count(*) FILTER (WHERE observed LIKE '%requests%') AS requests, \
    count(*) FILTER (WHERE observed LIKE '%auth_by%') AS authentications, \
    count(*) FILTER (WHERE observed LIKE '%token%') AS tokens, \
    count(src_ip) AS src_ip, count(user_agent) AS user_agent, count(outcome) AS outcome, count(status) AS status, \
    count(route) AS route, count(token_fp) AS token_fp, count(coalesce(api_key_id, api_key_fp, user_ref)) AS account, \
    count(seq) AS seq";

/// What is observed, the column that it needs, and what cannot be told without.
const NEEDS: [(&str, &str, &str); 9] = [
    ("requests", "route", "no request is counted"),
    ("requests", "status", "refusals are not told from requests that were served"),
    ("authentications", "account", "no account is watched: neither user_ref nor an API key is there"),
    ("authentications", "src_ip", "no address is watched: spraying and stuffing are not seen"),
    ("authentications", "outcome", "failures are not told from successes"),
    ("tokens", "token_fp", "no token is watched"),
    ("tokens", "src_ip", "a token that is used from elsewhere is not seen"),
    ("tokens", "user_agent", "a double click is not told from a second client"),
    ("tokens", "outcome", "a use that was rejected is not told from one that was accepted"),
];

/// The columns that detectors need and never saw, and what that means.
pub(super) fn unmet(seen: &BTreeMap<String, u64>) -> Vec<(&'static str, &'static str)> {
    let count = |name: &str| seen.get(name).copied().unwrap_or(0);
    let is_unmet = |(observed, column, _): &&(&str, &str, &str)| count(observed) > 0 && count(column) == 0;
    let mut unmet: Vec<_> = NEEDS.iter().filter(is_unmet).map(|&(_, column, why)| (column, why)).collect();
    let is_watched = ["requests", "authentications", "tokens"].iter().any(|observed| count(observed) > 0);
    if count("events") > 0 && !is_watched {
        unmet.push(("observe", "no detector sees these events"));
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_observed_without_what_it_needs_is_told() {
        let seen = |counts: &[(&str, u64)]| {
            unmet(&counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
        };
        assert_eq!(seen(&[("events", 9), ("requests", 9), ("route", 9), ("status", 3)]), []);
        assert_eq!(seen(&[("events", 9), ("requests", 9), ("route", 9)])[0].0, "status");
        assert_eq!(seen(&[("events", 9)]), [("observe", "no detector sees these events")]);
        assert_eq!(seen(&[]), []);
    }
}
