//! Paying reservations with points.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use engine::id::{ReservationId, UserId};
use engine::wallet::{PayFromWallet, WalletPayment};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use super::errors::{ApiError, ErrorBody, Forbidden, Problems, Unknown, WriteProblems};
use super::wire;
use crate::caller::Caller;
use crate::ids;
use crate::once::Posted;
use crate::problem::act;
use crate::state::AppState;

/// The most reservations of one payment.
const MOST: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(pay))
}

/// What is to be paid.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Purchase {
    /// The caller's own, none twice.
    #[schema(min_items = 1, max_items = 1000)]
    reservation_ids: Vec<String>,
}

impl Purchase {
    fn read(&self) -> Result<Vec<ReservationId>, ApiError> {
        if self.reservation_ids.is_empty() || self.reservation_ids.len() > MOST {
            return Err(ApiError::bad_request("reservationIds: must be 1 to 1,000"));
        }
        let ids: Result<Vec<ReservationId>, ApiError> =
            self.reservation_ids.iter().map(|id| wire::reservation_id(id)).collect();
        wire::distinct("reservationIds", ids?)
    }
}

/// What was paid.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Purchased {
    #[schema(format = "uuid")]
    payment_id: String,
    reservation_ids: Vec<String>,
    #[schema(examples(100000))]
    total_amount: i64,
    #[schema(examples("COMPLETED"))]
    status: &'static str,
}

impl Purchased {
    fn of(paid: &WalletPayment) -> Self {
        Self {
            payment_id: ids::uuid(paid.id.0),
            reservation_ids: paid.reservations.iter().map(|own| ids::uuid(own.id.0)).collect(),
            total_amount: paid.total.0,
            status: "COMPLETED",
        }
    }
}

/// Pays the caller's reservations with points, all or none. Needs no place in a queue.
#[utoipa::path(
    post, path = "/payment", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = Purchase,
    responses(
        (status = 200, description = "All are paid", body = Purchased),
        (status = 402, description = "Too few points", body = ErrorBody),
        (status = 410, description = "One has lapsed or was cancelled", body = ErrorBody),
        Problems, Forbidden, Unknown, WriteProblems,
    )
)]
async fn pay(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<Purchase>,
) -> Result<Response, ApiError> {
    let reservations = body.read()?;
    let command = PayFromWallet { user: caller.user, reservations: reservations.clone(), stated_total: None };
    let answer = act(&state, &attempt, command, StatusCode::OK, |paid| Ok(Purchased::of(paid?))).await?;
    if answer.status().is_success() {
        make_room(&state, caller.user, reservations).await;
    }
    Ok(answer)
}

/// Ends the buyer's places in the queues of what was paid, so that the next in line is inside when the payment is
/// answered. It happens by itself a moment after every payment: whatever goes wrong here, the payment stands.
async fn make_room(state: &AppState, user: UserId, paid: Vec<ReservationId>) {
    let mut concerts = BTreeSet::new();
    for id in paid {
        concerts.extend(state.desk.reservation(id).await.ok().flatten().map(|own| own.event));
    }
    for concert in concerts {
        if let Err(error) = state.rooms.completed(Door::Sail, Some(concert), user).await {
            tracing::warn!(%error, "a place whose holder has bought lives on for a moment");
        }
    }
}
