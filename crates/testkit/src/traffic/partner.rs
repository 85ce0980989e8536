//! A partner: who it is, what its logs look like, and how busy it is.

use event::{EventTime, LogTopic, Tenant};

use super::calendar::Calendar;
use super::dice::mix;
use super::fact::{Fact, Key};
use super::people::{self, Address};
use super::text::Text;
use super::{Line, TrafficConfig, access, handshake, sshd, staff, visit};

const NAMES: [&str; 6] = ["acme", "globex", "initech", "umbra", "vandelay", "tailspin"];
/// Hours that partners' clocks are ahead of UTC, in minutes.
const ZONES: [i64; 8] = [60, -300, 540, 0, 330, -480, 120, 60];
const HEARTBEAT_MS: f64 = 60_000.0;

/// One partner.
#[derive(Debug)]
pub(crate) struct Partner {
    pub(crate) tenant: Tenant,
    pub(crate) index: usize,
    /// The tenant's id without `prt_`.
    pub(crate) name: String,
    pub(crate) key: Key,
    pub(crate) zone: Calendar,
    pub(crate) utc: Calendar,
    pub(crate) shipper: Shipper,
    /// The partner logs session tokens in clear, against the advice it was given.
    pub(crate) logs_raw_tokens: bool,
    /// The partner says at issue which address its user has.
    pub(crate) tells_user_address: bool,
    /// The partner's edge writes JSON lines; else nginx' combined format.
    pub(crate) access_in_json: bool,
    /// Visits a millisecond, in the mean over a week.
    visits_per_ms: f64,
    /// No user of this partner does anything odd before then.
    pub(crate) odd_again_from: EventTime,
    users: u64,
    handshake: LogTopic,
    access: LogTopic,
    auth: LogTopic,
}

/// The process that ships a partner's handshake log.
#[derive(Debug)]
pub(crate) struct Shipper {
    pub(crate) boot_id: u64,
    /// The number of the next line.
    pub(crate) seq: u64,
    /// How many lines it has sent.
    pub(crate) sent: u64,
}

impl Partner {
    /// Every partner, the largest first: the n-th has 1/n of the first one's traffic.
    pub(crate) fn all(config: &TrafficConfig) -> Vec<Self> {
        let count = config.partners.max(1);
        let weights: f64 = (1..=count).map(|rank| 1.0 / rank as f64).sum();
        (0..count)
            .map(|index| {
                let share = 1.0 / (index + 1) as f64 / weights;
                Self::new(index, share * config.events_per_second / 1_000.0, config)
            })
            .collect()
    }

    fn new(index: usize, lines_per_ms: f64, config: &TrafficConfig) -> Self {
        let name = NAMES.get(index).map_or_else(|| format!("{:04}", index + 1), |name| (*name).to_owned());
        let id = format!("prt_{name}");
        let topic = |feed| LogTopic::new(&id, feed).expect("partner names are letters and digits");
        let chance = mix(config.seed, index as u64);
        let staff_lines = if index == staff_partner(config) { staff::LINES_PER_MS } else { 0.0 };
        let visits_per_ms = (lines_per_ms - 1.0 / HEARTBEAT_MS - staff_lines).max(0.0) / visit::MEAN_LINES;
        Self {
            tenant: Tenant::parse(&id).expect("partner names are letters and digits"),
            index,
            key: Key(mix(chance, 1)),
            zone: Calendar::new(ZONES[index % ZONES.len()]),
            utc: Calendar::new(0),
            shipper: Shipper {
                boot_id: mix(chance, config.start.millis().unsigned_abs()),
                seq: 1 + mix(chance, 2) % 100_000,
                sent: 0,
            },
            logs_raw_tokens: index % 4 == 2,
            tells_user_address: index % 3 != 2,
            access_in_json: !index.is_multiple_of(2),
            visits_per_ms,
            odd_again_from: EventTime::MIN,
            // A user comes once in eight hours.
            users: 200 + (visits_per_ms * 8.0 * 3_600_000.0) as u64,
            handshake: topic("handshake"),
            access: topic("access"),
            auth: topic("auth"),
            name,
        }
    }

    /// One of the partner's users, by chance.
    pub(crate) fn user(&self, chance: u64) -> people::User {
        people::User::new(self.index, 10_000 + chance % self.users)
    }

    pub(crate) fn backend(&self, chance: u64) -> Address {
        people::backend(self.index, chance)
    }

    /// Visits a millisecond at this hour of this weekday.
    pub(crate) fn visits_per_ms(&mut self, now: EventTime) -> f64 {
        self.visits_per_ms * self.zone.busyness(now)
    }

    /// Requests a minute that are in the contract: a fifth above the busiest usual minute.
    pub(crate) fn contract_rpm(&self) -> f64 {
        (self.visits_per_ms * visit::MEAN_LINES * 60_000.0 * Calendar::BUSIEST * 1.2).max(60.0).ceil()
    }

    /// Writes a fact down as this partner does.
    pub(crate) fn line(&mut self, time: EventTime, fact: &Fact) -> Line {
        let mut text = Text::new();
        let topic = match fact {
            Fact::Request(request) => {
                access::write(self, time, request, &mut text);
                &self.access
            }
            Fact::Sshd(said) => {
                sshd::write(self, time, said, &mut text);
                &self.auth
            }
            _ => {
                handshake::write(self, time, fact, &mut text);
                &self.handshake
            }
        };
        Line { topic: topic.clone(), time, bytes: text.into_bytes() }
    }
}

/// Which partner's staff logs in over SSH.
pub(crate) fn staff_partner(config: &TrafficConfig) -> usize {
    1.min(config.partners.saturating_sub(1))
}

/// How often a shipper says that it lives.
pub(crate) const HEARTBEAT_EVERY_MS: i64 = HEARTBEAT_MS as i64;
