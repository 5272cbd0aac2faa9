//! Accounts and tokens.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::people::{RegisterUser, RevokeToken, Role, User};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems, WriteProblems, act};
use crate::caller::{self, Caller, Network};
use crate::email::is_email;
use crate::names::is_name;
use crate::once::{self, Posted};
use crate::state::AppState;
use crate::tokens::Refresh;
use crate::{clock, ids};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(me))
        .routes(routes!(refresh))
        .routes(routes!(logout))
}

/// A person to be registered.
#[derive(Deserialize, utoipa::ToSchema)]
struct NewAccount {
    #[schema(examples("user@example.com"), format = Email)]
    email: String,
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: String,
    #[schema(min_length = 1, max_length = 100, examples("홍길동"))]
    name: String,
    #[schema(examples("010-1234-5678"))]
    phone_number: Option<String>,
}

impl NewAccount {
    fn check(&self) -> Result<(), ApiError> {
        if !is_email(self.email.trim()) {
            return Err(ApiError::field("email", "Email format is invalid"));
        }
        if !(8..=128).contains(&self.password.chars().count()) {
            return Err(ApiError::field("password", "must have 8 to 128 characters"));
        }
        if !is_name(&self.name) {
            return Err(ApiError::field("name", "must have 1 to 100 characters"));
        }
        if self.phone_number.as_deref().is_some_and(|phone| !is_phone(phone)) {
            return Err(ApiError::field("phone_number", "must be a phone number"));
        }
        Ok(())
    }
}

pub(super) fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (5..=20).contains(&digits) && text.len() <= 30 && text.chars().all(|c| c.is_ascii_digit() || "+-(). ".contains(c))
}

/// A person, as it sees itself.
#[derive(Serialize, utoipa::ToSchema)]
struct Account {
    #[schema(examples("usr_01h455vb4pex5vsknk084sn02q"))]
    user_id: String,
    email: String,
    name: String,
    phone_number: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<&User> for Account {
    fn from(user: &User) -> Self {
        Self {
            user_id: ids::user(user.id),
            email: user.email.clone(),
            name: user.name.clone(),
            phone_number: user.phone.clone(),
            created_at: clock::rfc3339(user.created_at),
        }
    }
}

/// Registers a person.
#[utoipa::path(
    post, path = "/api/auth/register", request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    responses((status = 200, description = "The new account", body = Account), ReadProblems, WriteProblems)
)]
async fn register(
    State(state): State<AppState>,
    from: Network,
    posted: Posted<NewAccount>,
) -> Result<Response, ApiError> {
    let Posted { body, attempt } = posted;
    body.check()?;
    // Before the hash is computed: that is what a repeated registration would cost.
    if let Some(answer) = once::replayed(&state, &attempt).await? {
        return Ok(answer);
    }
    let command = RegisterUser {
        email: body.email,
        password_hash: Some(state.passwords.hash(body.password, from).await?),
        name: body.name.trim().to_owned(),
        phone: body.phone_number,
        role: Role::User,
    };
    act(&state, &attempt, command, |user| Ok(Account::from(user?))).await
}

/// What a person signs in with.
#[derive(Deserialize, utoipa::ToSchema)]
struct Credentials {
    #[schema(examples("user@example.com"))]
    email: String,
    #[schema(format = Password)]
    password: String,
}

/// Tokens of somebody who signed in.
#[derive(Serialize, utoipa::ToSchema)]
struct Session {
    access_token: String,
    #[schema(examples("bearer"))]
    token_type: &'static str,
    /// Seconds the access token lasts.
    expires_in: i64,
    /// Gives new access tokens until it runs out or is revoked.
    refresh_token: String,
    user: SessionUser,
}

/// Who signed in.
#[derive(Serialize, utoipa::ToSchema)]
struct SessionUser {
    user_id: String,
    email: String,
    name: String,
}

