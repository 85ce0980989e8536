//! `GET`, `POST /v1/tokens`, `DELETE /v1/tokens/{id}`: who may come in.

use std::sync::Arc;

use alerting::{NewToken, Role, TokenEntry};
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use event::{Scope, Tenant};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Administrator;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::App;

/// What a token allows.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    /// Everything, tokens included.
    Admin,
    /// Reads, asks, and works on alerts.
    Analyst,
    /// Sends logs, and nothing else.
    Shipper,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Admin => Self::Admin,
            RoleName::Analyst => Self::Analyst,
            RoleName::Shipper => Self::Shipper,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Analyst => Self::Analyst,
            Role::Shipper => Self::Shipper,
        }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    role: RoleName,
    /// The partners that it is for; every partner if this is left out.
    partners: Option<Vec<String>>,
    /// 1 to 64 printable characters that no other token in force has; one is made up if this is left out.
    #[schema(example = "prt_acme vector")]
    name: Option<String>,
    /// From when on it is good for nothing (RFC 3339); if this is left out, it is good until it is revoked.
    expires_at: Option<DateTime<Utc>>,
}

impl TryFrom<Wanted> for NewToken {
    type Error = ApiError;

    fn try_from(wanted: Wanted) -> Result<Self, ApiError> {
        let scope = match wanted.partners {
            None => Scope::All,
            Some(names) if names.is_empty() => {
                return Err(ApiError::BadRequest(
                    "name at least one partner, or leave partners out for all".into(),
                ));
            }
            Some(names) => {
                let partners: Result<_, _> = names.iter().map(|name| Tenant::parse(name)).collect();
                Scope::Tenants(partners.map_err(|error| ApiError::BadRequest(error.to_string()))?)
            }
        };
        Ok(Self { name: wanted.name, role: wanted.role.into(), scope, expires_at: wanted.expires_at })
    }
}

/// A token as it is listed: everything but the token.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    /// What it is revoked by.
    #[schema(example = "tok_5f0c6a1be2d34c78")]
    id: String,
    name: String,
    role: RoleName,
    /// The partners that it is for; absent if it is for every partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    partners: Option<Vec<String>>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<TokenEntry> for TokenView {
    fn from(entry: TokenEntry) -> Self {
        let partners = match entry.scope {
            Scope::All => None,
            Scope::Tenants(tenants) => Some(tenants.iter().map(Tenant::to_string).collect()),
        };
        Self {
            id: entry.id,
            name: entry.name,
            role: entry.role.into(),
            partners,
            created_at: entry.created_at,
            expires_at: entry.expires_at,
            revoked_at: entry.revoked_at,
        }
    }
}

/// Every token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// The oldest first; revoked ones too, because the audit trail names them.
    tokens: Vec<TokenView>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Made {
    /// The token itself. It is shown this once and kept only as a hash.
    #[schema(example = "wf_…")]
    token: String,
    #[serde(flatten)]
    entry: TokenView,
}

/// Makes a token.
#[utoipa::path(
    post, path = "/v1/tokens", operation_id = "create_token", tag = "tokens", request_body = Wanted,
    responses(
        (status = 201, description = "The token; this answer is the only one that shows it", body = Made),
        (status = 400, description = "Such a token cannot be made"),
    )
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Administrator(caller): Administrator,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, JsonAnswer<Made>), ApiError> {
    let (token, entry) = app.control.create_token(wanted.try_into()?).await?;
    tracing::info!(
        id = entry.id,
        name = entry.name,
        role = entry.role.as_str(),
        by = caller.name,
        "token made"
    );
    let made = Made { token: token.expose_secret().to_owned(), entry: entry.into() };
    Ok((StatusCode::CREATED, JsonAnswer(made)))
}

/// Lists tokens.
#[utoipa::path(
    get, path = "/v1/tokens", operation_id = "list_tokens", tag = "tokens",
    responses((status = 200, description = "Every token there ever was, without the tokens", body = TokenList))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    _: Administrator,
) -> Result<JsonAnswer<TokenList>, ApiError> {
    let tokens = app.control.tokens().await?.into_iter().map(TokenView::from).collect();
    Ok(JsonAnswer(TokenList { tokens }))
}

/// Revokes a token.
///
/// This server refuses it at once and ends its live streams within the heartbeat; another process on the same
/// data some seconds later.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens",
    params(("id" = String, Path, description = "The token's id or name")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, description = "None such is in force"),
    )
)]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    Administrator(caller): Administrator,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if !app.control.revoke_token(&id).await? {
        return Err(ApiError::NotFound);
    }
    tracing::info!(id, by = caller.name, "token revoked");
    Ok(StatusCode::NO_CONTENT)
}
