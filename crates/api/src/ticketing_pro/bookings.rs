//! Bookings: held, paid, given up, listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::{ReservationQuery, Time, Unavailable};
use engine::catalogue::Event;
use engine::holds::{
    CancelReservation, Canceller, HeldItem, HeldSeat, HoldRules, HoldSeats, Reservation, Standing, Tender,
};
use engine::id::{PaymentId, ReservationId, TicketTypeId, UserId};
use engine::money::Won;
use engine::payments::{ConfirmReservation, Payment, PaymentState, Settlement};
use engine::people::Role;
use engine::refusal::Refusal;
use engine::time::Span;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ErrorEnvelope, act, code, ok};
use crate::caller::Caller;
use crate::money::{Amount, Price};
use crate::once::{self, Bare, Posted};
use crate::query::{Page, Query};
use crate::state::AppState;
use crate::{clock, gateway, ids};

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

/// What is to be booked: seats, counted tickets or both.
#[derive(Deserialize, ToSchema)]
struct NewBooking {
    /// Of which event.
    #[schema(examples("evt_01j00000000000000000000000"))]
    event_id: String,
    /// The seats, `{section}-{row}-{number}`.
    #[serde(default)]
    #[schema(max_items = 4, examples(json!(["VIP-1-3", "VIP-1-4"])))]
    seat_ids: Vec<String>,
    /// Counted tickets.
    #[serde(default)]
    items: Vec<NewItem>,
    /// What the buyer believes it costs; refused when it is not the sum of the prices.
    total_amount: Option<Amount>,
}

/// Counted tickets of one type.
#[derive(Deserialize, ToSchema)]
struct NewItem {
    /// The ticket type.
    ticket_type_id: String,
    /// How many.
    quantity: u32,
}

/// A booking as it was just made.
#[derive(Serialize, ToSchema)]
struct Booking {
    booking_id: String,
    user_id: String,
    event_id: String,
    seat_ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
    /// `reserved`, `confirmed`, `cancelled` or `expired`.
    #[schema(examples("reserved"))]
    status: &'static str,
    total_amount: Price,
    #[schema(format = DateTime)]
    created_at: String,
    /// When the hold ends or ended; not of a confirmed or cancelled booking.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    reservation_id: String,
}

/// Counted tickets of a booking.
#[derive(Serialize, ToSchema)]
struct Item {
    ticket_type_id: String,
    name: String,
    quantity: u32,
    price: Price,
}

/// A booking in full.
#[derive(Serialize, ToSchema)]
struct BookingDetail {
    #[serde(flatten)]
    booking: Booking,
    event_title: String,
    seats: Vec<BookedSeat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_intent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    cancelled_at: Option<String>,
}

/// A seat of a booking.
#[derive(Serialize, ToSchema)]
struct BookedSeat {
    seat_id: String,
    section: String,
    row: String,
    number: String,
    price: Price,
}

/// A page of bookings, newest first.
#[derive(Serialize, ToSchema)]
struct BookingPage {
    bookings: Vec<BookingLine>,
    total: i64,
    page: u32,
    page_size: u32,
}

/// A booking in a list.
#[derive(Serialize, ToSchema)]
struct BookingLine {
    booking_id: String,
    event_id: String,
    event_title: String,
    #[schema(format = DateTime)]
    event_date: String,
    seat_count: u32,
    status: &'static str,
    total_amount: Price,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Which bookings to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `reserved`, `confirmed`, `cancelled` or `expired`.
    status: Option<String>,
    /// From 1 on.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// How many on a page; 20 when nobody says.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
}

/// With what a booking was paid.
#[derive(Deserialize, ToSchema)]
struct Confirm {
    /// A payment intent that has succeeded.
    payment_intent_id: String,
}

/// A booking that is paid.
#[derive(Serialize, ToSchema)]
struct Confirmed {
    booking_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    confirmed_at: String,
    /// Where its ticket is.
    qr_code: String,
}