/// Signs a person in. An unknown address and a wrong password are not told apart, not by time either.
#[utoipa::path(
    post, path = "/api/auth/login", request_body = Credentials,
    params(("Idempotency-Key" = Option<String>, Header, description = "Gives the same answer again")),
    responses((status = 200, description = "Tokens", body = Session), ReadProblems, WriteProblems)
)]
async fn login(
    State(state): State<AppState>,
    from: Network,
    posted: Posted<Credentials>,
) -> Result<Response, ApiError> {
    let Posted { body: Credentials { email, password }, attempt } = posted;
    // Before the password is looked at, which costs more.
    if let Some(answer) = once::replayed(&state, &attempt).await? {
        return Ok(answer);
    }
    let user = state.desk.user_by_email(&email).await?;
    let stored = user.as_ref().and_then(|user| user.password_hash.clone());
    let fits = state.passwords.verify(password, stored, from).await?;
    let user = user.filter(|_| fits).ok_or(ApiError::unauthorized("Incorrect email or password"))?;
    let now = state.desk.now();
    let session = Session {
        access_token: state.tokens.access(&user, now),
        token_type: "bearer",
        expires_in: state.tokens.access_seconds(),
        refresh_token: state.tokens.refresh(&user, now),
        user: SessionUser { user_id: ids::user(user.id), email: user.email, name: user.name },
    };
    Ok(once::keep(&state, &attempt, once::answer(StatusCode::OK, &session)).await?)
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/auth/me", security(("bearer" = [])),
    responses((status = 200, description = "The account", body = Account), ReadProblems)
)]
async fn me(State(state): State<AppState>, caller: Caller) -> Result<Json<Account>, ApiError> {
    let user = state.desk.user(caller.user).await?;
    let user = user.ok_or(ApiError::unauthorized("The account no longer exists"))?;
    Ok(Json(Account::from(&user)))
}

/// A refresh token.
#[derive(Deserialize, utoipa::ToSchema)]
struct RefreshToken {
    refresh_token: String,
}

/// A new access token.
#[derive(Serialize, utoipa::ToSchema)]
struct Renewed {
    access_token: String,
    #[schema(examples("bearer"))]
    token_type: &'static str,
    /// Seconds it lasts.
    expires_in: i64,
}

/// Gives a new access token for a refresh token.
#[utoipa::path(
    post, path = "/api/auth/refresh", request_body = RefreshToken,
    params(("Idempotency-Key" = Option<String>, Header, description = "Gives the same answer again")),
    responses((status = 200, description = "A new access token", body = Renewed), ReadProblems, WriteProblems)
)]
async fn refresh(State(state): State<AppState>, posted: Posted<RefreshToken>) -> Result<Response, ApiError> {
    let user = caller::renewed_by(&posted.body.refresh_token, &state).await?.ok_or_else(invalid)?;
    let renewed = Renewed {
        access_token: state.tokens.access(&user, state.desk.now()),
        token_type: "bearer",
        expires_in: state.tokens.access_seconds(),
    };
    Ok(once::keep(&state, &posted.attempt, once::answer(StatusCode::OK, &renewed)).await?)
}

/// What signing out gives.
#[derive(Serialize, utoipa::ToSchema)]
struct SignedOut {
    /// The refresh token no longer counts.
    revoked: bool,
}

/// Signs out: the refresh token no longer counts.
#[utoipa::path(
    post, path = "/api/auth/logout", request_body = RefreshToken,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    responses((status = 200, description = "Signed out", body = SignedOut), ReadProblems, WriteProblems)
)]
async fn logout(State(state): State<AppState>, posted: Posted<RefreshToken>) -> Result<Response, ApiError> {
    let read = state.tokens.read_refresh(&posted.body.refresh_token, state.desk.now());
    let Refresh { token, expires_at, .. } = read.ok_or_else(invalid)?;
    let command = RevokeToken { token, expires_at };
    act(&state, &posted.attempt, command, |done| Ok(done.map(|()| SignedOut { revoked: true })?)).await
}

fn invalid() -> ApiError {
    ApiError::unauthorized("The refresh token is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_digits_and_their_usual_signs() {
        assert!(is_phone("010-1234-5678") && is_phone("+82 (10) 1234.5678"));
        assert!(!is_phone("") && !is_phone("12") && !is_phone("call me") && !is_phone(&"1".repeat(21)));
    }
}
