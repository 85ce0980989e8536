//! Fingerprints: keyed hashes that stand in for secrets, the same everywhere, so that two uses
//! of one token still match and nobody can get the token back.

use event::EventTime;
use event::ids::spelled;
use hmac::{Hmac, Mac};
use sha2::Sha256;

const PREFIX: &str = "hmac256:";
const PEPPER_BYTES_MIN: usize = 16;

/// Why fingerprints cannot be made with this key.
#[derive(Debug, thiserror::Error)]
pub enum BadPepper {
    /// The key's id would not survive in `hmac256:<key id>:<hex>`.
    #[error("a pepper's key id has 1 to 32 of a-z A-Z 0-9 _ -")]
    KeyId,
    /// A short pepper can be guessed.
    #[error("a pepper has at least {PEPPER_BYTES_MIN} bytes")]
    TooShort,
}

/// Makes fingerprints with one key.
#[derive(Clone)]
pub struct Fingerprinter {
    prefix: String,
    keyed: Hmac<Sha256>,
    /// The key that takes over, and the event time from which it does.
    next: Option<Box<(EventTime, Fingerprinter)>>,
}

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fingerprinter({}…)", self.prefix)
    }
}

impl Fingerprinter {
    /// A fingerprinter whose values say `key_id`.
    pub fn new(key_id: &str, pepper: &[u8]) -> Result<Self, BadPepper> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if key_id.is_empty() || key_id.len() > 32 || !key_id.bytes().all(plain) {
            return Err(BadPepper::KeyId);
        }
        if pepper.len() < PEPPER_BYTES_MIN {
            return Err(BadPepper::TooShort);
        }
        let keyed = Hmac::new_from_slice(pepper).expect("HMAC takes keys of any length");
        Ok(Self { prefix: format!("{PREFIX}{key_id}:"), keyed, next: None })
    }

    /// The same, until another key takes over: what happened from then on is fingerprinted with that.
    ///
    /// A token that is issued before and used after has two fingerprints. So that the two meet,
    /// detectors are told of it under the next key, too, as long as that has not taken over; that has to
    /// be for longer than a token is remembered.
    pub fn with_next(self, from: EventTime, next: Fingerprinter) -> Self {
        Self { next: Some(Box::new((from, next))), ..self }
    }

    /// The key for what happened then.
    pub fn at(&self, time: EventTime) -> &Self {
        match self.next.as_deref() {
            Some((from, next)) if time >= *from => next,
            _ => self,
        }
    }

    /// The key that takes over later, for what happened then.
    pub(crate) fn successor(&self, time: EventTime) -> Option<&Self> {
        self.next.as_deref().filter(|(from, _)| time < *from).map(|(_, next)| next)
    }

    /// The fingerprint of a session token: `hmac256:<key id>:<32 hex>`.
    pub fn token(&self, raw: &str) -> String {
        self.fingerprint(raw)
    }

    /// The fingerprint of an API key.
    pub fn key(&self, raw: &str) -> String {
        self.fingerprint(raw)
    }

    /// The fingerprint of anything that must not be stored as it came.
    pub fn fingerprint(&self, raw: &str) -> String {
        let mut mac = self.keyed.clone();
        mac.update(raw.as_bytes());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        spelled(&self.prefix, digest.first_chunk().expect("32 bytes are more than 16"))
    }

    /// The keyed hash of a whole line. It never is the fingerprint of a token that a line consists of.
    pub(crate) fn line(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(b"line\0");
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Whether a text is a fingerprint already, ours or a partner's: a key id and 32 hex digits.
    pub fn is_fingerprint(text: &str) -> bool {
        fingerprint_len(text.as_bytes()) == Some(text.len())
    }
}

/// How long the fingerprint is that a text begins with.
pub(crate) fn fingerprint_len(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(PREFIX.as_bytes())?;
    let id = rest.iter().take(33).position(|byte| *byte == b':')?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let hex = rest[id + 1..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
    (id > 0 && rest[..id].iter().all(plain) && hex == 32).then_some(PREFIX.len() + id + 1 + hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_has_one_fingerprint_per_key() {
        let one = Fingerprinter::new("k1", b"0123456789abcdef").expect("long enough");
        let two = Fingerprinter::new("k2", b"fedcba9876543210").expect("long enough");
        let token = "9f2c4e7a";
        assert_eq!(one.token(token), one.token(token));
        assert_ne!(one.token(token)[11..], two.token(token)[11..]);
        assert!(Fingerprinter::is_fingerprint(&one.token(token)));
        assert!(one.token(token).starts_with("hmac256:k1:"));
    }

    #[test]
    fn only_a_whole_fingerprint_is_one() {
        for text in
            ["hmac256:k1:abc", "hmac256::0123", "9f2c", "hmac256:k1:2dedb0c9e14eb74b93ba3e8670b0356300"]
        {
            assert!(!Fingerprinter::is_fingerprint(text), "{text}");
        }
    }

    #[test]
    fn another_key_takes_over_at_a_moment_of_event_time() {
        let key = |id: &str| Fingerprinter::new(id, b"0123456789abcdef").expect("long enough");
        let keys = key("k1").with_next(EventTime(1_000), key("k2"));
        let id = |time| keys.at(EventTime(time)).token("t")[8..10].to_owned();
        assert_eq!((id(999).as_str(), id(1_000).as_str()), ("k1", "k2"));
        assert!(keys.successor(EventTime(999)).is_some() && keys.successor(EventTime(1_000)).is_none());
        assert!(key("k1").successor(EventTime(0)).is_none());
    }

    #[test]
    fn a_weak_pepper_is_refused() {
        assert!(matches!(Fingerprinter::new("k1", b"short"), Err(BadPepper::TooShort)));
        assert!(matches!(Fingerprinter::new("k:1", b"0123456789abcdef"), Err(BadPepper::KeyId)));
    }
}
