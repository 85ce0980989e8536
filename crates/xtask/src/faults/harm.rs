//! What happens to the processes of a run while lines come in.

use std::time::Duration;

use clap::ValueEnum;

use super::fleet::Fleet;
use super::{churn, clock, disk, outage};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Harm {
    /// Nothing: what the others are held against.
    None,
    /// kill -9 of a process that normalizes and detects, twenty times.
    KillWorker,
    /// kill -9 of the process that stores and alerts, five times.
    KillKeeper,
    /// A worker is stopped for longer than its session, and wakes as a zombie.
    Zombie,
    /// Two workers become three and then one, by kill -9.
    Scale,
    /// A worker comes and another goes every five seconds, for as long as lines are sent.
    Churn,
    /// kill -9 of a broker, which comes back five seconds later; three times.
    KillBroker,
    /// kill -9 of one of three brokers, which comes back with an empty disk five seconds later.
    LoseBroker,
    /// No broker for longer than a transaction may take; processes that wait must be idle.
    Outage,
    /// Brokers do what they are asked, mostly a commit, and the answer gets lost; forty times.
    LostAnswer,
    /// Answers come up to 0.4 s late, some in pieces, and of a hundred exchanges five end with the
    /// connection: half of them before the broker has the request, half after it.
    BadNetwork,
    /// The disk of the snapshots, of the keeper's tables and database, and of our own broker's log:
    /// each is full for ten seconds, one after another. Needs root, to mount them.
    DiskFull,
    /// Workers' and the keeper's wall clocks are an hour ahead, an hour behind, step back, and drift
    /// by 10 %. Needs libfaketime and a C compiler.
    Clock,
}

/// So long everything goes well before it happens.
const BEFORE: Duration = Duration::from_secs(4);
/// Twice as long as a member of a group may be silent.
const TWO_SESSIONS: Duration = Duration::from_secs(13);

impl Harm {
    /// Whether it happens between the processes and the brokers.
    pub(super) fn is_on_the_way(self) -> bool {
        matches!(self, Self::LostAnswer | Self::BadNetwork)
    }

    /// So much of what is sent must be stored by the end of the sending.
    pub(super) fn kept_up_min(self) -> f64 {
        match self {
            Self::Churn => 0.5,
            _ => 0.0,
        }
    }

    /// Does it, over about half a minute; what can go on for longer, for as long as lines are sent.
    /// The seed decides whom and when.
    pub(super) fn inflict(self, fleet: &mut Fleet, seed: u64, sending: Duration) -> anyhow::Result<()> {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        pause(BEFORE);
        match self {
            Self::None => {}
            Self::KillWorker => {
                for _ in 0..20 {
                    let worker = dice.below(fleet.len() as u64) as usize;
                    fleet.kill(worker);
                    pause(dice.millis(400));
                    fleet.restart(worker)?;
                    pause(dice.millis(2_000));
                }
            }
            Self::KillKeeper => {
                for _ in 0..5 {
                    fleet.bounce_keeper()?;
                    pause(dice.millis(8_000));
                }
            }
            Self::Zombie => {
                for worker in 0..fleet.len() {
                    fleet.signal(worker, "STOP")?;
                    pause(TWO_SESSIONS);
                    fleet.signal(worker, "CONT")?;
                    pause(Duration::from_secs(3));
                }
            }
            Self::Scale => {
                fleet.add()?;
                pause(Duration::from_secs(10));
                fleet.kill(0);
                fleet.kill(1);
            }
            Self::Churn => churn::come_and_go(fleet, &mut dice, sending.saturating_sub(BEFORE))?,
            Self::KillBroker => {
                for number in 0..3 {
                    fleet.brokers.kill(number)?;
                    pause(Duration::from_secs(5));
                    fleet.brokers.revive()?;
                    pause(Duration::from_secs(5));
                }
            }
            Self::LoseBroker => {
                let number = dice.below(3);
                fleet.brokers.kill(number)?;
                fleet.brokers.wipe(number)?;
                pause(Duration::from_secs(5));
                fleet.brokers.revive()?;
                pause(Duration::from_secs(15));
            }
            Self::Outage => outage::outage(fleet)?,
            Self::LostAnswer => fleet.brokers.proxy()?.lose_answers(&mut dice)?,
            Self::BadNetwork => fleet.brokers.proxy()?.rough_weather(dice)?,
            Self::DiskFull => disk::fill_each(fleet, &mut dice)?,
            Self::Clock => clock::set_wrong(fleet, &mut dice)?,
        }
        Ok(())
    }
}

/// Numbers that a seed gives again (xorshift64*).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    pub(super) fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

#[expect(clippy::disallowed_methods, reason = "a fault happens at some time, not after some event")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}
