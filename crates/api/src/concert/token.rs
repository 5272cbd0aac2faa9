//! Queue tokens: a place in the line that cannot be guessed, and whether its turn has come.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use engine::id::{PlaceId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{Door, PlaceView, Standing};

use super::errors::{ApiError, BadToken, ErrorBody, Problems, WriteProblems, replayed, text};
use super::wire::filled;
use crate::once::{self, Attempt, Posted};
use crate::state::AppState;
use crate::{caller, clock, ids};

/// Keeps this use of the secret apart from all others.
const LABEL: &[u8] = b"maepyo queue token";
const ID_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 16;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(issue)).routes(routes!(peek))
}

fn signing(secret: &[u8], user: UserId, place: PlaceId) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(LABEL);
    mac.update(&user.0.to_be_bytes());
    mac.update(&place.0.to_be_bytes());
    mac
}

/// The token of a person's place. The same place, the same token.
fn print(secret: &[u8], user: UserId, place: PlaceId) -> String {
    let signature = signing(secret, user, place).finalize().into_bytes();
    let (user, place) = (user.0.to_be_bytes(), place.0.to_be_bytes());
    BASE64.encode([&user[..], &place[..], &signature[..SIGNATURE_BYTES]].concat())
}

/// Whose place a token names; `None` for what was not printed under this secret.
fn read(secret: &[u8], token: &str) -> Option<(UserId, PlaceId)> {
    let bytes = BASE64.decode(token).ok()?;
    let (user, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
    let (place, signature) = rest.split_first_chunk::<ID_BYTES>()?;
    let (user, place) = (UserId(u128::from_be_bytes(*user)), PlaceId(u128::from_be_bytes(*place)));
    let signed = signature.len() == SIGNATURE_BYTES;
    let right = signed && signing(secret, user, place).verify_truncated_left(signature).is_ok();
    right.then_some((user, place))
}

/// The place of a token that counts: not run out, and not given up. That its holder is heard of keeps it alive. One
/// whose holder has bought is given as well, see [`Shown::served`].
async fn place_of(state: &AppState, token: &str) -> Result<(UserId, PlaceView), ApiError> {
    let (user, id) = read(&state.settings.jwt_secret, token.trim()).ok_or(ApiError::token())?;
    let place = state.rooms.look_alive(Door::Concert, None, user).await?;
    let counts = |place: &PlaceView| {
        let over = matches!(place.standing, Standing::Lapsed | Standing::Left | Standing::Absent);
        place.id == id && place.ends_at > state.desk.now() && !over
    };
    Ok((user, place.filter(counts).ok_or(ApiError::token())?))
}

/// Which tokens came along with a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    /// Whether any did.
    pub any: bool,
    /// Whether a queue token did.
    pub queue: bool,
    /// Whether one did whose holder has bought with it. It says who that is, and that the turn is over.
    pub served: bool,
}

/// Looks at the tokens of a request: in its body, as `Authorization: Bearer`, in the header `tokenId`. Where only the
/// person matters, an access token of any dialect says as much as a queue token.
///
/// # Errors
/// 401 when one of them does not count, or is not this user's.
pub async fn shown(
    state: &AppState,
    user: Option<UserId>,
    body: Option<&str>,
    headers: &HeaderMap,
) -> Result<Shown, ApiError> {
    let header = headers.get("tokenId").map(|value| value.to_str().unwrap_or("?"));
    let bearer = headers.contains_key(AUTHORIZATION).then(|| caller::bearer_of(headers).unwrap_or("?"));
    let mut shown = Shown::default();
    for token in [body, header, bearer].into_iter().flatten().filter(|token| !token.trim().is_empty()) {
        let access = state.tokens.read_access(token, state.desk.now());
        let owner = match access {
            Some(access) => access.caller.user,
            None => {
                let (owner, place) = place_of(state, token).await?;
                shown.queue = true;
                shown.served |= has_served(&place);
                owner
            }
        };
        if user != Some(owner) {
            return Err(ApiError::token());
        }
        shown.any = true;
    }
    Ok(shown)
}

