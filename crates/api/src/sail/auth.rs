//! Accounts and tokens: an e-mail address is enough while `sail.passwordless` is on.

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use engine::people::{RegisterUser, Role, User};
use engine::refusal::Refusal;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, Problems, Unknown, WriteProblems};
use crate::caller::Network;
use crate::email::is_email;
use crate::once::{self, Bare, Posted};
use crate::problem::act;
use crate::state::AppState;
use crate::{caller, ids};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(register)).routes(routes!(login)).routes(routes!(refresh))
}

/// Who wants to come in.
#[derive(Deserialize, utoipa::ToSchema)]
struct Account {
    #[schema(examples("user@example.com"), format = Email)]
    email: String,
    /// Of an account that has one; required where `sail.passwordless` is off.
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: Option<String>,
}

impl Account {
    fn check(&self, state: &AppState) -> Result<(), ApiError> {
        if !is_email(self.email.trim()) {
            return Err(ApiError::bad_request("email: must be an e-mail address"));
        }
        match &self.password {
            None if !state.settings.sail_passwordless => Err(ApiError::bad_request("password: is required")),
            Some(password) if !(8..=128).contains(&password.chars().count()) => {
                Err(ApiError::bad_request("password: must have 8 to 128 characters"))
            }
            _ => Ok(()),
        }
    }
}

/// The tokens of somebody who came in.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Session {
    #[schema(format = "uuid")]
    user_id: String,
    access_token: String,
    /// Gives new access tokens at `/auth/refresh` until it runs out.
    refresh_token: String,
}

impl Session {
    fn of(user: &User, state: &AppState) -> Self {
        let now = state.desk.now();
        Self {
            user_id: ids::uuid(user.id.0),
            access_token: state.tokens.access(user, now),
            refresh_token: state.tokens.refresh(user, now),
        }
    }
}

/// Makes an account. Its wallet is empty.
#[utoipa::path(
    post, path = "/auth/register", request_body = Account,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    responses((status = 201, description = "The new account's tokens", body = Session), Problems, WriteProblems)
)]
async fn register(State(state): State<AppState>, from: Network, posted: Posted<Account>) -> Result<Response, ApiError> {
    let Posted { body, attempt } = posted;
    body.check(&state)?;
    // Before the hash is computed: that is what a repeated registration would cost.
    if let Some(answer) = once::replayed(&state, &attempt).await? {
        return Ok(answer);
    }
    let password_hash = match body.password {
        Some(password) => Some(state.passwords.hash(password, from).await?),
        None => None,
    };
    let name = body.email.trim().split('@').next().unwrap_or_default().to_owned();
    let command = RegisterUser { email: body.email, password_hash, name, phone: None, role: Role::User };
    let signing = state.clone();
    act(&state, &attempt, command, StatusCode::CREATED, move |user| Ok(Session::of(user?, &signing))).await
}

/// Lets somebody in who has an account.
#[utoipa::path(
    post, path = "/auth/login", request_body = Account,
    params(("Idempotency-Key" = Option<String>, Header, description = "Gives the same answer again")),
    responses((status = 200, description = "The account's tokens", body = Session), Problems, Unknown, WriteProblems)
)]
async fn login(State(state): State<AppState>, from: Network, posted: Posted<Account>) -> Result<Response, ApiError> {
    let Posted { body, attempt } = posted;
    body.check(&state)?;
    if let Some(answer) = once::replayed(&state, &attempt).await? {
        return Ok(answer);
    }
    let user = state.desk.user_by_email(&body.email).await?.ok_or(Refusal::UserUnknown)?;
    if !may_enter(&user, body.password, from, &state).await? {
        return Err(ApiError::unauthorized("this account cannot be entered so"));
    }
    let session = once::answer(StatusCode::OK, &Session::of(&user, &state));
    Ok(once::keep(&state, &attempt, session).await?)
}

/// An account with a password is entered by it. One without stands open to its address alone, where that is allowed
/// and nobody but a buyer comes of it: who signs in at another service has no password here, whatever the role.
async fn may_enter(user: &User, password: Option<String>, from: Network, state: &AppState) -> Result<bool, ApiError> {
    match (&user.password_hash, password) {
        (None, _) => Ok(state.settings.sail_passwordless && user.role == Role::User),
        (Some(_), None) => Ok(false),
        (Some(stored), Some(password)) => Ok(state.passwords.verify(password, Some(stored.clone()), from).await?),
    }
}

/// A new access token.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    access_token: String,
}

/// Whose refresh token came as bearer: asked before the body is looked at.
struct Refreshing(User);

impl FromRequestParts<AppState> for Refreshing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let invalid = || ApiError::unauthorized("the refresh token is not valid");
        let token = caller::bearer_of(&parts.headers).ok_or_else(invalid)?;
        Ok(Self(caller::renewed_by(token, state).await?.ok_or_else(invalid)?))
    }
}

/// Gives a new access token for the refresh token in the `Authorization` header.
#[utoipa::path(
    post, path = "/auth/refresh", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Gives the same answer again")),
    responses((status = 200, description = "A new access token", body = Renewed), Problems, WriteProblems)
)]
async fn refresh(
    State(state): State<AppState>,
    Refreshing(user): Refreshing,
    posted: Bare,
) -> Result<Response, ApiError> {
    // The body says nothing and the key's owner is not signed in: the token tells people apart.
    let attempt = posted.attempt.of(user.id);
    if let Some(answer) = once::replayed(&state, &attempt).await? {
        return Ok(answer);
    }
    let access_token = state.tokens.access(&user, state.desk.now());
    let renewed = once::answer(StatusCode::OK, &Renewed { access_token });
    Ok(once::keep(&state, &attempt, renewed).await?)
}
