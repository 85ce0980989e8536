//! The server's side of the exchange: client-first, server-first, client-final, server-final.

use aws_lc_rs::{constant_time, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Verifier;

const NONCE_BYTES: usize = 24;

/// Why an exchange ended. Clients are told no more than that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("its SCRAM message is malformed")]
    Malformed,
    #[error("it asks for channel binding or an extension, which there is not")]
    Unsupported,
    #[error("it would act for another user")]
    OtherIdentity,
    /// Taking another's nonce would let messages be used again: CVE-2024-56128 of Apache Kafka.
    #[error("its nonce is not the one it was given; clients on librdkafka before 2.6.1 get this wrong")]
    Nonce,
    #[error("its proof is wrong")]
    Proof,
}

/// A client's first message.
#[derive(Debug, PartialEq, Eq)]
struct First<'a> {
    /// What the client's final message has to repeat.
    gs2_header: &'a str,
    bare: &'a str,
    user: String,
    nonce: &'a str,
}

/// What a client has to prove, once its first message is answered.
#[derive(Debug)]
pub(crate) struct Challenge {
    verifier: Verifier,
    gs2_header: String,
    nonce: String,
    /// The part of what is signed that is known by now.
    signed: String,
}

impl Challenge {
    /// Reads a client's first message; `verifier_of` is asked for the named user's. Returns the
    /// user, the challenge, and the message that poses it.
    pub(crate) fn pose(
        client_first: &[u8],
        verifier_of: impl FnOnce(&str) -> Verifier,
    ) -> Result<(String, Self, String), Refused> {
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce).expect("the system has random numbers");
        Self::pose_with(client_first, verifier_of, &BASE64.encode(nonce))
    }

    fn pose_with(
        client_first: &[u8],
        verifier_of: impl FnOnce(&str) -> Verifier,
        server_nonce: &str,
    ) -> Result<(String, Self, String), Refused> {
        let first = First::read(client_first)?;
        let verifier = verifier_of(&first.user);
        let nonce = format!("{}{server_nonce}", first.nonce);
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        let signed = format!("{},{server_first}", first.bare);
        let gs2_header = first.gs2_header.to_owned();
        Ok((first.user, Self { verifier, gs2_header, nonce, signed }, server_first))
    }

    /// Checks a client's final message. Returns the one that proves the server in turn.
    pub(crate) fn check(&self, client_final: &[u8]) -> Result<String, Refused> {
        let message = std::str::from_utf8(client_final).map_err(|_| Refused::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Refused::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|one| one.strip_prefix("c=")).ok_or(Refused::Malformed)?;
        let nonce = attributes.next().and_then(|one| one.strip_prefix("r=")).ok_or(Refused::Malformed)?;
        if binding != BASE64.encode(&self.gs2_header) {
            return Err(Refused::Malformed);
        }
        if nonce != self.nonce {
            return Err(Refused::Nonce);
        }
        let proof = BASE64.decode(proof).map_err(|_| Refused::Malformed)?;
        let signed = format!("{},{without_proof}", self.signed);
        self.check_proof(&proof, signed.as_bytes())?;
        let signature = self.verifier.mechanism.mac(&self.verifier.server_key, signed.as_bytes());
        Ok(format!("v={}", BASE64.encode(signature)))
    }

    /// The proof is the client's key, hidden by a signature that only a holder of it can make.
    fn check_proof(&self, proof: &[u8], signed: &[u8]) -> Result<(), Refused> {
        let Verifier { mechanism, stored_key, .. } = &self.verifier;
        let signature = mechanism.mac(stored_key, signed);
        if proof.len() != signature.len() {
            return Err(Refused::Proof);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        constant_time::verify_slices_are_equal(&mechanism.hash(&client_key), stored_key)
            .map_err(|_| Refused::Proof)
    }
}

