//! Statements that are kept by name, each for those who have the scope that it was saved with.

use chrono::{DateTime, Utc};
use event::Scope;

use crate::clock::{from_millis, millis};
use crate::{Control, ControlError, row};

/// How many one scope may keep.
pub const SAVED_QUERIES_MAX: usize = 200;
const NAME_MAX: usize = 64;
const DESCRIPTION_MAX: usize = 500;

/// A statement that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedQuery {
    /// 1 to 64 letters `a-z`, digits, `_`, `-`; one of each in a scope.
    pub name: String,
    /// The statement, which was found to be one that only reads.
    pub sql: String,
    /// What it is for, at most 500 letters.
    pub description: Option<String>,
    /// The types of `$1`, `$2`, ... by name.
    pub parameters: Vec<String>,
    /// The name of the token that it was last saved with.
    pub saved_by: String,
    /// When that was.
    pub saved_at: DateTime<Utc>,
}

impl Control {
    /// Keeps a statement under its name, in the place of one that had it; when it is saved is set here.
    /// Its SQL was checked by the caller. Says what cannot be kept, and when there are too many.
    pub async fn save_query(&self, scope: &Scope, query: SavedQuery) -> Result<SavedQuery, ControlError> {
        check(&query)?;
        let query = SavedQuery { saved_at: from_millis(millis(self.clock.wall())), ..query };
        let scope = row::json(scope)?;
        let mut transaction = self.write().await?;
        let others: i64 =
            sqlx::query_scalar("SELECT count(*) FROM saved_queries WHERE scope = $1 AND name <> $2")
                .bind(&scope)
                .bind(&query.name)
                .fetch_one(&mut *transaction)
                .await?;
        if usize::try_from(others).is_ok_and(|others| others >= SAVED_QUERIES_MAX) {
            let text = format!("{SAVED_QUERIES_MAX} queries are saved already: delete one that nobody needs");
            return Err(ControlError::Invalid(text));
        }
        sqlx::query(
            "INSERT INTO saved_queries (scope, name, sql, description, parameters, saved_by, saved_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (scope, name) DO UPDATE SET sql = excluded.sql, \
             description = excluded.description, parameters = excluded.parameters, \
             saved_by = excluded.saved_by, saved_at = excluded.saved_at",
        )
        .bind(&scope)
        .bind(&query.name)
        .bind(&query.sql)
        .bind(&query.description)
        .bind(row::json(&query.parameters)?)
        .bind(&query.saved_by)
        .bind(millis(query.saved_at))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(query)
    }

    /// All that were saved with this scope, by name.
    pub async fn saved_queries(&self, scope: &Scope) -> Result<Vec<SavedQuery>, ControlError> {
        let sql = "SELECT name, sql, description, parameters, saved_by, saved_at FROM saved_queries \
                   WHERE scope = $1 ORDER BY name";
        let rows: Vec<SavedRow> =
            sqlx::query_as(sql).bind(row::json(scope)?).fetch_all(self.readers()).await?;
        rows.into_iter().map(SavedQuery::try_from).collect()
    }

    /// One of them; `None` also where only another scope has one of this name.
    pub async fn saved_query(&self, scope: &Scope, name: &str) -> Result<Option<SavedQuery>, ControlError> {
        let sql = "SELECT name, sql, description, parameters, saved_by, saved_at FROM saved_queries \
                   WHERE scope = $1 AND name = $2";
        let found: Option<SavedRow> =
            sqlx::query_as(sql).bind(row::json(scope)?).bind(name).fetch_optional(self.readers()).await?;
        found.map(SavedQuery::try_from).transpose()
    }

    /// Forgets one; says whether there was one.
    pub async fn delete_query(&self, scope: &Scope, name: &str) -> Result<bool, ControlError> {
        let mut transaction = self.write().await?;
        let gone = sqlx::query("DELETE FROM saved_queries WHERE scope = $1 AND name = $2")
            .bind(row::json(scope)?)
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(gone.rows_affected() > 0)
    }
}

fn check(query: &SavedQuery) -> Result<(), ControlError> {
    let is_letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    if !(1..=NAME_MAX).contains(&query.name.len()) || !query.name.bytes().all(is_letter) {
        let text = format!("a saved query's name has 1 to {NAME_MAX} of a-z, 0-9, _ and -");
        return Err(ControlError::Invalid(text));
    }
    let letters = query.description.as_ref().map_or(0, |description| description.chars().count());
    if letters > DESCRIPTION_MAX {
        return Err(ControlError::Invalid(format!("a description has at most {DESCRIPTION_MAX} letters")));
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SavedRow {
    name: String,
    sql: String,
    description: Option<String>,
    parameters: String,
    saved_by: String,
    saved_at: i64,
}

impl TryFrom<SavedRow> for SavedQuery {
    type Error = ControlError;

    fn try_from(row: SavedRow) -> Result<Self, ControlError> {
        let parameters =
            serde_json::from_str(&row.parameters).map_err(|e| ControlError::damaged("parameters", e))?;
        Ok(Self {
            name: row.name,
            sql: row.sql,
            description: row.description,
            parameters,
            saved_by: row.saved_by,
            saved_at: from_millis(row.saved_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use event::Tenant;

    use super::*;

    fn query(name: &str, sql: &str) -> SavedQuery {
        SavedQuery {
            name: name.to_owned(),
            sql: sql.to_owned(),
            description: None,
            parameters: vec!["text".to_owned()],
            saved_by: "analyst".to_owned(),
            saved_at: DateTime::UNIX_EPOCH,
        }
    }

    fn of(tenant: &str) -> Scope {
        Scope::Tenants([Tenant::parse(tenant).unwrap()].into())
    }

    #[tokio::test]
    async fn each_scope_has_its_own() {
        let control = Control::in_memory().await.unwrap();
        for (scope, sql) in [(of("acme"), "SELECT 1"), (of("globex"), "SELECT 2"), (Scope::All, "SELECT 3")] {
            control.save_query(&scope, query("logins", sql)).await.unwrap();
        }
        let found = control.saved_query(&of("acme"), "logins").await.unwrap().unwrap();
        assert_eq!((found.sql.as_str(), found.parameters), ("SELECT 1", vec!["text".to_owned()]));
        control.save_query(&of("acme"), query("logins", "SELECT 4")).await.unwrap();
        assert!(control.delete_query(&of("globex"), "logins").await.unwrap());
        assert!(!control.delete_query(&of("globex"), "logins").await.unwrap());
        let left = control.saved_queries(&of("acme")).await.unwrap();
        assert_eq!(left.iter().map(|query| query.sql.as_str()).collect::<Vec<_>>(), ["SELECT 4"]);
        assert!(control.saved_queries(&of("globex")).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_scope_keeps_so_many_and_may_still_change_them() {
        let control = Control::in_memory().await.unwrap();
        for n in 0..SAVED_QUERIES_MAX {
            control.save_query(&Scope::All, query(&format!("q{n}"), "SELECT 1")).await.unwrap();
        }
        let refused = control.save_query(&Scope::All, query("more", "SELECT 1")).await.unwrap_err();
        assert!(matches!(refused, ControlError::Invalid(_)), "{refused}");
        control.save_query(&Scope::All, query("q7", "SELECT 2")).await.unwrap();
        control.save_query(&of("acme"), query("more", "SELECT 1")).await.unwrap();
    }

    #[tokio::test]
    async fn a_name_is_plain() {
        let control = Control::in_memory().await.unwrap();
        for name in ["", "Upper", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(control.save_query(&Scope::All, query(name, "SELECT 1")).await.is_err(), "{name}");
        }
    }
}
