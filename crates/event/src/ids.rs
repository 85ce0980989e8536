//! Deterministic ids: the same log gives the same ids, whoever computes them and how often.

use sha2::{Digest, Sha256};

use crate::Position;

/// An event's id, from the place in the log that its line has: `evt_` and 32 hex digits.
///
/// Reading the same record again gives the same id, so writing an event twice is harmless.
pub fn event_id(position: &Position) -> String {
    tagged(
        "evt_",
        &[
            position.topic.as_bytes(),
            &position.partition.to_be_bytes(),
            &position.offset.to_be_bytes(),
            &position.line.to_be_bytes(),
        ],
    )
}

/// An alert's id, from its detector, its dedup key and the start of its episode: `alr_` and 32 hex digits.
pub fn alert_id(detector: &str, dedup_key: &str) -> String {
    tagged("alr_", &[detector.as_bytes(), dedup_key.as_bytes()])
}

/// `prefix` and the first 128 bits of SHA-256 over the parts, each preceded by its length, so
/// that `("ab", "c")` and `("a", "bc")` differ.
pub fn tagged(prefix: &str, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut id = String::with_capacity(prefix.len() + 32);
    id.push_str(prefix);
    id.push_str(&hex::encode(&digest[..16]));
    id
}

/// Which of `partitions` an observation key belongs to: the same everywhere and for ever.
///
/// FNV-1a with a final mix; not keyed, because every instance must agree without a secret.
pub fn partition_of(key: &str, partitions: i32) -> i32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    (hash % partitions.max(1) as u64) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(tagged("x_", &[b"p|q", b"a|b"]), tagged("x_", &[b"p", b"q|a|b"]));
    }

    #[test]
    fn keys_spread_over_partitions() {
        let mut counts = [0; 4];
        for n in 0..4_000 {
            counts[partition_of(&format!("key-{n}"), 4) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| count > 800), "{counts:?}");
    }
}
