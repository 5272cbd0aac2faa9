//! Bookings as they go over the wire.

use desk::Time;
use engine::catalogue::Event;
use engine::holds::{HeldItem, HeldSeat, Reservation, Standing, Tender};
use engine::id::TicketTypeId;
use engine::money::Won;
use engine::refusal::Refusal;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::money::{Amount, Price};
use crate::ticketing_pro::ApiError;
use crate::{clock, ids};

/// What is to be booked: seats, counted tickets or both.
#[derive(Deserialize, ToSchema)]
pub struct NewBooking {
    /// Of which event.
    #[schema(examples("evt_01j00000000000000000000000"))]
    pub event_id: String,
    /// The seats, `{section}-{row}-{number}`.
    #[serde(default, deserialize_with = "or_none")]
    #[schema(max_items = 4, examples(json!(["VIP-1-3", "VIP-1-4"])))]
    pub seat_ids: Vec<String>,
    /// Counted tickets.
    #[serde(default, deserialize_with = "or_none")]
    pub items: Vec<NewItem>,
    /// What the buyer believes it costs; refused when it is not the sum of the prices.
    pub total_amount: Option<Amount>,
}

/// A list; `null` says as little as leaving it out.
fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Counted tickets of one type.
#[derive(Deserialize, ToSchema)]
pub struct NewItem {
    /// The ticket type.
    pub ticket_type_id: String,
    /// How many.
    #[schema(value_type = u32)]
    pub quantity: i64,
}

