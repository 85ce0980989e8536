//! API tokens: who may call, in which role, for which partners.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use event::Scope;
use rand::TryRngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use crate::clock::{from_millis, millis};
use crate::{Control, ControlError, row};

/// What every token begins with, so that secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "wf_";

const RANDOM_BYTES: usize = 32;
/// How many callers are remembered between requests, and for how long: the time after which a
/// revocation by another process takes hold.
const CACHE_MAX: usize = 1_024;
const CACHE_FOR: Duration = Duration::from_secs(5);

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, tokens included.
    Admin,
    /// Reads, asks, and works on alerts.
    Analyst,
    /// Sends logs, and nothing else.
    Shipper,
}

impl Role {
    /// Lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::Shipper => "shipper",
        }
    }

    /// The role of a lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Analyst, Self::Shipper].into_iter().find(|role| role.as_str() == name)
    }
}

/// A caller whose token was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The token's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// For whom.
    pub scope: Scope,
}

/// A token as it is listed: everything but the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenEntry {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// For whom.
    pub scope: Scope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Control {
    /// Makes an administrator's token if there has never been a token. The only time it is shown.
    pub async fn ensure_admin_token(&self) -> Result<Option<SecretString>, ControlError> {
        let mut transaction = self.write().await?;
        let tokens: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM tokens").fetch_one(&mut *transaction).await?;
        if tokens > 0 {
            return Ok(None);
        }
        let admin = Principal { name: "admin".into(), role: Role::Admin, scope: Scope::All };
        let token = self.insert_token(&mut transaction, &admin).await?;
        transaction.commit().await?;
        Ok(Some(token))
    }

    /// Makes a token and returns it, the only time it is shown. Names are 1 to 64 printable
    /// characters, and no two tokens in force share one.
    pub async fn create_token(
        &self,
        name: &str,
        role: Role,
        scope: Scope,
    ) -> Result<SecretString, ControlError> {
        let length = name.chars().count();
        if !(1..=64).contains(&length) || name.chars().any(char::is_control) {
            return Err(ControlError::Invalid("a token's name has 1 to 64 printable characters".into()));
        }
        let mut transaction = self.write().await?;
        let taken: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM tokens WHERE name = $1 AND revoked_at IS NULL")
                .bind(name)
                .fetch_one(&mut *transaction)
                .await?;
        if taken > 0 {
            return Err(ControlError::Invalid("a token of that name is in force".into()));
        }
        let principal = Principal { name: name.to_owned(), role, scope };
        let token = self.insert_token(&mut transaction, &principal).await?;
        transaction.commit().await?;
        Ok(token)
    }

    /// Revokes a token; `false` if none of that name is in force.
    pub async fn revoke_token(&self, name: &str) -> Result<bool, ControlError> {
        let mut transaction = self.write().await?;
        let revoked = sqlx::query("UPDATE tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL")
            .bind(name)
            .bind(millis(self.clock.wall()))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.tokens.clear();
        Ok(revoked.rows_affected() > 0)
    }

    /// Every token there ever was, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenEntry>, ControlError> {
        let rows: Vec<TokenRow> = sqlx::query_as(
            "SELECT name, role, scope, created_at, revoked_at FROM tokens ORDER BY created_at, name",
        )
        .fetch_all(self.readers())
        .await?;
        rows.into_iter().map(TokenEntry::try_from).collect()
    }

    /// Who holds this token; `None` if it is malformed, unknown or revoked.
    ///
    /// The token is hashed first and looked up by its hash: how long that takes says nothing of
    /// how much of a guess was right, because nobody can aim a guess's hash.
    pub async fn verify_token(&self, raw: &str) -> Result<Option<Principal>, ControlError> {
        if !is_well_formed(raw) {
            return Ok(None);
        }
        let hash = hash(raw);
        if let Some(principal) = self.tokens.get(&hash) {
            return Ok(Some(principal));
        }
        let seen = self.tokens.generation();
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT name, role, scope, created_at, revoked_at FROM tokens \
             WHERE token_hash = $1 AND revoked_at IS NULL",
        )
        .bind(&hash)
        .fetch_optional(self.readers())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let entry = TokenEntry::try_from(row)?;
        let principal = Principal { name: entry.name, role: entry.role, scope: entry.scope };
        self.tokens.put(hash, principal.clone(), seen);
        Ok(Some(principal))
    }

    async fn insert_token(
        &self,
        connection: &mut SqliteConnection,
        principal: &Principal,
    ) -> Result<SecretString, ControlError> {
        let token = random_token()?;
        sqlx::query(
            "INSERT INTO tokens (token_hash, name, role, scope, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(hash(token.expose_secret()))
        .bind(&principal.name)
        .bind(principal.role.as_str())
        .bind(row::json(&principal.scope)?)
        .bind(millis(self.clock.wall()))
        .execute(connection)
        .await?;
        Ok(token)
    }
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    name: String,
    role: String,
    scope: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<TokenRow> for TokenEntry {
    type Error = ControlError;

    fn try_from(row: TokenRow) -> Result<Self, ControlError> {
        Ok(Self {
            role: Role::parse(&row.role).ok_or_else(|| ControlError::damaged("role", &row.role))?,
            scope: serde_json::from_str(&row.scope).map_err(|e| ControlError::damaged("scope", e))?,
            name: row.name,
            created_at: from_millis(row.created_at),
            revoked_at: row.revoked_at.map(from_millis),
        })
    }
}

fn random_token() -> Result<SecretString, ControlError> {
    let mut random = [0; RANDOM_BYTES];
    rand::rngs::OsRng
        .try_fill_bytes(&mut random)
        .map_err(|e| ControlError::Unusable(format!("draw random bytes: {e}")))?;
    Ok(SecretString::from(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random))))
}

fn is_well_formed(raw: &str) -> bool {
    raw.strip_prefix(TOKEN_PREFIX).is_some_and(|rest| {
        (43..=86).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// SHA-256 is enough here: a slow hash defends passwords, which can be guessed. 256 random bits
/// cannot, however fast each guess is, and this one is computed at every request.
fn hash(raw: &str) -> String {
    hex::encode(Sha256::digest(raw))
}

/// Who called a moment ago, by the hash of their token. Only good tokens are remembered, so that
/// nobody can fill it with bad ones.
#[derive(Default)]
pub(crate) struct TokenCache {
    inner: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    /// Rises with each revocation, so that what was read before it is not remembered after it.
    generation: u64,
    principals: HashMap<String, (Principal, Instant)>,
}

impl TokenCache {
    fn get(&self, hash: &str) -> Option<Principal> {
        let cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (principal, since) = cached.principals.get(hash)?;
        (since.elapsed() < CACHE_FOR).then(|| principal.clone())
    }

    fn generation(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).generation
    }

    fn put(&self, hash: String, principal: Principal, generation: u64) {
        let mut cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.generation != generation {
            return;
        }
        if cached.principals.len() >= CACHE_MAX {
            cached.principals.clear();
        }
        cached.principals.insert(hash, (principal, Instant::now()));
    }

    fn clear(&self) {
        let mut cached = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        cached.generation += 1;
        cached.principals.clear();
    }
}

#[cfg(test)]
mod tests;
