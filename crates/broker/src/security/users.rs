//! The file of users: who may log in, and what each may do.
//!
//! One user a line: the name, the role, and a verifier for each SCRAM mechanism. Without a
//! verifier the user has no password, and comes with a certificate whose subject has that common
//! name. `#` begins a comment.
//!
//! ```text
//! # name     role     verifiers
//! prt_acme   produce  SCRAM-SHA-256$16384:...$...:...  SCRAM-SHA-512$16384:...$...:...
//! ops        admin    SCRAM-SHA-512$16384:...$...:...
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::scram::{Mechanism, Verifier};

const USERS_MAX: usize = 100_000;
const NAME_BYTES_MAX: usize = 128;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Append to topics whose names begin with `logs.`, the user's name and a dot, which are made
    /// when they do not exist; nothing else.
    Produce,
    /// Everything.
    Admin,
}

/// A user of the broker.
#[derive(Debug, Clone)]
pub struct User {
    /// What the user may do.
    pub role: Role,
    verifiers: Vec<Verifier>,
}

/// All users, by name.
#[derive(Debug, Clone, Default)]
pub struct Users {
    by_name: BTreeMap<String, User>,
}

/// What is wrong in a file of users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct UsersError {
    /// The line, counted from one.
    pub line: usize,
    why: String,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Produce => "produce",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "produce" => Ok(Self::Produce),
            "admin" => Ok(Self::Admin),
            other => Err(format!("no role {other:?}; there are produce and admin")),
        }
    }
}

impl User {
    /// The verifier for a mechanism, if the user has one.
    pub(crate) fn verifier(&self, mechanism: Mechanism) -> Option<&Verifier> {
        self.verifiers.iter().find(|verifier| verifier.mechanism == mechanism)
    }

    /// Any verifier: enough to check a password that was sent.
    pub(crate) fn any_verifier(&self) -> Option<&Verifier> {
        self.verifiers.first()
    }

    /// Whether the user can log in with a password.
    pub fn has_password(&self) -> bool {
        !self.verifiers.is_empty()
    }
}

impl Users {
    /// Reads the text of a file of users.
    pub fn read(text: &str) -> Result<Self, UsersError> {
        let mut users = Self::default();
        for (index, line) in text.lines().enumerate() {
            let at = |why: String| UsersError { line: index + 1, why };
            let Some((name, user)) = read_line(line).map_err(at)? else { continue };
            if users.by_name.insert(name.clone(), user).is_some() {
                return Err(at(format!("{name} is there twice")));
            }
            if users.by_name.len() > USERS_MAX {
                return Err(at(format!("there are {USERS_MAX} users at most")));
            }
        }
        Ok(users)
    }

    /// The user of that name.
    pub fn get(&self, name: &str) -> Option<&User> {
        self.by_name.get(name)
    }

    /// All users, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.by_name.iter().map(|(name, user)| (name.as_str(), user))
    }
}

/// The line of a user with a password, which must be a valid name for the role.
pub fn line_with_password(name: &str, role: Role, password: &str) -> Result<String, String> {
    check_name(name, role)?;
    if password.is_empty() {
        return Err("a password cannot be empty".into());
    }
    let verifiers = Mechanism::ALL.map(|mechanism| Verifier::of(mechanism, password).to_string());
    Ok(format!("{name} {role} {}", verifiers.join(" ")))
}

/// The line of a user that comes with a certificate.
pub fn line_with_certificate(name: &str, role: Role) -> Result<String, String> {
    check_name(name, role)?;
    Ok(format!("{name} {role}"))
}

/// The text of a file of users in which `line` stands for the user `name`, or none does; all else
/// is left as it is. Says whether the user was there before.
pub fn with_line(text: &str, name: &str, line: Option<&str>) -> (String, bool) {
    let is_users = |line: &&str| line.split_whitespace().next() == Some(name);
    let was_there = text.lines().any(|line| is_users(&line));
    let others = text.lines().filter(|line| !is_users(line));
    let text = others.chain(line).map(|line| format!("{line}\n")).collect();
    (text, was_there)
}

fn read_line(line: &str) -> Result<Option<(String, User)>, String> {
    let line = line.split_once('#').map_or(line, |(before, _)| before);
    let mut words = line.split_whitespace();
    let Some(name) = words.next() else { return Ok(None) };
    let role = words.next().ok_or_else(|| format!("{name} has no role; there are produce and admin"))?;
    let role = role.parse()?;
    check_name(name, role)?;
    let mut verifiers: Vec<Verifier> = Vec::new();
    for word in words {
        let verifier: Verifier = word.parse()?;
        if verifiers.iter().any(|known| known.mechanism == verifier.mechanism) {
            return Err(format!("{name} has two verifiers for {}", verifier.mechanism.name()));
        }
        verifiers.push(verifier);
    }
    Ok(Some((name.to_owned(), User { role, verifiers })))
}

/// A producer's name is a part of topics' names, so it has no dots: `a` must not own `logs.a.b.x`
/// when there is also an `a.b`.
fn check_name(name: &str, role: Role) -> Result<(), String> {
    let allowed = |byte: u8| match byte {
        b'_' | b'-' => true,
        b'.' | b'@' => role == Role::Admin,
        _ => byte.is_ascii_alphanumeric(),
    };
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let more = if role == Role::Admin { ", '.', '@'" } else { "" };
    Err(format!("{name:?} cannot be a name: it is 1 to {NAME_BYTES_MAX} of a-z, A-Z, 0-9, '_', '-'{more}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn users_with_passwords_and_with_certificates_are_read() {
        let acme = line_with_password("prt_acme", Role::Produce, "secret").unwrap();
        let text = format!("# who may\n\n{acme} # since May\nops admin\n");
        let users = Users::read(&text).unwrap();
        let acme = users.get("prt_acme").unwrap();
        assert_eq!(acme.role, Role::Produce);
        assert!(Mechanism::ALL.into_iter().all(|one| acme.verifier(one).unwrap().fits("secret")));
        assert!(!users.get("ops").unwrap().has_password());
        assert_eq!(users.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["ops", "prt_acme"]);
    }

    #[test]
    fn an_error_names_its_line() {
        let error = |text: &str| Users::read(text).unwrap_err().to_string();
        assert_eq!(error("\nprt_acme"), "line 2: prt_acme has no role; there are produce and admin");
        assert_eq!(error("a produce\na admin"), "line 2: a is there twice");
        assert!(error("a owner").contains("no role \"owner\""));
        assert!(error("a produce secret").contains("a verifier reads"));
        assert!(error("a.b produce").contains("cannot be a name"));
    }

    #[test]
    fn a_line_is_put_in_the_place_of_the_users_old_one() {
        let text = "# ours\na produce\nb admin\n";
        assert_eq!(with_line(text, "a", Some("a admin")), ("# ours\nb admin\na admin\n".into(), true));
        assert_eq!(with_line(text, "b", None), ("# ours\na produce\n".into(), true));
        assert_eq!(with_line("", "c", Some("c admin")), ("c admin\n".into(), false));
    }

    proptest! {
        #[test]
        fn any_text_is_users_or_an_error(text in "[a-z# \n$:=@.]{0,300}") {
            drop(Users::read(&text));
        }
    }
}
