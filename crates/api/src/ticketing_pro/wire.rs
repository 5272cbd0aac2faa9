//! Events as they go over the wire.

use engine::catalogue::{Event, EventStatus, RoomPolicy};
use engine::id::TicketTypeId;
use engine::seats::Stock;
use engine::time::Span;
use serde::{Deserialize, Serialize};

use super::errors::ApiError;
use crate::money::Price;
use crate::{clock, ids};

/// An event in a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EventBody {
    #[schema(examples("evt_01h455vb4pex5vsknk084sn02q"))]
    event_id: String,
    title: String,
    description: String,
    category: String,
    venue: String,
    location: String,
    #[schema(format = DateTime)]
    start_date: String,
    #[schema(format = DateTime)]
    end_date: String,
    min_price: Price,
    max_price: Price,
    total_seats: u32,
    /// Live: held seats are not available.
    available_seats: u32,
    /// `draft`, `published` or `cancelled`.
    status: &'static str,
    image_url: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl EventBody {
    /// An event with so many free seats and tickets.
    pub fn new(event: &Event, available: u32) -> Self {
        let billing = &event.billing;
        Self {
            event_id: ids::event(event.id),
            title: billing.title.clone(),
            description: billing.description.clone(),
            category: billing.category.clone(),
            venue: billing.venue.clone(),
            location: billing.location.clone(),
            start_date: clock::rfc3339(billing.starts_at),
            end_date: clock::rfc3339(billing.ends_at),
            min_price: Price(event.offer.min_price),
            max_price: Price(event.offer.max_price),
            total_seats: event.offer.total(),
            available_seats: available,
            status: if event.status.is_off() { EventStatus::Cancelled } else { event.status }.word(),
            image_url: billing.image_url.clone(),
            created_at: clock::rfc3339(event.created_at),
        }
    }
}

/// All there is to know of an event.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EventDetail {
    #[serde(flatten)]
    event: EventBody,
    artist_name: Option<String>,
    address: Option<String>,
    #[schema(format = DateTime)]
    sale_start: Option<String>,
    #[schema(format = DateTime)]
    sale_end: Option<String>,
    organizer: OrganizerBody,
    tags: Vec<String>,
    ticket_types: Vec<TicketTypeBody>,
    max_per_user: Option<u32>,
    waiting_room: Option<RoomBody>,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl EventDetail {
    /// An event with so many free seats and tickets, and the stock of its ticket types.
    pub fn new(event: &Event, available: u32, stocks: &[Stock]) -> Self {
        let billing = &event.billing;
        let left = |id: TicketTypeId| stocks.iter().find(|stock| stock.ticket_type == id).map(Stock::left);
        let types = event.offer.types.iter().map(|own| TicketTypeBody {
            ticket_type_id: ids::ticket_type(own.id),
            name: own.name.clone(),
            price: Price(own.price),
            quantity: own.quantity,
            available: left(own.id).unwrap_or(own.quantity),
            description: own.description.clone(),
        });
        Self {
            event: EventBody::new(event, available),
            artist_name: billing.artist.clone(),
            address: billing.address.clone(),
            sale_start: billing.sale_opens.map(clock::rfc3339),
            sale_end: billing.sale_closes.map(clock::rfc3339),
            organizer: OrganizerBody {
                name: billing.organizer_name.clone(),
                contact: billing.organizer_contact.clone(),
            },
            tags: billing.tags.clone(),
            ticket_types: types.collect(),
            max_per_user: billing.max_per_user,
            waiting_room: billing.waiting_room.map(RoomBody::from),
            updated_at: clock::rfc3339(event.updated_at),
        }
    }
}

/// Who puts an event on.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrganizerBody {
    #[schema(examples("BigHit Entertainment"))]
    pub name: Option<String>,
    pub contact: Option<String>,
}

/// A kind of ticket that is counted, not numbered.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TicketTypeBody {
    #[schema(examples("tkt_01h455vb4pex5vsknk084sn02q"))]
    ticket_type_id: String,
    name: String,
    price: Price,
    quantity: u32,
    /// How many can be booked now.
    available: u32,
    description: Option<String>,
}

/// A waiting room of an event's own.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoomBody {
    /// How many may be inside at once.
    #[schema(value_type = u32)]
    capacity: i64,
    /// How long a pass lasts.
    #[schema(value_type = u32)]
    pass_seconds: i64,
}

impl From<RoomPolicy> for RoomBody {
    fn from(policy: RoomPolicy) -> Self {
        Self { capacity: policy.capacity.into(), pass_seconds: policy.pass.0 / 1_000_000 }
    }
}

impl RoomBody {
    /// The policy, if it lets anybody in.
    pub fn policy(&self) -> Result<RoomPolicy, ApiError> {
        let counts = |number: i64| u32::try_from(number).ok().filter(|own| *own > 0);
        let (Some(capacity), Some(seconds)) = (counts(self.capacity), counts(self.pass_seconds)) else {
            let issue = format!("capacity and pass_seconds must be between 1 and {}", u32::MAX);
            return Err(ApiError::field("waiting_room", issue));
        };
        Ok(RoomPolicy { capacity, pass: Span::seconds(seconds.into()) })
    }
}