/// Whether the holder of a place has bought.
fn has_served(place: &PlaceView) -> bool {
    place.standing == Standing::Completed
}

/// Answers what no command gave, once under the key of an attempt.
async fn answered(
    state: &AppState,
    attempt: &Attempt,
    body: &impl Serialize,
    text: &'static str,
) -> Result<Response, ApiError> {
    once::keep(state, attempt, once::answer(StatusCode::OK, body))
        .await
        .map_err(|stopped| ApiError::stopped(stopped, text))
}

/// Who wants a token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Wish {
    /// A user's id in any form.
    user_id: String,
}

/// A token.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Token {
    token: String,
    #[schema(format = DateTime)]
    expiration_time: String,
}

/// Gives a user a token, a place in the line. Asking again gives the same one and keeps the place; once the turn was
/// used, the place is at the tail.
#[utoipa::path(
    post, path = "/api/token", operation_id = "issue_token", request_body = Wish,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    responses(
        (status = 200, description = "The token", body = Token),
        (status = 429, description = "There are as many tokens as there may be", body = ErrorBody),
        Problems, WriteProblems,
    )
)]
async fn issue(State(state): State<AppState>, posted: Posted<Wish>) -> Result<Response, ApiError> {
    filled(&posted.body.user_id, text::USER)?;
    let known = match ids::parse_user(posted.body.user_id.trim()) {
        Some(id) => state.desk.user(id).await?,
        None => None,
    };
    let user = known.ok_or(ApiError::bad(text::USER))?.id;
    let attempt = posted.attempt;
    if let Some(answer) = replayed(&state, &attempt, text::USER).await? {
        return Ok(answer);
    }
    let joined = state.rooms.join(Door::Concert, None, user).await;
    let place = joined.map_err(|stopped| ApiError::stopped(stopped, text::USER))?;
    let token = print(&state.settings.jwt_secret, user, place.id);
    answered(&state, &attempt, &Token { token, expiration_time: clock::rfc3339(place.ends_at) }, text::USER).await
}

/// A token to look at.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Peek {
    token_id: String,
}

/// Whether the turn of a token has come.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Turn {
    is_turn: bool,
    #[schema(format = DateTime)]
    occurred_time: String,
}

/// Looks whether the turn of a token has come. Uses nothing up.
#[utoipa::path(
    post, path = "/api/token/peek", operation_id = "peek_token", request_body = Peek,
    params(("Idempotency-Key" = Option<String>, Header, description = "Gives the same answer again")),
    responses(
        (status = 200, description = "Whether the turn has come", body = Turn),
        Problems, BadToken, WriteProblems,
    )
)]
async fn peek(State(state): State<AppState>, posted: Posted<Peek>) -> Result<Response, ApiError> {
    let attempt = posted.attempt;
    // The token is in the body: it was good when the same request was answered, and may have ended since.
    if let Some(answer) = replayed(&state, &attempt, text::RESERVATION).await? {
        return Ok(answer);
    }
    let (_, place) = place_of(&state, &posted.body.token_id).await?;
    if has_served(&place) {
        return Err(ApiError::token());
    }
    let is_turn = matches!(place.standing, Standing::Inside { .. });
    let turn = Turn { is_turn, occurred_time: clock::rfc3339(state.desk.now()) };
    answered(&state, &attempt, &turn, text::RESERVATION).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of the tests";

    #[test]
    fn a_token_leads_back_to_its_place_under_its_own_secret_only() {
        let token = print(SECRET, UserId(1), PlaceId(2));
        assert_eq!(read(SECRET, &token), Some((UserId(1), PlaceId(2))));
        assert_eq!(token, print(SECRET, UserId(1), PlaceId(2)), "the same place, the same token");
        assert_eq!(read(b"another secret", &token), None);
    }

    #[test]
    fn a_changed_token_is_none() {
        let token = print(SECRET, UserId(1), PlaceId(2));
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(SECRET, &String::from_utf8_lossy(&changed)), None, "{index}");
        }
        for wrong in ["", "A", &token[1..], &format!("{token}AAAA"), "대기열", &token[..44]] {
            assert_eq!(read(SECRET, wrong), None, "{wrong}");
        }
    }
}
