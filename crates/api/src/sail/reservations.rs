//! Seats: when there are any, which there are, and holding them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::{EventQuery, ReservationQuery, Span};
use engine::catalogue::{Event, EventStatus};
use engine::holds::{HoldRules, HoldSeats};
use engine::id::EventId;
use engine::refusal::Refusal;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use super::errors::{ApiError, Forbidden, Problems, Unknown, WriteProblems};
use super::wire::{self, OwnReservation, PageQuery, Pagination, ReservedSeat};
use crate::caller::Caller;
use crate::dialects::Dialect;
use crate::once::{self, Posted};
use crate::problem::act;
use crate::query::Query;
use crate::state::AppState;
use crate::{calendar, clock, ids, queues};

/// The most seats of one request.
const MOST: u32 = 10;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(dates))
        .routes(routes!(seats))
        .routes(routes!(reserve))
        .routes(routes!(mine))
}

/// The published concert with an id.
pub(super) async fn concert(state: &AppState, id: EventId) -> Result<Arc<Event>, ApiError> {
    let event = state.desk.public_event(id).await?.filter(|event| event.status == EventStatus::Published);
    Ok(event.ok_or(Refusal::EventUnknown)?)
}

/// The dates on which seats are left.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct AvailableDates {
    available_dates: Vec<AvailableDate>,
}

/// A concert of which seats are left.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct AvailableDate {
    #[schema(format = Date, examples("2024-07-15"))]
    date: String,
    #[schema(format = "uuid")]
    concert_id: String,
    name: String,
}

/// Concerts from today on with at least one free seat, by date and name.
#[utoipa::path(
    get, path = "/reservation/available-dates", operation_id = "available_dates",
    security(("bearer" = [])),
    responses((status = 200, description = "The dates", body = AvailableDates), Problems)
)]
async fn dates(State(state): State<AppState>, _: Caller) -> Result<Json<AvailableDates>, ApiError> {
    let zone = &state.settings.zone;
    let today = calendar::start_of_day(state.desk.now(), zone);
    let (events, _) = state.desk.events(EventQuery { starts_from: Some(today), ..EventQuery::published() }).await?;
    let mut available_dates = Vec::new();
    for event in events {
        if state.desk.free_seats(&event).await? > 0 {
            available_dates.push(AvailableDate {
                date: calendar::date_of(event.billing.starts_at, zone).to_string(),
                concert_id: ids::uuid(event.id.0),
                name: event.billing.title.clone(),
            });
        }
    }
    available_dates.sort_by(|a, b| (&a.date, &a.name).cmp(&(&b.date, &b.name)));
    Ok(Json(AvailableDates { available_dates }))
}

/// A page of a concert's seats.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct SeatPage {
    seats: Vec<SeatLine>,
    pagination: Pagination,
    concert_info: ConcertInfo,
}

/// A seat.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatLine {
    #[schema(format = "uuid")]
    id: String,
    #[schema(examples("A1"))]
    number: String,
    /// `AVAILABLE`, `RESERVED` or `SOLD`.
    #[schema(examples("AVAILABLE"))]
    status: &'static str,
    #[schema(examples(50000))]
    price: i64,
}

/// What a page of seats belongs to.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConcertInfo {
    #[schema(format = "uuid")]
    id: String,
    name: String,
    #[schema(format = DateTime)]
    event_at: String,
    total_seat_count: u32,
    available_seat_count: u32,
}

/// The seats of a concert, in the order in which they stand.
#[utoipa::path(
    get, path = "/reservation/{concertId}/seats", security(("bearer" = [])),
    params(("concertId" = String, Path, description = "The concert"), PageQuery),
    responses((status = 200, description = "A page of seats", body = SeatPage), Problems, Unknown)
)]
async fn seats(
    State(state): State<AppState>,
    _: Caller,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<SeatPage>, ApiError> {
    let (page, id) = (query.page()?, wire::concert_id(&id)?);
    let event = concert(&state, id).await?;
    let layout = &event.offer.layout;
    let first = u32::try_from(page.offset()).unwrap_or(u32::MAX);
    let stretch = state.desk.seat_stretch(&event, first, page.size).await?;
    let seats = stretch.statuses.iter().zip(first..).map(|(status, ordinal)| SeatLine {
        id: ids::uuid(event.id.seat(ordinal)),
        number: wire::seat_number(&event, ordinal),
        status: wire::seat_word(*status),
        price: layout.seat(ordinal).map_or(0, |seat| seat.price.0),
    });
    Ok(Json(SeatPage {
        seats: seats.collect(),
        pagination: Pagination::of(page, i64::from(layout.total())),
        concert_info: ConcertInfo {
            id: ids::uuid(event.id.0),
            name: event.billing.title.clone(),
            event_at: clock::rfc3339(event.billing.starts_at),
            total_seat_count: layout.total(),
            available_seat_count: stretch.free,
        },
    }))
}

/// Seats to reserve.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Wish {
    #[schema(format = "uuid")]
    concert_id: String,
    /// Ids, or names as the house has them (`A-1-7`); none twice.
    #[schema(min_items = 1, max_items = 10)]
    seat_ids: Vec<String>,
}

