//! What follows from user agents. There are few of them and they come again and again.

mod family;

pub(crate) use family::is_attack_tool;

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

/// What was found before, so many at most.
#[derive(Default)]
pub(crate) struct Agents {
    known: HashMap<String, Agent>,
}

/// What follows from one.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// The first 16 hex digits of the SHA-256.
    pub(crate) fingerprint: String,
    /// The program that it says it is, without its version.
    pub(crate) family: String,
}

const KNOWN_MAX: usize = 4_096;
const REMEMBERED_BYTES_MAX: usize = 1_024;

impl Agents {
    /// What follows from an agent.
    pub(crate) fn of(&mut self, agent: &str) -> Agent {
        if let Some(known) = self.known.get(agent) {
            return known.clone();
        }
        let fingerprint = hex::encode(&Sha256::digest(agent.as_bytes())[..8]);
        let found = Agent { fingerprint, family: family::family(agent).into_owned() };
        if self.known.len() == KNOWN_MAX {
            // Starting anew is cheaper than keeping an order, and a client that makes up agents
            // would empty any cache.
            self.known.clear();
        }
        if agent.len() <= REMEMBERED_BYTES_MAX {
            self.known.insert(agent.to_owned(), found.clone());
        }
        found
    }
}
