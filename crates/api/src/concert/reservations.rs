//! Reserving a seat, when it is one's turn.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use desk::Span;
use engine::catalogue::Event;
use engine::holds::{HoldRules, HoldSeats, Reservation};
use engine::id::{EventId, UserId};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{Door, Moved, Standing, Turned};

use super::concerts;
use super::errors::{ApiError, BadToken, ErrorBody, Problems, WriteProblems, act, replayed, text};
use super::token;
use super::wire::{SeatNumber, filled};
use crate::dialects::Dialect;
use crate::once::Posted;
use crate::state::AppState;
use crate::{calendar, clock, ids};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(reserve)).route("/api/reservation", post(reserve))
}

/// A seat to reserve.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewReservation {
    user_id: String,
    #[schema(format = Date, examples("2024-07-15"))]
    date: String,
    /// A number or its digits.
    seat_number: SeatNumber,
    /// The queue token; it may also come as `Authorization: Bearer` or in the header `tokenId`.
    token: Option<String>,
}

/// A reserved seat.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Reserved {
    reservation_id: String,
    #[schema(examples("Reserved"))]
    status: &'static str,
    #[schema(format = DateTime)]
    expiration_time: String,
}

impl Reserved {
    fn of(made: &[Reservation]) -> Option<Self> {
        let own = made.first()?;
        Some(Self {
            reservation_id: ids::uuid(own.id.0),
            status: "Reserved",
            expiration_time: clock::rfc3339(own.expires_at),
        })
    }
}

/// Reserves a seat of the concert of a date for five minutes. The turn is waited for, half a second at most.
#[utoipa::path(
    post, path = "/api/reservations",
    security((), ("bearer" = [])), request_body = NewReservation,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
        ("tokenId" = Option<String>, Header, description = "The queue token, where it is not in the body"),
    ),
    responses(
        (status = 200, description = "The seat is held", body = Reserved),
        (status = 429, description = "It is not this token's turn yet", body = ErrorBody),
        Problems, BadToken, WriteProblems,
    )
)]
async fn reserve(
    State(state): State<AppState>,
    headers: HeaderMap,
    posted: Posted<NewReservation>,
) -> Result<Response, ApiError> {
    let bad = || ApiError::bad(text::RESERVATION);
    let NewReservation { user_id, date, seat_number, token } = posted.body;
    filled(&user_id, text::RESERVATION)?;
    let date = calendar::parse(&date).ok_or_else(bad)?;
    let seat = seat_number.ordinal().ok_or_else(bad)?;
    let attempt = posted.attempt;
    // The turn is over when the same request comes again. So may be a token in its body, which was good then.
    if token.is_some()
        && let Some(answer) = replayed(&state, &attempt, text::RESERVATION).await?
    {
        return Ok(answer);
    }
    let user = ids::parse_user(user_id.trim());
    let shown = token::shown(&state, user, token.as_deref(), &headers).await?;
    let user = user.filter(|_| shown.queue).ok_or(ApiError::token())?;
    if token.is_none()
        && let Some(answer) = replayed(&state, &attempt, text::RESERVATION).await?
    {
        return Ok(answer);
    }
    if shown.served {
        return Err(ApiError::token());
    }
    turn(&state, None, user).await?;
    let event = concerts::of_date(&state, date).await?.ok_or_else(bad)?;
    shared_turn(&state, &event, user).await?;
    let command = hold(&state, &event, user, seat);
    let answer = act(&state, &attempt, command, text::RESERVATION, |made| Reserved::of(made)).await?;
    if answer.status().is_success() {
        make_room(&state, user).await;
    }
    Ok(answer)
}

fn hold(state: &AppState, event: &Event, user: UserId, seat: u32) -> HoldSeats {
    let span = Span::seconds(state.settings.of(Dialect::Concert).hold_seconds);
    let rules = HoldRules { span, most: 1, one_each: false, alone: true };
    HoldSeats { user, event: event.id, seats: vec![seat], items: Vec::new(), stated_total: None, rules }
}

/// An event with a line of its own is waited for in that one too, together with the clients of all dialects.
async fn shared_turn(state: &AppState, event: &Event, user: UserId) -> Result<(), ApiError> {
    if event.billing.waiting_room.is_none() {
        return Ok(());
    }
    let joined = state.rooms.join(Door::Concert, Some(event.id), user).await;
    joined.map_err(|stopped| ApiError::stopped(stopped, text::RESERVATION))?;
    turn(state, Some(event.id), user).await
}

/// Waits for a user's turn, a moment at most.
async fn turn(state: &AppState, event: Option<EventId>, user: UserId) -> Result<(), ApiError> {
    let most = Duration::from_millis(state.settings.concert_turn_wait);
    let come = tokio::time::timeout(most, until_let_in(state, event, user)).await;
    come.unwrap_or(Err(ApiError::wait(text::NOT_YET)))
}

async fn until_let_in(state: &AppState, event: Option<EventId>, user: UserId) -> Result<(), ApiError> {
    // Listened to from before the first look, so that nothing is missed in between.
    let mut moves = state.rooms.subscribe();
    loop {
        match state.rooms.may_buy(Door::Concert, event, user).await {
            Ok(()) => return Ok(()),
            Err(Turned::Stopped(stopped)) => return Err(ApiError::stopped(stopped, text::RESERVATION)),
            Err(Turned::Wait(Some(place))) if place.standing == Standing::Waiting => {}
            Err(Turned::Wait(_)) => return Err(ApiError::wait(text::NOT_YET)),
        }
        loop {
            match moves.recv().await {
                Ok(Moved::LetIn { user: whose, .. }) if whose == user => break,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return Err(ApiError::wait(text::NOT_YET)),
            }
        }
    }
}

/// The turn goes on to the next in line. Where that cannot be written now, it goes on when its time is over.
async fn make_room(state: &AppState, user: UserId) {
    if let Err(error) = state.rooms.turn_used(Door::Concert, None, user).await {
        tracing::warn!(%error, "a used turn is kept until it runs out");
    }
}
