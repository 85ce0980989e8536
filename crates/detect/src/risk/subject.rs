//! Whom an alert is about.

use std::net::{IpAddr, Ipv6Addr};

use event::{Alert, Evidence};
use serde::{Deserialize, Serialize};

use crate::text;

/// Names are cut in evidence as this is.
const NAME_CHARS_MAX: usize = 160;

/// A kind of thing that has a risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    Partner,
    ApiKey,
    User,
    /// A /24 of IPv4 or a /48 of IPv6.
    Network,
}

impl Kind {
    /// Its name in alerts, as other detectors use it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::ApiKey => "api_key",
            Self::User => "user",
            Self::Network => "network",
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) name: String,
}

impl Subject {
    /// Its partner; the key, user or network that it names; and those that are in every event of its evidence.
    /// What is in some of them only, such as the account that one of a hundred guesses was for, has no part in it.
    pub(super) fn all_of(alert: &Alert) -> Vec<Self> {
        let named = |kind: Kind, name: Option<String>| name.map(|name| Self { kind, name });
        let itself = match alert.entity_type.as_str() {
            "api_key" => named(Kind::ApiKey, Some(short(&alert.entity))),
            "user" => named(Kind::User, Some(short(&alert.entity))),
            "network" | "address" => named(Kind::Network, network(&alert.entity)),
            _ => None,
        };
        let all = [
            named(Kind::Partner, Some(alert.tenant.to_string())),
            itself,
            named(Kind::ApiKey, in_all(alert, |seen| seen.api_key.as_deref().map(short))),
            named(Kind::User, in_all(alert, |seen| seen.user_ref.as_deref().map(short))),
            named(Kind::Network, in_all(alert, |seen| network(seen.src_ip.as_deref()?))),
        ];
        let mut all: Vec<_> = all.into_iter().flatten().filter(|subject| !subject.name.is_empty()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// By what it is kept.
    pub(super) fn key(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.name)
    }
}

fn short(name: &str) -> String {
    text::clean(name, NAME_CHARS_MAX)
}

fn in_all(alert: &Alert, of: impl Fn(&Evidence) -> Option<String>) -> Option<String> {
    let (first, others) = alert.evidence.split_first()?;
    let name = of(first)?;
    others.iter().all(|seen| of(seen).as_deref() == Some(&*name)).then_some(name)
}

/// The network of an address, as normalization calls it; of a network itself.
fn network(address: &str) -> Option<String> {
    let address = address.split_once('/').map_or(address, |(address, _)| address);
    match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_its_network_and_a_network_of_itself() {
        for (address, expected) in [
            ("203.0.113.9", "203.0.113.0/24"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2::5", "2001:db8:1::/48"),
            ("2001:db8:1::/48", "2001:db8:1::/48"),
        ] {
            assert_eq!(network(address).as_deref(), Some(expected), "{address}");
        }
        assert_eq!(network("key_1"), None);
    }
}