/// A booking that was given up.
#[derive(Serialize, ToSchema)]
struct Cancelled {
    booking_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    cancelled_at: String,
    /// What goes back to the buyer.
    refund_amount: Price,
    /// `processing`, or `none` where nothing was paid.
    refund_status: &'static str,
}

/// Hold up to four seats or tickets for ten minutes.
#[utoipa::path(post, path = "/api/bookings", tag = "ticketing_pro", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewBooking,
    responses(
        (status = 200, description = "The seats are held", body = Booking),
        (status = 400, description = "Taken, too many, or another total", body = ErrorEnvelope),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "More than one person may have", body = ErrorEnvelope),
        (status = 404, description = "No such event, seat or ticket type", body = ErrorEnvelope),
    ))]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewBooking>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::from(Refusal::EventUnknown);
    let event = ids::parse_event(&body.event_id).ok_or_else(unknown)?;
    let event = state.desk.event(event).await?.ok_or_else(unknown)?;
    let command = HoldSeats {
        user: caller.user,
        event: event.id,
        seats: ordinals(&event, &body.seat_ids)?,
        items: counts(&body.items)?,
        stated_total: stated(body.total_amount)?,
        rules: HoldRules {
            span: Span::seconds(state.settings.ticketing_pro_hold_seconds),
            most: MOST,
            one_each: false,
        },
    };
    act(&state, &attempt, command, move |made| made.first().map(|own| booking(own, &event, own.created_at))).await
}

fn ordinals(event: &Event, labels: &[String]) -> Result<Vec<u32>, Refusal> {
    let layout = &event.offer.layout;
    let by_id = |label: &str| event.id.ordinal(ids::parse_uuid(label)?).filter(|own| *own < layout.total());
    let find = |label: &String| layout.find(label).or_else(|| by_id(label)).ok_or(Refusal::SeatUnknown);
    labels.iter().map(find).collect()
}

fn counts(items: &[NewItem]) -> Result<Vec<(TicketTypeId, u32)>, Refusal> {
    let read = |item: &NewItem| {
        let ticket_type = ids::parse_ticket_type(&item.ticket_type_id).ok_or(Refusal::TicketTypeUnknown)?;
        Ok((ticket_type, item.quantity))
    };
    items.iter().map(read).collect()
}

fn stated(total: Option<Amount>) -> Result<Option<Won>, ApiError> {
    let whole =
        |amount: Amount| amount.won().ok_or_else(|| ApiError::bad_request("total_amount is not a whole amount"));
    total.map(whole).transpose()
}

/// One booking. Its owner's and admins' to see.
#[utoipa::path(get, path = "/api/bookings/{booking_id}", tag = "ticketing_pro", security(("bearer" = [])),
    params(("booking_id" = String, Path, description = "The booking")),
    responses(
        (status = 200, description = "The booking", body = BookingDetail),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such booking", body = ErrorEnvelope),
    ))]
async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BookingDetail>, ApiError> {
    let reservation = owned(&state, &caller, &id).await?;
    let event = state.desk.event(reservation.event).await?.ok_or(Refusal::EventUnknown)?;
    let intent = intent_of(&state, &reservation).await?;
    Ok(Json(detail(&reservation, &event, intent, state.desk.now())))
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
        _ => reservation.payment,
    };
    match paid_by {
        Some(id) => Ok(state.desk.payment(id).await?.as_ref().map(gateway::shown)),
        None => Ok(None),
    }
}

/// A person's bookings, newest first. The person's own and admins' to see.
#[utoipa::path(get, path = "/api/bookings/user/{user_id}", tag = "ticketing_pro", security(("bearer" = [])),
    params(("user_id" = String, Path, description = "Whose"), ListQuery),
    responses(
        (status = 200, description = "A page of bookings", body = BookingPage),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 422, description = "A query value is not allowed", body = ErrorEnvelope),
    ))]
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
    list(&state, user.ok_or(Refusal::UserUnknown)?, query).await.map(Json)
}

