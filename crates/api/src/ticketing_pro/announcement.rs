//! What happened to a booking, as webhooks and streams tell it.

use desk::{Entry, Happened, Stage};
use engine::catalogue::Event;
use engine::webhooks::Kind;
use serde::Serialize;

use crate::money::Price;
use crate::{clock, ids};

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Of what.
    pub kind: Kind,
    /// `booking.created` and the like.
    pub name: String,
    /// The JSON.
    pub body: String,
}

/// An event of a booking.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct BookingEvent {
    /// Always the same for the same thing.
    #[schema(examples("bev_1042"))]
    id: String,
    /// `booking.created`, `booking.confirmed`, `booking.cancelled` or `booking.expired`.
    #[serde(rename = "type")]
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    data: BookingTold,
}

/// What is told of a booking.
#[derive(Serialize, utoipa::ToSchema)]
struct BookingTold {
    booking_id: String,
    event_id: String,
    user_id: String,
    /// `reserved`, `confirmed`, `cancelled` or `expired`.
    status: &'static str,
    seat_ids: Vec<String>,
    items: Vec<ItemTold>,
    total_amount: Price,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Counted tickets of a booking.
#[derive(Serialize, utoipa::ToSchema)]
struct ItemTold {
    ticket_type_id: String,
    quantity: u32,
}

/// What an entry of the stream tells of a booking; `None` where it is about something else.
#[must_use]
pub fn announce(entry: &Entry, event: &Event) -> Option<Announcement> {
    let Happened::Reservation(told) = &entry.happened else { return None };
    let (kind, status) = match told.stage {
        Stage::Held => (Kind::Created, "reserved"),
        Stage::Confirmed => (Kind::Confirmed, "confirmed"),
        Stage::Cancelled => (Kind::Cancelled, "cancelled"),
        Stage::Expired => (Kind::Expired, "expired"),
    };
    let name = format!("booking.{}", kind.word());
    let label = |ordinal| event.offer.layout.seat(ordinal).map(|seat| seat.label());
    let item = |(ticket_type, quantity): &(_, u32)| ItemTold {
        ticket_type_id: ids::ticket_type(*ticket_type),
        quantity: *quantity,
    };
    let data = BookingTold {
        booking_id: ids::booking(told.reservation),
        event_id: ids::event(entry.event),
        user_id: ids::user(told.user),
        status,
        seat_ids: told.seats.iter().filter_map(|seat| label(seat.ordinal)).collect(),
        items: told.items.iter().map(item).collect(),
        total_amount: Price(told.total),
        expires_at: clock::rfc3339(told.expires_at),
    };
    let id = format!("bev_{}", entry.position);
    let event = BookingEvent { id, name: name.clone(), created_at: clock::rfc3339(entry.at), data };
    Some(Announcement { kind, name, body: serde_json::to_string(&event).ok()? })
}
