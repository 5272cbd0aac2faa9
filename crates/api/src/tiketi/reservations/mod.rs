//! Reservations: made of counted tickets, listed, looked at, given up.

pub(super) mod wire;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use desk::ReservationQuery;
use engine::catalogue::Event;
use engine::holds::{CancelReservation, Canceller, HoldSeats, Reservation, Standing};
use engine::id::TicketTypeId;
use engine::payments::Payment;
use engine::refusal::Refusal;
use futures_util::future::try_join_all;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use self::wire::{Cancelled, Found, ListQuery, Made, Mine, NewReservation};
use super::errors::{ApiError, ReadProblems, WriteProblems};
use super::events::Pagination;
use super::seats::rules;
use super::wire::{Named, event_id, reservation_id, seen, ticket_type_id};
use crate::caller::Caller;
use crate::once::{Bare, Posted};
use crate::problem::act;
use crate::query::{Paging, Query};
use crate::queues;
use crate::state::AppState;

/// The most tickets of one reservation.
const MOST: u32 = 10;
/// The pages of one's reservations: a page is more than anybody has who does not make them by machine.
const PAGING: Paging = Paging { size: "limit", usual: 1_000, most: 1_000 };

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(create))
        .routes(routes!(mine))
        .routes(routes!(detail))
        .routes(routes!(cancel))
}

/// Hold up to ten counted tickets for five minutes.
#[utoipa::path(
    post, path = "/api/v1/reservations", operation_id = "create_reservation",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewReservation,
    responses((status = 201, description = "The tickets are held", body = Made), ReadProblems, WriteProblems)
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewReservation>,
) -> Result<Response, ApiError> {
    let id = event_id(&body.event_id)?;
    let items = body.counts()?;
    let event = seen(&state, id).await?;
    for (ticket_type, _) in &items {
        check_type(&state, &event, *ticket_type).await?;
    }
    let command = HoldSeats {
        user: caller.user,
        event: id,
        seats: Vec::new(),
        items,
        stated_total: None,
        rules: rules(&state, MOST),
    };
    // What nobody could have is refused as that, whoever's turn it is.
    if command.check_shape().is_ok() {
        queues::admit(&state, Door::Tiketi, id, caller.user).await?;
    }
    act(&state, &attempt, command, StatusCode::CREATED, |made| Ok(made?.first().map(wire::made))).await
}

/// A ticket type of another event is a fault of the request; one that nobody knows is not there.
async fn check_type(state: &AppState, event: &Event, id: TicketTypeId) -> Result<(), ApiError> {
    if event.ticket_type(id).is_some() {
        return Ok(());
    }
    Err(match state.desk.stock(id).await? {
        Some(_) => ApiError::malformed("다른 이벤트의 티켓 타입입니다."),
        None => Refusal::TicketTypeUnknown.into(),
    })
}

/// The reservation with an id and its event, where it is the caller's own.
pub(super) async fn owned(state: &AppState, caller: &Caller, id: &str) -> Result<(Reservation, Arc<Event>), ApiError> {
    let reservation = state.desk.reservation(reservation_id(id)?).await?.ok_or(Refusal::ReservationUnknown)?;
    reservation.owned_by(caller.user)?;
    let event = state.desk.event(reservation.event).await?.ok_or(Refusal::EventUnknown)?;
    Ok((reservation, event))
}

/// The card payment of a reservation, where it was opened and not followed by a confirmation.
pub(super) async fn card_of(state: &AppState, own: &Reservation) -> Result<Option<Payment>, ApiError> {
    match own.standing {
        Standing::Confirmed { .. } => Ok(None),
        _ => Ok(state.desk.payment(own.payment_id()).await?),
    }
}

/// The caller's reservations, newest first.
#[utoipa::path(
    get, path = "/api/v1/reservations/my", operation_id = "list_my_reservations",
    security(("bearer" = [])), params(ListQuery),
    responses((status = 200, description = "The reservations", body = Mine), ReadProblems)
)]
async fn mine(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Mine>, ApiError> {
    let page = PAGING.page(query.page, query.limit)?;
    let asked = ReservationQuery { user: caller.user, standing: None, offset: page.offset(), limit: page.size.into() };
    let (found, total) = state.desk.reservations(asked).await?;
    let line = async |own: &Reservation| {
        let event = state.desk.event(own.event).await?.ok_or(Refusal::EventUnknown)?;
        let card = card_of(&state, own).await?;
        Ok::<_, ApiError>(wire::line(own, card.as_ref(), &event, state.desk.now()))
    };
    let reservations = try_join_all(found.iter().map(line)).await?;
    Ok(Json(Mine { reservations, pagination: Pagination::new(page, total) }))
}

/// One reservation. Its owner's to see.
#[utoipa::path(
    get, path = "/api/v1/reservations/{id}", operation_id = "get_reservation",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The reservation")),
    responses((status = 200, description = "The reservation", body = Found), ReadProblems)
)]
async fn detail(State(state): State<AppState>, caller: Caller, Named(id): Named) -> Result<Json<Found>, ApiError> {
    let (own, event) = owned(&state, &caller, &id).await?;
    let card = card_of(&state, &own).await?;
    Ok(Json(Found { reservation: wire::detail(&own, card.as_ref(), &event, state.desk.now()) }))
}

/// Give a reservation up. What was paid goes back the way it came.
#[utoipa::path(
    post, path = "/api/v1/reservations/{id}/cancel", operation_id = "cancel_reservation",
    security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The reservation"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses((status = 200, description = "It is given up", body = Cancelled), ReadProblems, WriteProblems)
)]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Named(id): Named,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    let command = CancelReservation { reservation: reservation_id(&id)?, by: Canceller::Buyer(caller.user) };
    act(&state, &attempt, command, StatusCode::OK, |own| Ok(wire::cancelled(own?))).await
}