impl Wish {
    /// The concert and the seats, read.
    fn read(&self) -> Result<(EventId, Vec<SeatName>), ApiError> {
        let event = wire::concert_id(&self.concert_id)?;
        if self.seat_ids.is_empty() || self.seat_ids.len() > MOST as usize {
            return Err(ApiError::bad_request("seatIds: must be 1 to 10"));
        }
        let seats: Option<Vec<SeatName>> = self.seat_ids.iter().map(|id| SeatName::read(id)).collect();
        let seats = seats.ok_or(ApiError::bad_request("seatIds: something in it is no id"))?;
        Ok((event, wire::distinct("seatIds", seats)?))
    }
}

/// What a seat is called.
#[derive(Clone, PartialEq, Eq, Hash)]
enum SeatName {
    Id(u128),
    /// As the house calls it: `A-1-7`.
    Label(String),
}

impl SeatName {
    fn read(text: &str) -> Option<Self> {
        let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
        let mut parts = text.rsplitn(3, '-');
        let label = number(parts.next()) && number(parts.next()) && parts.next().is_some();
        ids::parse_uuid(text).map(Self::Id).or_else(|| label.then(|| Self::Label(text.to_owned())))
    }

    /// Which seat of an event it is.
    fn of(&self, event: &Event) -> Option<u32> {
        match self {
            Self::Id(id) => event.id.ordinal(*id),
            Self::Label(label) => event.offer.layout.find(label),
        }
    }
}

/// Seats that were reserved.
#[derive(Serialize, utoipa::ToSchema)]
struct ReservedSeats {
    /// One per seat, in the order they were asked for.
    reservations: Vec<ReservedSeat>,
}

/// Reserves seats, all or none, for those inside the concert's queue. They are held for five minutes.
#[utoipa::path(
    post, path = "/reservation/seat", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = Wish,
    responses(
        (status = 201, description = "The seats are held", body = ReservedSeats),
        (status = 410, description = "The concert is no longer sold", body = super::errors::ErrorBody),
        Problems, Forbidden, Unknown, WriteProblems,
    )
)]
async fn reserve(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<Wish>,
) -> Result<Response, ApiError> {
    let (id, seats) = body.read()?;
    // Before anything is looked at: it may have changed when the same request comes again.
    if let Some(answer) = once::replayed(&state, &attempt).await? {
        return Ok(answer);
    }
    let event = concert(&state, id).await?;
    queues::admit(&state, Door::Sail, event.id, caller.user).await?;
    let ordinals: Option<Vec<u32>> = seats.iter().map(|seat| seat.of(&event)).collect();
    let command = HoldSeats {
        user: caller.user,
        event: event.id,
        seats: ordinals.ok_or(Refusal::SeatUnknown)?,
        items: Vec::new(),
        stated_total: None,
        rules: HoldRules {
            span: Span::seconds(state.settings.of(Dialect::Sail).hold_seconds),
            most: MOST,
            one_each: true,
            alone: false,
        },
    };
    act(&state, &attempt, command, StatusCode::CREATED, move |made| {
        let made = made.map_err(|refusal| refused(refusal, &event))?;
        Ok(ReservedSeats { reservations: made.iter().map(ReservedSeat::of).collect() })
    })
    .await
}

/// A refusal, which names a seat as it is called here.
fn refused(refusal: &Refusal, event: &Event) -> ApiError {
    let Refusal::SeatTaken { label } = refusal else { return refusal.into() };
    let own = event.offer.layout.find(label).map(|ordinal| wire::seat_number(event, ordinal));
    ApiError::from(&Refusal::SeatTaken { label: own.unwrap_or_else(|| label.clone()) })
}

/// A page of the caller's reservations.
#[derive(Serialize, utoipa::ToSchema)]
struct OwnPage {
    reservations: Vec<OwnReservation>,
    pagination: Pagination,
}

/// The caller's own reservations, newest first.
#[utoipa::path(
    get, path = "/reservation", operation_id = "reservations", security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of reservations", body = OwnPage), Problems)
)]
async fn mine(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<OwnPage>, ApiError> {
    let page = query.page()?;
    let (offset, limit) = (page.offset(), i64::from(page.size));
    let asked = ReservationQuery { user: caller.user, standing: None, offset, limit };
    let (found, total) = state.desk.reservations(asked).await?;
    let mut reservations = Vec::with_capacity(found.len());
    for own in &found {
        let event = state.desk.event(own.event).await?.ok_or(Refusal::EventUnknown)?;
        reservations.push(OwnReservation::of(own, &event, state.desk.now()));
    }
    Ok(Json(OwnPage { reservations, pagination: Pagination::of(page, total) }))
}
