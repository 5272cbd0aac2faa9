//! Bookings: held, paid, given up, listed.

mod wire;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::{ReservationQuery, Unavailable};
use engine::holds::{CancelReservation, Canceller, HoldRules, HoldSeats, Reservation, Standing, Tender};
use engine::id::{PaymentId, ReservationId, UserId};
use engine::payments::{ConfirmReservation, Gateway, Payment, PaymentState, Settlement};
use engine::people::Role;
use engine::refusal::Refusal;
use engine::time::Span;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use self::wire::{Booking, BookingDetail, BookingPage, Cancelled, Confirm, Confirmed, ListQuery, NewBooking};
use super::errors::{ApiError, ReadProblems, WriteProblems, act, code};
use crate::Dialect;
use crate::caller::Caller;
use crate::once::{Bare, Posted};
use crate::query::{Page, Query};
use crate::state::AppState;
use crate::{gateway, ids, queues};

/// The most seats and tickets of one booking.
const MOST: u32 = 4;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(create))
        .routes(routes!(mine))
        .routes(routes!(of_user))
        .routes(routes!(get))
        .routes(routes!(confirm))
        .routes(routes!(cancel))
}

/// Hold up to four seats or tickets for ten minutes.
#[utoipa::path(
    post, path = "/api/bookings", operation_id = "create_booking",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewBooking,
    responses(
        (status = 200, description = "The seats are held", body = Booking),
        ReadProblems,
        WriteProblems,
    )
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewBooking>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::from(Refusal::EventUnknown);
    let event = ids::parse_event(&body.event_id).ok_or_else(unknown)?;
    // Of a draft not even the seats are told.
    let event = state.desk.public_event(event).await?.ok_or_else(unknown)?;
    wire::check_number(&body, MOST)?;
    let command = HoldSeats {
        user: caller.user,
        event: event.id,
        seats: wire::ordinals(&event, &body.seat_ids)?,
        items: wire::counts(&body.items)?,
        stated_total: wire::stated(body.total_amount)?,
        rules: HoldRules {
            span: Span::seconds(state.settings.of(Dialect::TicketingPro).hold_seconds),
            most: MOST,
            one_each: false,
            alone: false,
        },
    };
    // What nobody could have is refused as that, whoever's turn it is.
    if command.check_shape().is_ok() {
        queues::admit(&state, Door::TicketingPro, event.id, caller.user).await?;
    }
    act(&state, &attempt, command, move |made| Ok(made?.first().map(|own| wire::booking(own, &event, own.created_at))))
        .await
}

/// One booking. Its owner's and admins' to see.
#[utoipa::path(
    get, path = "/api/bookings/{booking_id}", operation_id = "get_booking",
    security(("bearer" = [])),
    params(("booking_id" = String, Path, description = "The booking")),
    responses(
        (status = 200, description = "The booking", body = BookingDetail),
        ReadProblems,
    )
)]
async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BookingDetail>, ApiError> {
    let reservation = owned(&state, &caller, &id).await?;
    let event = state.desk.event(reservation.event).await?.ok_or(Refusal::EventUnknown)?;
    let intent = intent_of(&state, &reservation).await?;
    Ok(Json(wire::detail(&reservation, &event, intent, state.desk.now())))
}

/// The reservation called so, where the caller may see it.
pub(super) async fn owned(state: &AppState, caller: &Caller, id: &str) -> Result<Reservation, ApiError> {
    let reservation = state.desk.reservation(read_id(id)?).await?.ok_or(Refusal::ReservationUnknown)?;
    if caller.role != Role::Admin {
        reservation.owned_by(caller.user)?;
    }
    Ok(reservation)
}

/// A booking's id: `book_…`, `res_…` or a UUID, all of the same thing.
pub(super) fn read_id(id: &str) -> Result<ReservationId, Refusal> {
    ids::parse_booking(id).or_else(|| ids::parse_reservation(id)).ok_or(Refusal::ReservationUnknown)
}

/// What clients call the card payment of a reservation, where there is one.
async fn intent_of(state: &AppState, reservation: &Reservation) -> Result<Option<String>, Unavailable> {
    let paid_by = match reservation.standing {
        Standing::Confirmed { tender: Tender::Card(id), .. } => Some(id),
        Standing::Confirmed { tender: Tender::Wallet(_), .. } => None,
        _ => Some(reservation.payment_id()),
    };
    match paid_by {
        Some(id) => Ok(state.desk.payment(id).await?.as_ref().map(gateway::shown)),
        None => Ok(None),
    }
}

