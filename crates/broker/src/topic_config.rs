//! The settings a topic may have, what they default to, and which values make sense.

use std::collections::BTreeMap;

use crate::config::BrokerConfig;
use crate::log::retention::Retention;

/// A topic's settings as the log uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    pub(crate) retention: Retention,
    pub(crate) segment_bytes: u64,
    pub(crate) message_bytes_max: usize,
}

/// How a setting's value reads; the numbers are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String = 2,
    Int = 3,
    Long = 5,
    List = 7,
}

/// A setting that a topic may have.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: fn(&BrokerConfig) -> String,
    allows: fn(&str) -> bool,
}

/// Every setting. Those with a single allowed value say what this broker does anyway.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        kind: Kind::List,
        default: |_| "delete".into(),
        allows: |value| value == "delete",
    },
    Setting {
        name: "compression.type",
        kind: Kind::String,
        default: |_| "producer".into(),
        allows: |value| value == "producer",
    },
    Setting {
        name: "max.message.bytes",
        kind: Kind::Int,
        default: |broker| broker.message_bytes_max.to_string(),
        allows: |value| value.parse().is_ok_and(|bytes: i32| bytes >= 0),
    },
    Setting {
        name: "message.timestamp.type",
        kind: Kind::String,
        default: |_| "CreateTime".into(),
        allows: |value| value == "CreateTime",
    },
    Setting {
        name: "min.insync.replicas",
        kind: Kind::Int,
        default: |_| "1".into(),
        allows: |value| value == "1",
    },
    Setting {
        name: "retention.bytes",
        kind: Kind::Long,
        default: |broker| broker.retention_bytes.max(-1).to_string(),
        allows: |value| value.parse().is_ok_and(|bytes: i64| bytes >= -1),
    },
    Setting {
        name: "retention.ms",
        kind: Kind::Long,
        default: |broker| broker.retention_ms.max(-1).to_string(),
        allows: |value| value.parse().is_ok_and(|ms: i64| ms >= -1),
    },
    Setting {
        name: "segment.bytes",
        kind: Kind::Int,
        default: |broker| broker.segment_bytes.to_string(),
        allows: |value| value.parse().is_ok_and(|bytes: i32| bytes >= 14),
    },
];

/// The setting of that name.
pub(crate) fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Says what is wrong with a setting, if anything.
pub(crate) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some(setting) = setting(name) else {
        let known: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        return Err(format!("no topic setting {name:?}; there are {}", known.join(", ")));
    };
    if (setting.allows)(value) { Ok(()) } else { Err(format!("{name} cannot be {value:?} here")) }
}

impl TopicConfig {
    /// The broker's defaults, and over them what was set for the topic.
    pub(crate) fn new(broker: &BrokerConfig, set: &BTreeMap<String, String>) -> Self {
        Self {
            retention: Retention {
                age_ms: number(set, "retention.ms").unwrap_or(broker.retention_ms),
                bytes: number(set, "retention.bytes").unwrap_or(broker.retention_bytes),
            },
            segment_bytes: number(set, "segment.bytes").unwrap_or(broker.segment_bytes),
            message_bytes_max: number(set, "max.message.bytes").unwrap_or(broker.message_bytes_max),
        }
    }
}

fn number<N: std::str::FromStr>(set: &BTreeMap<String, String>, name: &str) -> Option<N> {
    set.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_topic_sets_wins_over_the_brokers_default() {
        let broker = BrokerConfig::new("unused");
        let set = BTreeMap::from([("retention.ms".to_owned(), "5000".to_owned())]);
        let config = TopicConfig::new(&broker, &set);
        assert_eq!(config.retention.age_ms, 5000);
        assert_eq!(config.segment_bytes, broker.segment_bytes);
    }

    #[test]
    fn compaction_and_unknown_settings_are_refused() {
        assert!(check("cleanup.policy", "compact").is_err());
        assert!(check("retention.mss", "1").unwrap_err().contains("retention.ms"));
        assert!(check("retention.ms", "-1").is_ok());
    }

    #[test]
    fn every_default_is_allowed() {
        let broker = BrokerConfig::new("unused");
        for setting in SETTINGS {
            assert!((setting.allows)(&(setting.default)(&broker)), "{}", setting.name);
        }
    }
}
