//! Deterministic ids: the same log gives the same ids, whoever computes them and how often.

use sha2::{Digest, Sha256};

/// An event's id, from the place in the log that its line has: `evt_` and 32 hex digits.
///
/// Reading the same record again gives the same id, so writing an event twice is harmless.
pub fn event_id(topic: &str, partition: i32, offset: i64, line: i32) -> String {
    let place = [topic.as_bytes(), &partition.to_be_bytes(), &offset.to_be_bytes(), &line.to_be_bytes()];
    tagged("evt_", &place)
}

/// An alert's id, from its detector, its dedup key and the start of its episode: `alr_` and 32 hex digits.
pub fn alert_id(detector: &str, dedup_key: &str) -> String {
    tagged("alr_", &[detector.as_bytes(), dedup_key.as_bytes()])
}

/// `prefix` and the [`digest`] of the parts.
pub fn tagged(prefix: &str, parts: &[&[u8]]) -> String {
    spelled(prefix, &digest(parts))
}

/// The first 128 bits of SHA-256 over the parts, each preceded by its length, so that `("ab", "c")`
/// and `("a", "bc")` differ.
pub fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    let (mut few, mut len) = ([0_u8; FEW], 0);
    for part in parts {
        for bytes in [&(part.len() as u64).to_be_bytes(), *part] {
            match few.get_mut(len..len + bytes.len()) {
                Some(room) => {
                    room.copy_from_slice(bytes);
                    len += bytes.len();
                }
                None => {
                    hash.update(&few[..std::mem::take(&mut len)]);
                    hash.update(bytes);
                }
            }
        }
    }
    hash.update(&few[..len]);
    let digest: [u8; 32] = hash.finalize().into();
    *digest.first_chunk().expect("32 bytes are more than 16")
}

/// So many bytes are put together before they are hashed: an id is made of a handful of short parts.
const FEW: usize = 256;

/// `prefix` and 32 hex digits.
pub fn spelled(prefix: &str, bytes: &[u8; 16]) -> String {
    let mut digits = [0; 32];
    hex::encode_to_slice(bytes, &mut digits).expect("there is room for two digits a byte");
    let mut id = String::with_capacity(prefix.len() + digits.len());
    id.push_str(prefix);
    id.push_str(std::str::from_utf8(&digits).expect("hex digits are ASCII"));
    id
}

/// Which of `partitions` an observation key belongs to: the same everywhere and for ever.
///
/// FNV-1a with a final mix; not keyed, because every instance must agree without a secret.
pub fn partition_of(key: &str, partitions: i32) -> i32 {
    partition_of_parts(&[key], partitions)
}

/// The same of a key that is put together from parts.
pub fn partition_of_parts(parts: &[&str], partitions: i32) -> i32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
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
    fn parts_of_any_length_are_hashed_as_they_stand() {
        for len in [0, 1, 200, 240, 247, 248, 249, 256, 1_000] {
            let (long, short) = (vec![7; len], [1, 2, 3]);
            let mut hash = Sha256::new();
            for part in [&short[..], &long, &short] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            let expected = format!("x_{}", hex::encode(&hash.finalize()[..16]));
            assert_eq!(tagged("x_", &[&short, &long, &short]), expected, "{len}");
        }
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