impl<'a> First<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Refused> {
        let message = std::str::from_utf8(message).map_err(|_| Refused::Malformed)?;
        let mut parts = message.splitn(3, ',');
        let (flag, identity, bare) = match (parts.next(), parts.next(), parts.next()) {
            (Some(flag), Some(identity), Some(bare)) => (flag, identity, bare),
            _ => return Err(Refused::Malformed),
        };
        // "y": it could bind to a TLS channel and thinks that we cannot, which is so.
        if !matches!(flag, "n" | "y") {
            return Err(if flag.starts_with("p=") { Refused::Unsupported } else { Refused::Malformed });
        }
        let mut attributes = bare.split(',');
        let user = attributes.next().ok_or(Refused::Malformed)?;
        if user.starts_with("m=") {
            return Err(Refused::Unsupported);
        }
        let user = unescape(user.strip_prefix("n=").ok_or(Refused::Malformed)?)?;
        let nonce = attributes.next().and_then(|one| one.strip_prefix("r=")).ok_or(Refused::Malformed)?;
        let is_printable = |byte: u8| (0x21..=0x7e).contains(&byte);
        if nonce.is_empty() || user.is_empty() || !nonce.bytes().all(is_printable) {
            return Err(Refused::Malformed);
        }
        if attributes.next().is_some() {
            return Err(Refused::Unsupported); // a delegation token, for one
        }
        match identity.strip_prefix("a=").map(unescape).transpose()? {
            Some(other) if other != user => return Err(Refused::OtherIdentity),
            None if !identity.is_empty() => return Err(Refused::Malformed),
            _ => {}
        }
        let gs2_header = &message[..message.len() - bare.len()];
        Ok(Self { gs2_header, bare, user, nonce })
    }
}

/// Commas and equals signs in names are written `=2C` and `=3D`.
fn unescape(name: &str) -> Result<String, Refused> {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('=') {
        plain.push_str(before);
        let (escape, after) = after.split_at_checked(2).ok_or(Refused::Malformed)?;
        plain.push(match escape {
            "2C" => ',',
            "3D" => '=',
            _ => return Err(Refused::Malformed),
        });
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Mechanism;
    use super::*;

    fn pencil() -> Verifier {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        Verifier::salted(Mechanism::Sha256, "pencil", salt, 4096.try_into().unwrap())
    }

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_example_of_the_rfc_holds() {
        let first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let (user, challenge, server_first) =
            Challenge::pose_with(first, |_| pencil(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap();
        assert_eq!(user, "user");
        assert_eq!(
            server_first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(challenge.check(last).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_wrong_proof_a_changed_header_and_an_old_nonce_are_refused() {
        let pose = || Challenge::pose_with(b"n,,n=user,r=abc", |_| pencil(), "def").unwrap().1;
        let proof = BASE64.encode([7; 32]);
        let check = |message: String| pose().check(message.as_bytes()).unwrap_err();
        assert_eq!(check(format!("c=biws,r=abcdef,p={proof}")), Refused::Proof);
        assert_eq!(check(format!("c=biws,r=abcdef,p={}", BASE64.encode([7; 31]))), Refused::Proof);
        assert_eq!(check(format!("c=eSws,r=abcdef,p={proof}")), Refused::Malformed);
        assert_eq!(check(format!("c=biws,r=abcxyz,p={proof}")), Refused::Nonce);
        assert_eq!(check(format!("c=biws,r=abcabcdef,p={proof}")), Refused::Nonce);
        assert_eq!(check("c=biws,r=abcdef".into()), Refused::Malformed);
    }

    #[test]
    fn names_are_unescaped_and_no_one_acts_for_another() {
        let user = |message: &str| First::read(message.as_bytes()).map(|first| first.user);
        assert_eq!(user("n,,n=a=2Cb=3Dc,r=x"), Ok("a,b=c".into()));
        assert_eq!(user("y,a=me,n=me,r=x"), Ok("me".into()));
        assert_eq!(user("n,a=you,n=me,r=x"), Err(Refused::OtherIdentity));
        assert_eq!(user("p=tls-unique,,n=me,r=x"), Err(Refused::Unsupported));
        assert_eq!(user("n,,n=me,r=x,tokenauth=true"), Err(Refused::Unsupported));
        for malformed in
            ["", "n", "n,,", "n,,n=me", "n,,n=,r=x", "n,,n=a=2,r=x", "x,,n=me,r=x", "n,b,n=me,r=x"]
        {
            assert_eq!(user(malformed), Err(Refused::Malformed), "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_taken_for_a_proof(first in any::<Vec<u8>>(), last in any::<Vec<u8>>()) {
            drop(First::read(&first));
            let (_, challenge, _) = Challenge::pose_with(b"n,,n=user,r=abc", |_| pencil(), "def").unwrap();
            prop_assert!(challenge.check(&last).is_err());
        }
    }
}
