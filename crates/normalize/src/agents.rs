//! Fingerprints of user agents. There are few of them and they come again and again.

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

/// Fingerprints that were made before, so many at most.
#[derive(Default)]
pub(crate) struct Agents {
    known: HashMap<String, String>,
}

const KNOWN_MAX: usize = 4_096;
const REMEMBERED_BYTES_MAX: usize = 1_024;

impl Agents {
    /// The first 16 hex digits of the SHA-256.
    pub(crate) fn fingerprint(&mut self, agent: &str) -> String {
        if let Some(known) = self.known.get(agent) {
            return known.clone();
        }
        let fingerprint = hex::encode(&Sha256::digest(agent.as_bytes())[..8]);
        if self.known.len() == KNOWN_MAX {
            // Starting anew is cheaper than keeping an order, and a client that makes up agents
            // would empty any cache.
            self.known.clear();
        }
        if agent.len() <= REMEMBERED_BYTES_MAX {
            self.known.insert(agent.to_owned(), fingerprint.clone());
        }
        fingerprint
    }
}
