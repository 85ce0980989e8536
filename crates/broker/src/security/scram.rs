//! SCRAM (RFC 5802, RFC 7677): proof of a password that neither side sends.
//!
//! Names and passwords are taken as their UTF-8 bytes, without SASLprep, as Kafka and librdkafka do.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

mod exchange;

pub(crate) use self::exchange::{Challenge, Refused};

/// How often a password is hashed for a new verifier: the most that Kafka's own tools allow.
const ITERATIONS: u32 = 16_384;
/// Fewer are refused by clients (RFC 7677, section 4); more would let a login cost seconds.
const ITERATIONS_MIN: u32 = 4096;
const ITERATIONS_MAX: u32 = 1_000_000;
const SALT_BYTES: usize = 16;

/// Which hash a verifier is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mechanism {
    /// SCRAM-SHA-256
    Sha256,
    /// SCRAM-SHA-512
    Sha512,
}

/// What the server keeps of a password: enough to check it, not enough to log in with.
///
/// As text it reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the form that
/// PostgreSQL has made known.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    pub(crate) mechanism: Mechanism,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Mechanism {
    /// Both of them, the stronger one last.
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Its name in SASL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn bytes(self) -> usize {
        self.digest().output_len()
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        digest::digest(self.digest(), bytes).as_ref().to_vec()
    }

    fn mac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }
}

impl Verifier {
    /// What to keep of a password, under a fresh salt.
    pub(crate) fn of(mechanism: Mechanism, password: &str) -> Self {
        let mut salt = vec![0; SALT_BYTES];
        rand::fill(&mut salt).expect("the system has random numbers");
        let iterations = NonZeroU32::new(ITERATIONS).expect("it is not zero");
        Self::salted(mechanism, password, salt, iterations)
    }

    fn salted(mechanism: Mechanism, password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        let mut salted = vec![0; mechanism.bytes()];
        pbkdf2::derive(mechanism.pbkdf2(), iterations, &salt, password.as_bytes(), &mut salted);
        let client_key = mechanism.mac(&salted, b"Client Key");
        let server_key = mechanism.mac(&salted, b"Server Key");
        Self { mechanism, iterations, salt, stored_key: mechanism.hash(&client_key), server_key }
    }

    /// Stands in for the verifier of a user that there is not, so that a client cannot tell.
    /// The same name has the same salt each time; no password fits.
    pub(crate) fn of_nobody(mechanism: Mechanism, name: &str, secret: &[u8]) -> Self {
        let salt = mechanism.mac(secret, name.as_bytes())[..SALT_BYTES].to_vec();
        let iterations = NonZeroU32::new(ITERATIONS).expect("it is not zero");
        let key = mechanism.mac(secret, &salt);
        Self { mechanism, iterations, salt, stored_key: key.clone(), server_key: key }
    }

    /// Whether this is the password. It takes as long as hashing it does: some milliseconds.
    pub(crate) fn fits(&self, password: &str) -> bool {
        let other = Self::salted(self.mechanism, password, self.salt.clone(), self.iterations);
        constant_time::verify_slices_are_equal(&other.stored_key, &self.stored_key).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt, &self.stored_key, &self.server_key].map(|bytes| BASE64.encode(bytes));
        write!(f, "{}${}:{salt}${stored}:{server}", self.mechanism.name(), self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}$...", self.mechanism.name())
    }
}

impl FromStr for Verifier {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a verifier reads SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, \
                            or the same with SCRAM-SHA-512; the three are in Base64";
        let mut parts = text.splitn(3, '$');
        let (name, salting, keys) = match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(salting), Some(keys)) => (name, salting, keys),
            _ => return Err(FORM),
        };
        let mechanism = Mechanism::ALL.into_iter().find(|known| known.name() == name).ok_or(FORM)?;
        let (iterations, salt) = salting.split_once(':').ok_or(FORM)?;
        let (stored, server) = keys.split_once(':').ok_or(FORM)?;
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| FORM)?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations.get()) {
            return Err("a verifier has 4,096 to 1,000,000 iterations");
        }
        let bytes = |text: &str| BASE64.decode(text).map_err(|_| FORM);
        let (salt, stored_key, server_key) = (bytes(salt)?, bytes(stored)?, bytes(server)?);
        if salt.is_empty() || stored_key.len() != mechanism.bytes() || server_key.len() != mechanism.bytes() {
            return Err(FORM);
        }
        Ok(Self { mechanism, iterations, salt, stored_key, server_key })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_verifier_knows_its_password_and_no_other() {
        for mechanism in Mechanism::ALL {
            let verifier = Verifier::of(mechanism, "pencil");
            assert!(verifier.fits("pencil"));
            assert!(!verifier.fits("pencil "));
            assert_eq!(verifier.to_string().parse(), Ok(verifier));
        }
    }

    #[test]
    fn a_verifier_that_cannot_be_safe_is_refused() {
        let whole = Verifier::of(Mechanism::Sha256, "pencil").to_string();
        for broken in [
            whole.replace("$16384:", "$4095:"),
            whole.replace("$16384:", "$1000001:"),
            whole.replace("SHA-256", "SHA-512"),
            whole.replace("SHA-256", "SHA-1"),
            whole[..whole.len() - 4].to_owned(),
            String::new(),
        ] {
            assert!(broken.parse::<Verifier>().is_err(), "{broken}");
        }
    }

    #[test]
    fn nothing_of_a_verifier_is_printed_for_debugging() {
        let verifier = Verifier::of(Mechanism::Sha256, "pencil");
        assert_eq!(format!("{verifier:?}"), "SCRAM-SHA-256$...");
    }

    proptest! {
        #[test]
        fn any_text_is_a_verifier_or_an_error(text in ".{0,200}") {
            drop(text.parse::<Verifier>());
        }
    }
}
