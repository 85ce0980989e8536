//! Snapshots on disk: postcard with a version and a checksum in front.
//!
//! A torn, flipped or foreign snapshot is an error and never misread: the caller falls back to
//! an older one. The checksum is the first 16 bytes of SHA-256.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::BadState;

/// The layout of an engine's snapshot; every change of a serialized type raises it.
pub(crate) const VERSION: u32 = 7;

const MAGIC: &[u8; 4] = b"WFDS";
const FRAME_BYTES: usize = 4 + 4 + 16;

/// Serializes a state.
pub(crate) fn encode(state: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(state).expect("our states hold only what postcard can write")
}

/// Reads a state back; bytes left over mean another layout.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadState> {
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        _ => Err(BadState::Damaged),
    }
}

/// Puts magic, version and checksum in front.
pub(crate) fn seal(body: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(FRAME_BYTES + body.len());
    sealed.extend_from_slice(MAGIC);
    sealed.extend_from_slice(&VERSION.to_be_bytes());
    sealed.extend_from_slice(&checksum(VERSION, body));
    sealed.extend_from_slice(body);
    sealed
}

/// Takes the frame off what [`seal`] made.
pub(crate) fn open(sealed: &[u8]) -> Result<&[u8], BadState> {
    let (frame, body) = sealed.split_at_checked(FRAME_BYTES).ok_or(BadState::Damaged)?;
    let version = u32::from_be_bytes(frame[4..8].try_into().expect("four bytes of a longer frame"));
    if &frame[..4] != MAGIC || frame[8..] != checksum(version, body) {
        return Err(BadState::Damaged);
    }
    if version != VERSION {
        return Err(BadState::OtherVersion { expected: VERSION, found: version });
    }
    Ok(body)
}

fn checksum(version: u32, body: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(version.to_be_bytes()).chain_update(body).finalize();
    digest[..16].try_into().expect("sixteen of thirty-two bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_what_was_touched_does_not() {
        let sealed = seal(b"state");
        assert_eq!(open(&sealed), Ok(&b"state"[..]));
        for cut in 0..sealed.len() {
            assert_eq!(open(&sealed[..cut]), Err(BadState::Damaged));
        }
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(open(&flipped), Err(BadState::Damaged), "byte {at}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut sealed = seal(b"state");
        sealed[7] = 9;
        let sum = checksum(9, b"state");
        sealed[8..24].copy_from_slice(&sum);
        assert_eq!(open(&sealed), Err(BadState::OtherVersion { expected: VERSION, found: 9 }));
    }
}
