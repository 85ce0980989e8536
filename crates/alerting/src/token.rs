//! API tokens: who may call, in which role, for which partners.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use event::Scope;
use rand::TryRngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

use crate::clock::{from_millis, millis};
use crate::{Control, ControlError, row};

pub(crate) use self::cache::TokenCache;
pub use self::wrong::WrongTokens;

mod cache;
mod wrong;

/// What every token begins with, so that secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "wf_";

const RANDOM_BYTES: usize = 32;
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

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// 1 to 64 printable characters that no other token in force has; one is made up if `None`.
    pub name: Option<String>,
    /// What it allows.
    pub role: Role,
    /// For whom.
    pub scope: Scope,
    /// From when on it is good for nothing; `None`: good until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token as it is listed: everything but the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenEntry {
    /// What it is revoked by: the beginning of its hash, which is of no use to whoever reads it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// For whom.
    pub scope: Scope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is good for nothing.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The columns that make a token's entry, for every `SELECT` of one.
const COLUMNS: &str = "token_hash, name, role, scope, created_at, expires_at, revoked_at";

impl Control {
    /// Makes an administrator's token if there has never been a token. The only time it is shown.
    pub async fn ensure_admin_token(&self) -> Result<Option<SecretString>, ControlError> {
        let mut transaction = self.write().await?;
        let tokens: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM tokens").fetch_one(&mut *transaction).await?;
        if tokens > 0 {
            return Ok(None);
        }
        let admin =
            NewToken { name: Some("admin".into()), role: Role::Admin, scope: Scope::All, expires_at: None };
        let (token, _) = self.insert_token(&mut transaction, admin).await?;
        transaction.commit().await?;
        Ok(Some(token))
    }

    /// Makes a token and returns it, the only time it is shown, with its entry.
    pub async fn create_token(&self, new: NewToken) -> Result<(SecretString, TokenEntry), ControlError> {
        let now = self.clock.wall();
        if new.expires_at.is_some_and(|at| at <= now) {
            return Err(ControlError::Invalid("a token expires in the future".into()));
        }
        let mut transaction = self.write().await?;
        if let Some(name) = &new.name {
            check_name(name)?;
            self.free_name(&mut transaction, name).await?;
        }
        let made = self.insert_token(&mut transaction, new).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// One that has expired does not keep its name; one in force does.
    async fn free_name(&self, connection: &mut SqliteConnection, name: &str) -> Result<(), ControlError> {
        sqlx::query(
            "UPDATE tokens SET revoked_at = expires_at WHERE name = $1 AND revoked_at IS NULL AND expires_at <= $2",
        )
        .bind(name)
        .bind(millis(self.clock.wall()))
        .execute(&mut *connection)
        .await?;
        let taken: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM tokens WHERE name = $1 AND revoked_at IS NULL")
                .bind(name)
                .fetch_one(connection)
                .await?;
        if taken > 0 {
            return Err(ControlError::Invalid("a token of that name is in force".into()));
        }
        Ok(())
    }

    /// Revokes a token by its id or its name; `false` if none such is in force. In other processes
    /// it is refused some seconds later.
    pub async fn revoke_token(&self, id_or_name: &str) -> Result<bool, ControlError> {
        let mut transaction = self.write().await?;
        let revoked = sqlx::query(
            "UPDATE tokens SET revoked_at = $2 WHERE revoked_at IS NULL AND (name = $1 OR $3 || substr(token_hash, 1, $4) = $1)",
        )
        .bind(id_or_name)
        .bind(millis(self.clock.wall()))
        .bind(ID_PREFIX)
        .bind(ID_HASH_DIGITS as i64)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.tokens.clear();
        Ok(revoked.rows_affected() > 0)
    }

    /// Every token there ever was, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenEntry>, ControlError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(COLUMNS).push(" FROM tokens ORDER BY created_at, name");
        let rows: Vec<TokenRow> = query.build_query_as().fetch_all(self.readers()).await?;
        rows.into_iter().map(TokenEntry::try_from).collect()
    }

    /// Who holds this token; `None` if it is malformed, unknown, expired or revoked.
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
        let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
        query.push(COLUMNS).push(" FROM tokens WHERE revoked_at IS NULL AND token_hash = ").push_bind(&hash);
        query
            .push(" AND (expires_at IS NULL OR expires_at > ")
            .push_bind(millis(self.clock.wall()))
            .push(")");
        let row: Option<TokenRow> = query.build_query_as().fetch_optional(self.readers()).await?;
        let Some(row) = row else { return Ok(None) };
        let entry = TokenEntry::try_from(row)?;
        let principal = Principal { name: entry.name, role: entry.role, scope: entry.scope };
        self.tokens.put(hash, principal.clone(), seen);
        Ok(Some(principal))
    }

    async fn insert_token(
        &self,
        connection: &mut SqliteConnection,
        new: NewToken,
    ) -> Result<(SecretString, TokenEntry), ControlError> {
        let token = random_token()?;
        let hash = hash(token.expose_secret());
        let entry = TokenEntry {
            id: id(&hash),
            name: new
                .name
                .unwrap_or_else(|| format!("{}-{}", new.role.as_str(), &hash[..ID_HASH_DIGITS / 2])),
            role: new.role,
            scope: new.scope,
            created_at: from_millis(millis(self.clock.wall())),
            expires_at: new.expires_at,
            revoked_at: None,
        };
        sqlx::query(
            "INSERT INTO tokens (token_hash, name, role, scope, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&hash)
        .bind(&entry.name)
        .bind(entry.role.as_str())
        .bind(row::json(&entry.scope)?)
        .bind(millis(entry.created_at))
        .bind(entry.expires_at.map(millis))
        .execute(connection)
        .await?;
        Ok((token, entry))
    }
}

const ID_PREFIX: &str = "tok_";
const ID_HASH_DIGITS: usize = 16;

fn id(hash: &str) -> String {
    format!("{ID_PREFIX}{}", &hash[..ID_HASH_DIGITS.min(hash.len())])
}

/// A name that looks like an id would be revoked in its stead.
fn check_name(name: &str) -> Result<(), ControlError> {
    let length = name.chars().count();
    if !(1..=64).contains(&length) || name.chars().any(char::is_control) || name.starts_with(ID_PREFIX) {
        return Err(ControlError::Invalid(format!(
            "a token's name has 1 to 64 printable characters and does not begin with {ID_PREFIX}"
        )));
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    token_hash: String,
    name: String,
    role: String,
    scope: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<TokenRow> for TokenEntry {
    type Error = ControlError;

    fn try_from(row: TokenRow) -> Result<Self, ControlError> {
        Ok(Self {
            id: id(&row.token_hash),
            role: Role::parse(&row.role).ok_or_else(|| ControlError::damaged("role", &row.role))?,
            scope: serde_json::from_str(&row.scope).map_err(|e| ControlError::damaged("scope", e))?,
            name: row.name,
            created_at: from_millis(row.created_at),
            expires_at: row.expires_at.map(from_millis),
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

#[cfg(test)]
mod tests;