/// The caller's own bookings, newest first.
#[utoipa::path(get, path = "/api/bookings/my", tag = "ticketing_pro", security(("bearer" = [])),
    params(ListQuery),
    responses(
        (status = 200, description = "A page of bookings", body = BookingPage),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 422, description = "A query value is not allowed", body = ErrorEnvelope),
    ))]
async fn mine(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<BookingPage>, ApiError> {
    list(&state, caller.user, query).await.map(Json)
}

async fn list(state: &AppState, user: UserId, query: ListQuery) -> Result<BookingPage, ApiError> {
    let page = Page::of(query.page, query.page_size)?;
    let standing = query.status.as_deref().map(standing_word).transpose()?;
    let asked = ReservationQuery { user, standing, offset: page.offset(), limit: i64::from(page.size) };
    let (found, total) = state.desk.reservations(asked).await?;
    let mut bookings = Vec::with_capacity(found.len());
    for reservation in &found {
        let event = state.desk.event(reservation.event).await?.ok_or(Refusal::EventUnknown)?;
        bookings.push(line(reservation, &event, state.desk.now()));
    }
    Ok(BookingPage { bookings, total, page: page.page, page_size: page.size })
}

/// What the engine calls a status of this dialect.
fn standing_word(status: &str) -> Result<&'static str, ApiError> {
    Ok(match status {
        "reserved" => "pending",
        "confirmed" => "confirmed",
        "cancelled" => "cancelled",
        "expired" => "expired",
        _ => return Err(ApiError::field("status", "must be reserved, confirmed, cancelled or expired")),
    })
}

/// Confirm a booking with a payment that has succeeded. Asking again gives the same answer.
#[utoipa::path(post, path = "/api/bookings/{booking_id}/confirm", tag = "ticketing_pro", security(("bearer" = [])),
    params(
        ("booking_id" = String, Path, description = "The booking"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    request_body = Confirm,
    responses(
        (status = 200, description = "It is confirmed", body = Confirmed),
        (status = 400, description = "Not paid (PAYMENT_FAILED) or lapsed (BOOKING_EXPIRED)", body = ErrorEnvelope),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such booking", body = ErrorEnvelope),
    ))]
async fn confirm(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Posted { body, attempt }: Posted<Confirm>,
) -> Result<Response, ApiError> {
    let reservation = read_id(&id)?;
    let payment = gateway::find(&state, &body.payment_intent_id).await?;
    if let Some(payment) = payment.as_ref().filter(|own| own.user == caller.user) {
        catch_up(&state, payment).await;
    }
    // No payment has the id zero: the engine then says what it says of any that does not fit.
    let payment = payment.map_or(PaymentId(0), |own| own.id);
    let command = ConfirmReservation { user: caller.user, reservation, payment };
    let (base_url, path, at) = (state.settings.base_url.clone(), attempt.path.clone(), state.desk.now());
    let render = move |verdict: Result<&Settlement, &Refusal>| match verdict {
        Ok(Settlement::Confirmed(own)) => ok(&confirmed(own, &base_url)),
        Ok(Settlement::Returned(_)) => returned().answer(&path, at),
        Err(refusal) => ApiError::from(refusal).answer(&path, at),
    };
    Ok(once::run(&state, &attempt, command, render).await?)
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

fn returned() -> ApiError {
    let message = "The hold has lapsed and its seats went to others: the payment is refunded";
    ApiError::new(StatusCode::BAD_REQUEST, code::BOOKING_EXPIRED, message)
}

/// Give a booking up. What was paid goes back the way it came.
#[utoipa::path(post, path = "/api/bookings/{booking_id}/cancel", tag = "ticketing_pro", security(("bearer" = [])),
    params(
        ("booking_id" = String, Path, description = "The booking"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "It is given up", body = Cancelled),
        (status = 400, description = "Given up before, or lapsed", body = ErrorEnvelope),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such booking", body = ErrorEnvelope),
        (status = 409, description = "Its ticket was used", body = ErrorEnvelope),
    ))]
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
    act(&state, &attempt, CancelReservation { reservation: read_id(&id)?, by }, cancelled).await
}

