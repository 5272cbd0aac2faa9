//! Points: the caller's wallet.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::money::Won;
use engine::wallet::TopUp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, Forbidden, Problems, WriteProblems};
use crate::caller::Caller;
use crate::money::Amount;
use crate::once::Posted;
use crate::problem::act;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(balance)).routes(routes!(charge))
}

/// What somebody has.
#[derive(Serialize, utoipa::ToSchema)]
struct Points {
    #[schema(examples(5000), minimum = 0)]
    points: i64,
}

/// How many points the caller has.
#[utoipa::path(
    get, path = "/points", operation_id = "points", security(("bearer" = [])),
    responses((status = 200, description = "The balance", body = Points), Problems)
)]
async fn balance(State(state): State<AppState>, caller: Caller) -> Result<Json<Points>, ApiError> {
    let wallet = state.desk.wallet(caller.user).await?;
    Ok(Json(Points { points: wallet.map_or(0, |wallet| wallet.balance.0) }))
}

/// How many points to add.
#[derive(Deserialize, utoipa::ToSchema)]
struct Charge {
    /// A positive whole number.
    #[schema(value_type = i64, minimum = 1, examples(10000))]
    amount: Amount,
}

/// What somebody has after adding to it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Charged {
    #[schema(examples(15000), minimum = 0)]
    points: i64,
    #[schema(examples(10000), minimum = 1)]
    charge_amount: i64,
}

/// Adds points to the caller's. Many at once all count.
#[utoipa::path(
    patch, path = "/points/charge", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = Charge,
    responses((status = 200, description = "The new balance", body = Charged), Problems, Forbidden, WriteProblems)
)]
async fn charge(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<Charge>,
) -> Result<Response, ApiError> {
    let amount = body.amount.won().filter(|amount| (Won(1)..=Won::MOST).contains(amount));
    let amount = amount.ok_or(ApiError::bad_request("amount: must be a whole number from 1 to 1,000,000,000,000"))?;
    if !state.settings.open_top_up {
        return Err(ApiError::forbidden("points cannot be charged freely on this server"));
    }
    let command = TopUp { user: caller.user, amount };
    act(&state, &attempt, command, StatusCode::OK, move |wallet| {
        Ok(Charged { points: wallet?.balance.0, charge_amount: amount.0 })
    })
    .await
}