/// A booking as it was just made.
#[derive(Serialize, ToSchema)]
pub struct Booking {
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
pub struct Item {
    ticket_type_id: String,
    name: String,
    quantity: u32,
    price: Price,
}

/// A booking in full.
#[derive(Serialize, ToSchema)]
pub struct BookingDetail {
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
pub struct BookedSeat {
    seat_id: String,
    section: String,
    row: String,
    number: String,
    price: Price,
}

/// A page of bookings, newest first.
#[derive(Serialize, ToSchema)]
pub struct BookingPage {
    pub bookings: Vec<BookingLine>,
    pub total: i64,
    pub page: u32,
    pub page_size: u32,
}

/// A booking in a list.
#[derive(Serialize, ToSchema)]
pub struct BookingLine {
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
pub struct ListQuery {
    /// `reserved`, `confirmed`, `cancelled` or `expired`.
    pub status: Option<String>,
    /// From 1 on.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// How many on a page; 20 when nobody says.
    #[param(minimum = 1, maximum = 100)]
    pub page_size: Option<u32>,
}

/// With what a booking was paid.
#[derive(Deserialize, ToSchema)]
pub struct Confirm {
    /// A payment intent that has succeeded.
    pub payment_intent_id: String,
}

/// A booking that is paid.
#[derive(Serialize, ToSchema)]
pub struct Confirmed {
    booking_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    confirmed_at: String,
    /// Where its ticket is.
    qr_code: String,
}

/// A booking that was given up.
#[derive(Serialize, ToSchema)]
pub struct Cancelled {
    booking_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    cancelled_at: String,
    /// What goes back to the buyer.
    refund_amount: Price,
    /// `processing`, `succeeded` where it is back in the wallet already, or `none` where nothing was paid.
    refund_status: &'static str,
}

/// Whether no more is wanted than one booking may have, seats and counted tickets together: who asks for more is told
/// that, whatever it is.
///
/// # Errors
/// [`Refusal::TooMany`]; that a quantity is below zero.
pub fn check_number(wanted: &NewBooking, most: u32) -> Result<(), ApiError> {
    if wanted.items.iter().any(|item| item.quantity < 0) {
        let issue = format!("items.quantity must be between 1 and {most}");
        return Err(ApiError::bad_request(issue).details(serde_json::json!({"field": "items.quantity"})));
    }
    let counted = wanted.items.iter().map(|item| item.quantity.unsigned_abs());
    let number = counted.fold(wanted.seat_ids.len() as u64, u64::saturating_add);
    if number > u64::from(most) { Err(Refusal::TooMany { limit: most }.into()) } else { Ok(()) }
}

/// The seats that labels or ids of seats name.
///
/// # Errors
/// [`Refusal::SeatUnknown`].
pub fn ordinals(event: &Event, labels: &[String]) -> Result<Vec<u32>, Refusal> {
    let layout = &event.offer.layout;
    let by_id = |label: &str| event.id.ordinal(ids::parse_uuid(label)?).filter(|own| *own < layout.total());
    let find = |label: &String| layout.find(label).or_else(|| by_id(label)).ok_or(Refusal::SeatUnknown);
    labels.iter().map(find).collect()
}

/// The ticket types that are named, and how many of each.
///
/// # Errors
/// [`Refusal::TicketTypeUnknown`].
pub fn counts(items: &[NewItem]) -> Result<Vec<(TicketTypeId, u32)>, Refusal> {
    let read = |item: &NewItem| {
        let ticket_type = ids::parse_ticket_type(&item.ticket_type_id).ok_or(Refusal::TicketTypeUnknown)?;
        // What is beyond all numbers is far too many.
        Ok((ticket_type, u32::try_from(item.quantity).unwrap_or(u32::MAX)))
    };
    items.iter().map(read).collect()
}

/// The total a client states.
///
/// # Errors
/// 400 when it is not whole.
pub fn stated(total: Option<Amount>) -> Result<Option<Won>, ApiError> {
    let whole =
        |amount: Amount| amount.won().ok_or_else(|| ApiError::bad_request("total_amount is not a whole amount"));
    total.map(whole).transpose()
}

/// What the engine calls a status of this dialect.
///
/// # Errors
/// 422 for any other word.
pub fn standing_word(status: &str) -> Result<&'static str, ApiError> {
    Ok(match status {
        "reserved" => "pending",
        "confirmed" => "confirmed",
        "cancelled" => "cancelled",
        "expired" => "expired",
        _ => return Err(ApiError::field("status", "must be reserved, confirmed, cancelled or expired")),
    })
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

/// A reservation as a booking.
pub fn booking(reservation: &Reservation, event: &Event, now: Time) -> Booking {
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

/// A reservation as a booking in full.
pub fn detail(reservation: &Reservation, event: &Event, intent: Option<String>, now: Time) -> BookingDetail {
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

/// A reservation as a line of a list.
pub fn line(reservation: &Reservation, event: &Event, now: Time) -> BookingLine {
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

/// What confirming a reservation answers.
pub fn confirmed(reservation: &Reservation, base_url: &str) -> Confirmed {
    let id = ids::booking(reservation.id);
    let at = match reservation.standing {
        Standing::Confirmed { at, .. } => at,
        _ => reservation.created_at,
    };
    let qr_code = format!("{base_url}/api/tickets/{id}/qr");
    Confirmed { booking_id: id, status: "confirmed", confirmed_at: clock::rfc3339(at), qr_code }
}

/// What giving a reservation up answers.
pub fn cancelled(reservation: &Reservation) -> Cancelled {
    let (at, refund, tender) = match reservation.standing {
        Standing::Cancelled { at, refund, tender } => (at, refund, tender),
        _ => (reservation.created_at, Won::ZERO, None),
    };
    let refund_status = match tender {
        _ if refund == Won::ZERO => "none",
        Some(Tender::Wallet(_)) => "succeeded",
        Some(Tender::Card(_)) | None => "processing",
    };
    Cancelled {
        booking_id: ids::booking(reservation.id),
        status: "cancelled",
        cancelled_at: clock::rfc3339(at),
        refund_amount: Price(refund),
        refund_status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    fn wanted(rest: &str) -> NewBooking {
        let body = format!(r#"{{"event_id":"evt_1"{rest}}}"#);
        body::parse(body.as_bytes()).expect(rest)
    }

    fn status(rest: &str) -> Option<u16> {
        check_number(&wanted(rest), 4).err().map(|error| error.status.as_u16())
    }

    #[test]
    fn a_list_that_is_null_is_a_list_left_out() {
        for rest in ["", r#","seat_ids":null"#, r#","items":null"#, r#","seat_ids":null,"items":null"#] {
            let wanted = wanted(rest);
            assert!(wanted.seat_ids.is_empty() && wanted.items.is_empty(), "{rest}");
        }
    }

    #[test]
    fn the_number_is_that_of_seats_and_tickets_together() {
        let item = |quantity: i64| format!(r#"{{"ticket_type_id":"t","quantity":{quantity}}}"#);
        assert_eq!(status(r#","seat_ids":["a","b","c","d"]"#), None);
        assert_eq!(status(r#","seat_ids":["a","b","c","d","e"]"#), Some(400));
        assert_eq!(status(&format!(r#","seat_ids":["a"],"items":[{}]"#, item(3))), None);
        assert_eq!(status(&format!(r#","seat_ids":["a"],"items":[{}]"#, item(4))), Some(400));
        assert_eq!(status(&format!(r#","items":[{0},{0},{0}]"#, item(i64::MAX))), Some(400));
        assert_eq!(status(&format!(r#","items":[{}]"#, item(-1))), Some(400));
    }
}
