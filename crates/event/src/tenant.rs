//! Whose a log is: the tenant, taken from the topic and never from the payload.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A partner as a wall: everything that is stored, counted or alerted belongs to exactly one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// A tenant id: 1 to 64 of `a-z A-Z 0-9 _ -`.
    pub fn parse(id: &str) -> Result<Self, BadName> {
        check(id, "partner", false)?;
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose rows a caller may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everybody's: the platform's own analysts and administrators.
    All,
    /// Only these partners'; none at all if the set is empty.
    Tenants(BTreeSet<Tenant>),
}

impl Scope {
    /// Whether rows of this tenant may be seen.
    pub fn allows(&self, tenant: &Tenant) -> bool {
        match self {
            Self::All => true,
            Self::Tenants(tenants) => tenants.contains(tenant),
        }
    }
}

/// A topic that partners' shippers write to: `logs.<partner>.<feed>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTopic {
    /// The partner whose topic it is.
    pub tenant: Tenant,
    /// What the partner calls this stream of logs: 1 to 64 of `a-z A-Z 0-9 _ - .`.
    pub feed: Arc<str>,
}

impl LogTopic {
    /// What every raw-log topic's name begins with.
    pub const PREFIX: &'static str = "logs.";

    /// Checks both parts.
    pub fn new(partner: &str, feed: &str) -> Result<Self, BadName> {
        let tenant = Tenant::parse(partner)?;
        check(feed, "feed", true)?;
        Ok(Self { tenant, feed: feed.into() })
    }

    /// Takes a topic's name apart.
    pub fn parse(topic: &str) -> Result<Self, BadName> {
        let rest = topic.strip_prefix(Self::PREFIX).ok_or(BadName::NotALogTopic)?;
        let (partner, feed) = rest.split_once('.').ok_or(BadName::NotALogTopic)?;
        Self::new(partner, feed)
    }

    /// The topic's name.
    pub fn name(&self) -> String {
        format!("{}{}.{}", Self::PREFIX, self.tenant, self.feed)
    }
}

/// A partner or feed name that cannot be part of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The topic does not have the form `logs.<partner>.<feed>`.
    #[error("a log topic is named logs.<partner>.<feed>")]
    NotALogTopic,
    /// A part is empty, too long or has other characters.
    #[error("a {part} name has 1 to 64 of a-z A-Z 0-9 _ - ")]
    BadPart {
        /// `partner` or `feed`.
        part: &'static str,
    },
}

fn check(name: &str, part: &'static str, dots: bool) -> Result<(), BadName> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || (dots && b == b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(BadName::BadPart { part });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_partner_and_feed() {
        let topic = LogTopic::parse("logs.prt_acme.edge.nginx").expect("well-formed");
        assert_eq!((topic.tenant.as_str(), &*topic.feed), ("prt_acme", "edge.nginx"));
        assert_eq!(topic.name(), "logs.prt_acme.edge.nginx");
    }

    #[test]
    fn a_path_or_a_wildcard_is_no_partner() {
        for bad in ["logs.../x.y", "logs.a/b.c", "logs..feed", "logs.a*.b", "logs.acme", "events.acme.x"] {
            assert!(LogTopic::parse(bad).is_err(), "{bad}");
        }
    }
}