/// The word of this dialect for where a reservation stands. A lapsed hold reads as expired at once.
fn status(reservation: &Reservation, now: Time) -> &'static str {
    match reservation.standing {
        Standing::Pending { until } if until > now => "reserved",
        Standing::Pending { .. } | Standing::Expired { .. } => "expired",
        Standing::Confirmed { .. } => "confirmed",
        Standing::Cancelled { .. } => "cancelled",
    }
}

fn booking(reservation: &Reservation, event: &Event, now: Time) -> Booking {
    let layout = &event.offer.layout;
    let label = |held: &HeldSeat| layout.seat(held.ordinal).map(|seat| seat.label());
    let status = status(reservation, now);
    Booking {
        booking_id: ids::booking(reservation.id),
        user_id: ids::user(reservation.user),
        event_id: ids::event(reservation.event),
        seat_ids: reservation.seats.iter().filter_map(label).collect(),
        items: reservation.items.iter().map(|held| item(held, event)).collect(),
        status,
        total_amount: Price(reservation.total),
        created_at: clock::rfc3339(reservation.created_at),
        expires_at: matches!(status, "reserved" | "expired").then(|| clock::rfc3339(reservation.expires_at)),
        reservation_id: ids::reservation(reservation.id),
    }
}

fn item(held: &HeldItem, event: &Event) -> Item {
    Item {
        ticket_type_id: ids::ticket_type(held.ticket_type),
        name: event.ticket_type(held.ticket_type).map(|own| own.name.clone()).unwrap_or_default(),
        quantity: held.quantity,
        price: Price(held.price),
    }
}

fn detail(reservation: &Reservation, event: &Event, intent: Option<String>, now: Time) -> BookingDetail {
    let seat = |held: &HeldSeat| {
        let seat = event.offer.layout.seat(held.ordinal)?;
        Some(BookedSeat {
            seat_id: seat.label(),
            section: seat.section.to_owned(),
            row: seat.row.to_owned(),
            number: seat.number.into_owned(),
            price: Price(held.price),
        })
    };
    let (confirmed_at, cancelled_at) = match reservation.standing {
        Standing::Confirmed { at, .. } => (Some(at), None),
        Standing::Cancelled { at, .. } => (None, Some(at)),
        Standing::Pending { .. } | Standing::Expired { .. } => (None, None),
    };
    BookingDetail {
        booking: booking(reservation, event, now),
        event_title: event.billing.title.clone(),
        seats: reservation.seats.iter().filter_map(seat).collect(),
        payment_intent_id: intent,
        confirmed_at: confirmed_at.map(clock::rfc3339),
        cancelled_at: cancelled_at.map(clock::rfc3339),
    }
}

fn line(reservation: &Reservation, event: &Arc<Event>, now: Time) -> BookingLine {
    BookingLine {
        booking_id: ids::booking(reservation.id),
        event_id: ids::event(reservation.event),
        event_title: event.billing.title.clone(),
        event_date: clock::rfc3339(event.billing.starts_at),
        seat_count: reservation.count(),
        status: status(reservation, now),
        total_amount: Price(reservation.total),
        created_at: clock::rfc3339(reservation.created_at),
    }
}

fn confirmed(reservation: &Reservation, base_url: &str) -> Confirmed {
    let id = ids::booking(reservation.id);
    let at = match reservation.standing {
        Standing::Confirmed { at, .. } => at,
        _ => reservation.created_at,
    };
    let qr_code = format!("{base_url}/api/tickets/{id}/qr");
    Confirmed { booking_id: id, status: "confirmed", confirmed_at: clock::rfc3339(at), qr_code }
}

fn cancelled(reservation: &Reservation) -> Cancelled {
    let (at, refund) = match reservation.standing {
        Standing::Cancelled { at, refund, .. } => (at, refund),
        _ => (reservation.created_at, Won::ZERO),
    };
    Cancelled {
        booking_id: ids::booking(reservation.id),
        status: "cancelled",
        cancelled_at: clock::rfc3339(at),
        refund_amount: Price(refund),
        refund_status: if refund > Won::ZERO { "processing" } else { "none" },
    }
}