/// A person's bookings, newest first. The person's own and admins' to see.
#[utoipa::path(
    get, path = "/api/bookings/user/{user_id}", operation_id = "list_user_bookings",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "Whose"), ListQuery),
    responses(
        (status = 200, description = "A page of bookings", body = BookingPage),
        ReadProblems,
    )
)]
async fn of_user(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<BookingPage>, ApiError> {
    let user = ids::parse_user(&user);
    if caller.role != Role::Admin && user != Some(caller.user) {
        return Err(Refusal::NotYours.into());
    }
    let user = user.ok_or(Refusal::UserUnknown)?;
    let found = list(&state, user, query).await?;
    // Who has bookings is there: only of somebody without any it has to be looked up.
    if found.total == 0 && user != caller.user && state.desk.user(user).await?.is_none() {
        return Err(Refusal::UserUnknown.into());
    }
    Ok(Json(found))
}

/// The caller's own bookings, newest first.
#[utoipa::path(
    get, path = "/api/bookings/my", operation_id = "list_my_bookings",
    security(("bearer" = [])),
    params(ListQuery),
    responses(
        (status = 200, description = "A page of bookings", body = BookingPage),
        ReadProblems,
    )
)]
async fn mine(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<BookingPage>, ApiError> {
    list(&state, caller.user, query).await.map(Json)
}

async fn list(state: &AppState, user: UserId, query: ListQuery) -> Result<BookingPage, ApiError> {
    let page = Page::of(query.page, query.page_size)?;
    let standing = query.status.as_deref().map(wire::standing_word).transpose()?;
    let asked = ReservationQuery { user, standing, offset: page.offset(), limit: i64::from(page.size) };
    let (found, total) = state.desk.reservations(asked).await?;
    let mut bookings = Vec::with_capacity(found.len());
    for reservation in &found {
        let event = state.desk.event(reservation.event).await?.ok_or(Refusal::EventUnknown)?;
        bookings.push(wire::line(reservation, &event, state.desk.now()));
    }
    Ok(BookingPage { bookings, total, page: page.page, page_size: page.size })
}

/// Confirm a booking with a payment that has succeeded. Asking again gives the same answer.
#[utoipa::path(
    post, path = "/api/bookings/{booking_id}/confirm", operation_id = "confirm_booking",
    security(("bearer" = [])),
    params(
        ("booking_id" = String, Path, description = "The booking"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    request_body = Confirm,
    responses(
        (status = 200, description = "It is confirmed", body = Confirmed),
        ReadProblems,
        WriteProblems,
    )
)]
async fn confirm(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Posted { body, attempt }: Posted<Confirm>,
) -> Result<Response, ApiError> {
    let reservation = read_id(&id)?;
    // No payment has the id zero: the engine then says what it says of any that does not fit.
    let payment = paid_by(&state, &caller, &body.payment_intent_id).await?.unwrap_or(PaymentId(0));
    let command = ConfirmReservation { user: caller.user, reservation, payment };
    let base_url = state.settings.base_url.clone();
    act(&state, &attempt, command, move |settled| match settled? {
        Settlement::Confirmed(own) => Ok(wire::confirmed(own, &base_url)),
        Settlement::Returned(why) => Err(returned(why)),
    })
    .await
}

/// The payment that is to confirm a booking. What other gateways than our own know of it is asked first.
async fn paid_by(state: &AppState, caller: &Caller, name: &str) -> Result<Option<PaymentId>, Unavailable> {
    if state.gateway.kind() == Gateway::Sandbox {
        return gateway::id_of(state, name).await;
    }
    let payment = gateway::find(state, name).await?;
    if let Some(payment) = payment.as_ref().filter(|own| own.user == caller.user) {
        catch_up(state, payment).await;
    }
    Ok(payment.map(|own| own.id))
}

/// Asks the gateway where its word of an open payment is late or lost. Without an answer the payment stays open.
async fn catch_up(state: &AppState, payment: &Payment) {
    if !matches!(payment.state, PaymentState::Open(_)) {
        return;
    }
    if let Err(error) = gateway::poll(state, payment).await {
        tracing::warn!(%error, "the gateway could not be asked about a payment");
    }
}

/// Why a booking could not be had whose money was taken already: it goes back.
fn returned(why: &Refusal) -> ApiError {
    let (code, message) = match why {
        Refusal::EventNotOnSale => (code::INVALID_REQUEST, "The event was called off: the payment is refunded"),
        Refusal::SeatTaken { .. } | Refusal::StockShort { .. } => {
            (code::BOOKING_EXPIRED, "The hold has lapsed and its seats went to others: the payment is refunded")
        }
        _ => (code::BOOKING_EXPIRED, "The hold has lapsed and cannot be had again: the payment is refunded"),
    };
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}

/// Give a booking up. What was paid goes back the way it came.
#[utoipa::path(
    post, path = "/api/bookings/{booking_id}/cancel", operation_id = "cancel_booking",
    security(("bearer" = [])),
    params(
        ("booking_id" = String, Path, description = "The booking"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "It is given up", body = Cancelled),
        ReadProblems,
        WriteProblems,
    )
)]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    let by = match caller.role {
        Role::Admin => Canceller::House,
        Role::User | Role::Organizer => Canceller::Buyer(caller.user),
    };
    let command = CancelReservation { reservation: read_id(&id)?, by };
    act(&state, &attempt, command, |own| own.map(wire::cancelled).map_err(not_given_up)).await
}

/// At the door a used ticket clashes with its first use; here it is only one more reason why not.
fn not_given_up(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::TicketUsed { .. } => ApiError::bad_request(refusal.to_string()),
        other => other.into(),
    }
}
