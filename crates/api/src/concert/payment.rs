//! Paying a reservation from the balance, and the balance itself.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use engine::id::ReservationId;
use engine::money::Won;
use engine::wallet::{PayFromWallet, TopUp, Wallet, WalletPayment};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use super::errors::{ApiError, BadToken, ErrorBody, Problems, WriteProblems, act, replayed, text};
use super::token;
use super::wire::{amount, filled};
use crate::ids;
use crate::money::Amount;
use crate::once::Posted;
use crate::query::Query;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(pay))
        .route("/api/payments", post(pay))
        .routes(routes!(recharge))
        .route("/api/payments/recharge", post(recharge))
        .routes(routes!(balance))
}

/// A reservation to pay.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Purchase {
    user_id: String,
    reservation_id: String,
    /// What the seat costs, in won.
    #[schema(value_type = i64, minimum = 0, examples(50000))]
    amount: Amount,
    /// The queue token; it may also come as `Authorization: Bearer` or in the header `tokenId`.
    token: Option<String>,
}

/// A payment.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Paid {
    payment_id: String,
    #[schema(examples("Completed"))]
    status: &'static str,
}

/// Pays a reservation from its holder's balance. Needs the token, not the turn.
#[utoipa::path(
    post, path = "/api/payment",
    security((), ("bearer" = [])), request_body = Purchase,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
        ("tokenId" = Option<String>, Header, description = "The queue token, where it is not in the body"),
    ),
    responses((status = 200, description = "It is paid", body = Paid), Problems, BadToken, WriteProblems)
)]
async fn pay(
    State(state): State<AppState>,
    headers: HeaderMap,
    posted: Posted<Purchase>,
) -> Result<Response, ApiError> {
    let Purchase { user_id, reservation_id, amount: stated, token } = posted.body;
    filled(&user_id, text::MONEY)?;
    filled(&reservation_id, text::MONEY)?;
    let stated = amount(stated, Won::ZERO, text::MONEY)?;
    let attempt = posted.attempt;
    // A token that has ended since the answer was given: it is part of the same body, so it was good then.
    if token.is_some()
        && let Some(answer) = replayed(&state, &attempt, text::MONEY).await?
    {
        return Ok(answer);
    }
    let user = ids::parse_user(user_id.trim());
    let shown = token::shown(&state, user, token.as_deref(), &headers).await?;
    let user = user.filter(|_| shown.queue).ok_or(ApiError::token())?;
    let command = PayFromWallet { user, reservations: vec![reservation(&reservation_id)], stated_total: Some(stated) };
    let paid = |paid: &WalletPayment| Paid { payment_id: ids::uuid(paid.id.0), status: "Completed" };
    let answer = act(&state, &attempt, command, text::MONEY, paid).await?;
    if answer.status().is_success()
        && let Err(error) = state.rooms.completed(Door::Concert, None, user).await
    {
        tracing::warn!(%error, "a place whose holder has bought lives on for a moment");
    }
    Ok(answer)
}

/// A reservation's id in any form. What is no id names none: no reservation has the id zero.
fn reservation(text: &str) -> ReservationId {
    let text = text.trim();
    ids::parse_reservation(text).or_else(|| ids::parse_booking(text)).unwrap_or(ReservationId(0))
}

/// How much to add.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Recharge {
    user_id: String,
    /// Whole won, more than nothing.
    #[schema(value_type = i64, minimum = 1, examples(10000))]
    amount: Amount,
    /// A queue token, where one is wanted; it may also come as `Authorization: Bearer` or in the header `tokenId`.
    token: Option<String>,
}

/// A balance after adding to it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Recharged {
    user_id: String,
    #[schema(minimum = 0)]
    new_balance: i64,
}

/// Adds to a user's balance.
#[utoipa::path(
    post, path = "/api/payment/recharge",
    security((), ("bearer" = [])), request_body = Recharge,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
        ("tokenId" = Option<String>, Header, description = "The user's token, where one is wanted"),
    ),
    responses(
        (status = 200, description = "The new balance", body = Recharged),
        (status = 403, description = "Money only comes in through payments on this server", body = ErrorBody),
        Problems, BadToken, WriteProblems,
    )
)]
async fn recharge(
    State(state): State<AppState>,
    headers: HeaderMap,
    posted: Posted<Recharge>,
) -> Result<Response, ApiError> {
    let Recharge { user_id, amount: wanted, token } = posted.body;
    filled(&user_id, text::MONEY)?;
    let amount = amount(wanted, Won(1), text::MONEY)?;
    let user = ids::parse_user(user_id.trim());
    let shown = token::shown(&state, user, token.as_deref(), &headers).await?;
    if state.settings.concert_require_token && !shown.any {
        return Err(ApiError::token());
    }
    if !state.settings.open_top_up {
        return Err(ApiError::new(StatusCode::FORBIDDEN, text::NO_RECHARGE));
    }
    let user = user.ok_or(ApiError::bad(text::MONEY))?;
    let recharged = move |wallet: &Wallet| Recharged { user_id: user_id.clone(), new_balance: wallet.balance.0 };
    act(&state, &posted.attempt, TopUp { user, amount }, text::MONEY, recharged).await
}

/// Whose balance.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
struct BalanceQuery {
    /// A user's id in any form.
    #[param(required)]
    user_id: Option<String>,
}

/// A balance.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Balance {
    user_id: String,
    #[schema(minimum = 0)]
    current_balance: i64,
}

/// A user's balance.
#[utoipa::path(
    get, path = "/api/balance",
    security((), ("bearer" = [])),
    params(BalanceQuery, ("tokenId" = Option<String>, Header, description = "The user's token, where one is wanted")),
    responses(
        (status = 200, description = "The balance", body = Balance),
        (status = 404, description = "There is no such user", body = ErrorBody),
        Problems, BadToken,
    )
)]
async fn balance(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(query): Query<BalanceQuery>,
) -> Result<Json<Balance>, ApiError> {
    let user_id = query.user_id.ok_or(ApiError::bad(text::MONEY))?;
    filled(&user_id, text::MONEY)?;
    let user = ids::parse_user(user_id.trim());
    let shown = token::shown(&state, user, None, &headers).await?;
    if state.settings.concert_require_token && !shown.any {
        return Err(ApiError::token());
    }
    let unknown = || ApiError::new(StatusCode::NOT_FOUND, text::NO_USER);
    let user = user.ok_or_else(unknown)?;
    let current_balance = match state.desk.wallet(user).await? {
        Some(wallet) => wallet.balance.0,
        None => state.desk.user(user).await?.map(|_| 0).ok_or_else(unknown)?,
    };
    Ok(Json(Balance { user_id, current_balance }))
}
