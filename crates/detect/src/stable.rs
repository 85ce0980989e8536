//! A hash that is the same in every process, for ids that must outlive a restart.
//!
//! Hash maps use their own, randomly keyed one; this is for identity, not for defence.

/// FNV-1a over the parts, each ended by a byte that UTF-8 never holds, with a final mix.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    hash_all(parts.iter().map(|part| part.as_bytes()))
}

/// The same of bytes, of which each part has its own fixed length, or stands first.
pub(crate) fn hash_bytes(parts: &[&[u8]]) -> u64 {
    hash_all(parts.iter().copied())
}

fn hash_all<'p>(parts: impl Iterator<Item = &'p [u8]>) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for part in parts {
        part.iter().copied().for_each(&mut eat);
        eat(0xff);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
