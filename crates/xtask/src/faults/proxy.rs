//! What stands between the processes of a run and its brokers: a proxy that understands so much of
//! the Kafka protocol that it knows which answer is which.
//!
//! Only so can the answer to a commit be lost and no other, and only so do clients come back
//! through it: brokers name themselves in what they answer, and the names are changed on the way.

mod exchange;
mod link;
mod names;
#[cfg(test)]
mod tests;
mod trouble;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context, ensure};
use kafka_protocol::messages::ApiKey;

use self::link::Link;
use self::names::Names;
use self::trouble::{Trouble, Weather};
use super::harm::{Dice, pause};

/// One port for each broker. Its threads wait there until the program ends.
pub(super) struct Proxy {
    /// What clients are told instead of the brokers' own addresses.
    pub(super) address: String,
    trouble: Arc<Trouble>,
}

/// So many answers are lost, and at least so many must have been.
const ANSWERS_LOST: (u64, usize) = (40, 20);
/// Commits are asked for several times a second: after so long at most another answer is lost.
const BETWEEN_LOSSES_MS: u64 = 1_500;
/// What else is asked in a transaction, where an answer may get lost too.
const BEFORE_THE_COMMIT: [ApiKey; 4] =
    [ApiKey::AddPartitionsToTxn, ApiKey::Produce, ApiKey::AddOffsetsToTxn, ApiKey::TxnOffsetCommit];
/// As often must a bad network have broken a connection.
const BROKEN_MIN: u64 = 20;

impl Proxy {
    /// Stands before these, e.g. `127.0.0.1:9092,127.0.0.1:9093`.
    pub(super) fn before(brokers: &str) -> anyhow::Result<Self> {
        let mut doors = Vec::new();
        for broker in brokers.split(',') {
            let broker: SocketAddr = broker.parse().with_context(|| format!("read the address {broker}"))?;
            doors.push((broker, TcpListener::bind("127.0.0.1:0").context("open a port")?));
        }
        let ports = doors.iter().map(|(broker, door)| Ok((*broker, door.local_addr()?.port())));
        let names = Arc::new(Names::new(ports.collect::<anyhow::Result<_>>()?));
        let trouble = Arc::new(Trouble::default());
        let mut addresses = Vec::new();
        for (broker, door) in doors {
            addresses.push(door.local_addr()?.to_string());
            let (names, trouble) = (Arc::clone(&names), Arc::clone(&trouble));
            std::thread::spawn(move || admit(broker, &door, &names, &trouble));
        }
        Ok(Self { address: addresses.join(","), trouble })
    }

    /// For half a minute, one answer after another does not arrive: mostly that to a commit, which
    /// the broker made.
    pub(super) fn lose_answers(&self, dice: &mut Dice) -> anyhow::Result<()> {
        for _ in 0..ANSWERS_LOST.0 {
            let before = dice.below(2 * BEFORE_THE_COMMIT.len() as u64) as usize;
            self.trouble.lose_next(*BEFORE_THE_COMMIT.get(before).unwrap_or(&ApiKey::EndTxn));
            pause(dice.millis(BETWEEN_LOSSES_MS));
        }
        let done = self.trouble.end()?;
        eprintln!("{done}");
        ensure!(done.lost.len() >= ANSWERS_LOST.1, "too few answers were lost for this to say anything");
        Ok(())
    }

    /// For half a minute, answers come late and in pieces, and connections break.
    pub(super) fn rough_weather(&self, dice: Dice) -> anyhow::Result<()> {
        self.trouble.begin(Weather::ROUGH, dice);
        pause(Weather::LASTS);
        let done = self.trouble.end()?;
        eprintln!("{done}");
        ensure!(done.broken >= BROKEN_MIN, "too few connections broke for this to say anything");
        Ok(())
    }
}

/// Every connection that comes in goes to this broker; where there is none, it ends as it would.
fn admit(broker: SocketAddr, door: &TcpListener, names: &Arc<Names>, trouble: &Arc<Trouble>) {
    for client in door.incoming() {
        let connected = client.and_then(|client| Ok((client, TcpStream::connect(broker)?)));
        let Ok((client, broker)) = connected else { continue };
        let (names, trouble) = (Arc::clone(names), Arc::clone(trouble));
        std::thread::spawn(move || Link::new(client, broker, &names, &trouble).run());
    }
}
