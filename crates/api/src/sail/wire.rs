//! Values as they go over the wire.

use std::collections::HashSet;
use std::hash::Hash;

use engine::catalogue::Event;
use engine::holds::{Reservation, Standing};
use engine::id::{EventId, ReservationId};
use engine::seats::SeatStatus;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::errors::ApiError;
use crate::query::{Page, Paging};
use crate::{clock, ids};

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// From 1 on.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// How many on a page; 50 when nobody says.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl PageQuery {
    /// The page that is asked for.
    pub fn page(&self) -> Result<Page, ApiError> {
        Ok(Paging { size: "limit", usual: 50, most: 200 }.page(self.page, self.limit)?)
    }
}

/// Where in a list a page is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    current_page: u32,
    total_pages: i64,
    total_items: i64,
    items_per_page: u32,
}

impl Pagination {
    /// A page among so many items.
    pub fn of(page: Page, total: i64) -> Self {
        Self { current_page: page.page, total_pages: page.pages(total), total_items: total, items_per_page: page.size }
    }
}

/// Reads a concert's id.
pub fn concert_id(text: &str) -> Result<EventId, ApiError> {
    ids::parse_event(text).ok_or(ApiError::bad_request("concertId: is no id"))
}

/// Things that are named once each.
pub fn distinct<T: Eq + Hash>(field: &str, things: Vec<T>) -> Result<Vec<T>, ApiError> {
    let mut seen = HashSet::new();
    let distinct = things.iter().all(|thing| seen.insert(thing));
    match distinct {
        true => Ok(things),
        false => Err(ApiError::bad_request(format!("{field}: something in it is there twice"))),
    }
}

/// Reads a reservation's id.
pub fn reservation_id(text: &str) -> Result<ReservationId, ApiError> {
    let read = ids::parse_reservation(text).or_else(|| ids::parse_booking(text));
    read.ok_or(ApiError::bad_request("reservationIds: something in it is no id"))
}

/// The word for what a seat is.
pub fn seat_word(status: SeatStatus) -> &'static str {
    match status {
        SeatStatus::Free => "AVAILABLE",
        SeatStatus::Held => "RESERVED",
        SeatStatus::Sold => "SOLD",
    }
}

/// The word for where a reservation stands. One whose time has passed is cancelled, noticed or not.
pub fn standing_word(own: &Reservation, now: desk::Time) -> &'static str {
    match own.standing {
        Standing::Pending { until } if until > now => "PENDING",
        Standing::Confirmed { .. } => "CONFIRMED",
        Standing::Pending { .. } | Standing::Cancelled { .. } | Standing::Expired { .. } => "CANCELLED",
    }
}

/// What a seat is called: `A1`, and where its section has several rows `A2-1`, the row before the number.
pub fn seat_number(event: &Event, ordinal: u32) -> String {
    let layout = &event.offer.layout;
    match layout.seat(ordinal) {
        Some(seat) if layout.rows_of(seat.section) > 1 => format!("{}{}-{}", seat.section, seat.row, seat.number),
        Some(seat) => format!("{}{}", seat.section, seat.number),
        None => String::new(),
    }
}

/// A seat that was just reserved.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservedSeat {
    #[schema(format = "uuid")]
    id: String,
    #[schema(format = "uuid")]
    seat_id: String,
    #[schema(examples("PENDING"))]
    status: &'static str,
    #[schema(format = DateTime)]
    expires_at: String,
}

impl ReservedSeat {
    /// A reservation of one seat, as it was made.
    pub fn of(own: &Reservation) -> Self {
        let ordinal = own.seats.first().map_or(0, |seat| seat.ordinal);
        Self {
            id: ids::uuid(own.id.0),
            seat_id: ids::uuid(own.event.seat(ordinal)),
            status: standing_word(own, own.created_at),
            expires_at: clock::rfc3339(own.expires_at),
        }
    }
}

/// One of the caller's reservations.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnReservation {
    #[schema(format = "uuid")]
    id: String,
    concert_name: String,
    /// The seat; of a reservation made through another interface its seats and tickets, with commas.
    #[schema(examples("A1"))]
    seat_number: String,
    /// `PENDING`, `CONFIRMED` or `CANCELLED`.
    #[schema(examples("CONFIRMED"))]
    status: &'static str,
    #[schema(format = DateTime)]
    reserved_at: String,
}

impl OwnReservation {
    /// A reservation of an event.
    pub fn of(own: &Reservation, event: &Event, now: desk::Time) -> Self {
        let seats = own.seats.iter().map(|seat| seat_number(event, seat.ordinal));
        let items = own.items.iter().filter_map(|item| {
            let name = &event.ticket_type(item.ticket_type)?.name;
            Some(format!("{name} × {}", item.quantity))
        });
        Self {
            id: ids::uuid(own.id.0),
            concert_name: event.billing.title.clone(),
            seat_number: seats.chain(items).collect::<Vec<_>>().join(", "),
            status: standing_word(own, now),
            reserved_at: clock::rfc3339(own.created_at),
        }
    }
}
