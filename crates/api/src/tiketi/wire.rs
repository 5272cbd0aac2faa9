//! Ids, events, ticket types and seats as they go over the wire.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use engine::catalogue::{Event, Layout, SaleStage, TicketType};
use engine::id::{EventId, ReservationId, TicketTypeId};
use engine::refusal::Refusal;
use engine::seats::Stock;
use http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use super::errors::ApiError;
use crate::seat_pages::{StatusWords, natural};
use crate::state::AppState;
use crate::{clock, ids};

/// What this dialect calls the statuses of a seat.
pub const SEAT_WORDS: StatusWords = StatusWords { free: "available", held: "locked", sold: "reserved" };

/// A path's only part, of any form: what it has to be, the handler says.
pub struct Named(pub String);

impl FromRequestParts<AppState> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Path(text) = Path::from_request_parts(parts, state).await.map_err(|_| malformed_id())?;
        Ok(Self(text))
    }
}

fn malformed_id() -> ApiError {
    ApiError::malformed("ID 형식이 올바르지 않습니다.")
}

/// The id of an event, in either form.
///
/// # Errors
/// 400 for what is none.
pub fn event_id(text: &str) -> Result<EventId, ApiError> {
    ids::parse_event(text).ok_or_else(malformed_id)
}

/// The id of a ticket type, in either form.
///
/// # Errors
/// 400 for what is none.
pub fn ticket_type_id(text: &str) -> Result<TicketTypeId, ApiError> {
    ids::parse_ticket_type(text).ok_or_else(malformed_id)
}

/// The id of a reservation, in any of its forms.
///
/// # Errors
/// 400 for what is none.
pub fn reservation_id(text: &str) -> Result<ReservationId, ApiError> {
    ids::parse_booking(text).or_else(|| ids::parse_reservation(text)).ok_or_else(malformed_id)
}

/// The event with an id, unless the public does not see it.
///
/// # Errors
/// 400 for what is no id, 404 for what is no event.
pub async fn public_event(state: &AppState, text: &str) -> Result<Arc<Event>, ApiError> {
    seen(state, event_id(text)?).await
}

/// The event called so, if the public sees it.
///
/// # Errors
/// That there is none.
pub async fn seen(state: &AppState, id: EventId) -> Result<Arc<Event>, ApiError> {
    Ok(state.desk.public_event(id).await?.ok_or(Refusal::EventUnknown)?)
}

/// The word for where a sale stands.
#[must_use]
pub fn stage_word(stage: SaleStage) -> &'static str {
    match stage {
        SaleStage::Upcoming => "upcoming",
        SaleStage::OnSale => "on_sale",
        SaleStage::SoldOut => "sold_out",
        SaleStage::Ended => "ended",
        SaleStage::Cancelled => "cancelled",
    }
}

/// Where a sale stands, by its word.
///
/// # Errors
/// 400 for any other word.
pub fn stage(word: &str) -> Result<SaleStage, ApiError> {
    let found = SaleStage::ALL.into_iter().find(|stage| stage_word(*stage) == word);
    found.ok_or_else(|| {
        ApiError::malformed("status는 upcoming, on_sale, sold_out, ended, cancelled 중 하나여야 합니다.")
    })
}

/// An event.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    #[schema(format = "uuid")]
    id: String,
    title: String,
    description: String,
    artist_name: Option<String>,
    venue: String,
    address: String,
    #[schema(format = DateTime)]
    event_date: String,
    /// When the sale begins; for an event that names no moment, when it was made.
    #[schema(format = DateTime)]
    sale_start_date: String,
    /// When the sale ends; for an event that names no moment, when the event does.
    #[schema(format = DateTime)]
    sale_end_date: String,
    poster_image_url: Option<String>,
    /// `upcoming`, `on_sale`, `sold_out`, `ended` or `cancelled`.
    status: &'static str,
    /// In won.
    min_price: i64,
    /// In won.
    max_price: i64,
    ticket_type_count: usize,
    has_seats: bool,
}

impl EventBody {
    /// An event whose sale stands so.
    #[must_use]
    pub fn new(event: &Event, stage: SaleStage) -> Self {
        let billing = &event.billing;
        let window = event.sale_window();
        Self {
            id: ids::uuid(event.id.0),
            title: billing.title.clone(),
            description: billing.description.clone(),
            artist_name: billing.artist.clone(),
            venue: billing.venue.clone(),
            address: billing.address.clone().unwrap_or_else(|| billing.location.clone()),
            event_date: clock::rfc3339(billing.starts_at),
            sale_start_date: clock::rfc3339(window.from),
            sale_end_date: clock::rfc3339(window.until),
            poster_image_url: billing.image_url.clone(),
            status: stage_word(stage),
            min_price: event.offer.min_price.0,
            max_price: event.offer.max_price.0,
            ticket_type_count: event.offer.types.len(),
            has_seats: event.offer.layout.total() > 0,
        }
    }
}

/// A kind of ticket that is counted.
#[derive(Serialize, ToSchema)]
pub struct TicketTypeBody {
    #[schema(format = "uuid")]
    id: String,
    #[schema(examples("R석"))]
    name: String,
    /// In won.
    price: i64,
    available_quantity: u32,
    total_quantity: u32,
    description: Option<String>,
}

/// Ticket types with their stock, the dearest first.
#[must_use]
pub fn ticket_types(event: &Event, stocks: &[Stock]) -> Vec<TicketTypeBody> {
    let left = |id: TicketTypeId| stocks.iter().find(|stock| stock.ticket_type == id).map(Stock::left);
    let mut types: Vec<&TicketType> = event.offer.types.iter().collect();
    types.sort_by_key(|own| std::cmp::Reverse(own.price));
    let body = |own: &TicketType| TicketTypeBody {
        id: ids::uuid(own.id.0),
        name: own.name.clone(),
        price: own.price.0,
        available_quantity: left(own.id).unwrap_or(own.quantity),
        total_quantity: own.quantity,
        description: own.description.clone(),
    };
    types.into_iter().map(body).collect()
}

/// A seat as this dialect counts it.
#[derive(Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its place in the event.
    pub ordinal: u32,
    /// Its section.
    pub section: &'a str,
    /// Its row: what it is called where that is a number, else its place in the section, from one.
    pub row_number: u32,
    /// Its number in the row, likewise.
    pub seat_number: u32,
    /// Section and place in the section: `A-1`.
    pub label: String,
    /// In won.
    pub price: i64,
}

/// The seat at an offset of a row.
fn at(layout: &Layout, row: usize, offset: u32) -> Option<Place<'_>> {
    let own = &layout.rows()[row];
    let seat = layout.seat(layout.start(row) + offset)?;
    Some(Place {
        ordinal: seat.ordinal,
        section: &own.section,
        row_number: number(layout, row),
        seat_number: seat.number.parse().unwrap_or(offset + 1),
        label: format!("{}-{}", own.section, layout.before(row).seats + offset + 1),
        price: own.price.0,
    })
}

/// The number of a row.
fn number(layout: &Layout, row: usize) -> u32 {
    layout.rows()[row].label.parse().unwrap_or(layout.before(row).rows + 1)
}

/// The seat with an ordinal.
#[must_use]
pub fn place(layout: &Layout, ordinal: u32) -> Option<Place<'_>> {
    let row = layout.row_of(ordinal)?;
    at(layout, row, ordinal - layout.start(row))
}

/// All seats by section, row and number.
#[must_use]
pub fn places(layout: &Layout) -> Vec<Place<'_>> {
    let mut rows: Vec<usize> = (0..layout.rows().len()).collect();
    let key = |row: usize| (&layout.rows()[row].section, number(layout, row));
    rows.sort_by(|a, b| {
        let ((section, number), (other, other_number)) = (key(*a), key(*b));
        natural(section, other).then(section.cmp(other)).then(number.cmp(&other_number))
    });
    let mut seats = Vec::with_capacity(layout.total() as usize);
    for row in rows {
        let from = seats.len();
        let offsets = 0..layout.rows()[row].numbers.count();
        seats.extend(offsets.filter_map(|offset| at(layout, row, offset)));
        seats[from..].sort_by_key(|place: &Place<'_>| place.seat_number);
    }
    seats
}

/// How the seats of an event stand.
#[derive(Clone, Serialize, ToSchema)]
pub struct LayoutBody {
    /// The rows of all sections.
    pub rows: usize,
    /// The seats of the longest row.
    pub cols: u32,
    pub sections: Vec<SectionBody>,
}

/// A section of equal rows.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionBody {
    name: String,
    rows: u32,
    seats_per_row: u32,
    /// In won.
    price: i64,
    /// The number of its first row.
    start_row: u32,
}

impl LayoutBody {
    /// A layout, rows that are alike put together.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let mut sections: Vec<SectionBody> = Vec::new();
        for (index, row) in layout.rows().iter().enumerate() {
            let (seats_per_row, price, number) = (row.numbers.count(), row.price.0, number(layout, index));
            match sections.last_mut() {
                Some(last)
                    if last.name == row.section
                        && last.price == price
                        && last.seats_per_row == seats_per_row
                        && last.start_row + last.rows == number =>
                {
                    last.rows += 1;
                }
                _ => {
                    let name = row.section.clone();
                    sections.push(SectionBody { name, rows: 1, seats_per_row, price, start_row: number });
                }
            }
        }
        let cols = layout.rows().iter().map(|row| row.numbers.count()).max().unwrap_or(0);
        Self { rows: layout.rows().len(), cols, sections }
    }
}

#[cfg(test)]
mod tests {
    use engine::catalogue::layout::{Numbers, SeatRow, section};
    use engine::money::Won;

    use super::*;

    fn layout() -> Layout {
        let row = |section: &str, label: &str, numbers| SeatRow {
            section: section.to_owned(),
            label: label.to_owned(),
            price: Won(1_000),
            numbers,
        };
        let named = ["b".to_owned(), "7".to_owned()];
        let mut rows: Vec<SeatRow> = section("VIP", 5, 3, Won(9_000)).collect();
        rows.extend([row("A", "나", Numbers::Named(named.to_vec())), row("A", "3", Numbers::UpTo(1))]);
        Layout::new(rows).expect("a layout")
    }

    #[test]
    fn seats_come_by_section_row_and_number_with_labels_of_their_own() {
        let layout = layout();
        let sorted = places(&layout);
        let shown: Vec<_> =
            sorted.iter().map(|own| (own.label.as_str(), own.row_number, own.seat_number, own.ordinal)).collect();
        let vip = [("VIP-1", 1, 1, 0), ("VIP-2", 1, 2, 1), ("VIP-3", 1, 3, 2), ("VIP-4", 2, 1, 3), ("VIP-5", 2, 2, 4)];
        assert_eq!(shown[..3], [("A-1", 1, 1, 5), ("A-2", 1, 7, 6), ("A-3", 3, 1, 7)]);
        assert_eq!(shown[3..], vip);
        for own in &sorted {
            assert_eq!(place(&layout, own.ordinal).as_ref(), Some(own));
        }
        assert_eq!(place(&layout, 8), None);
    }

    #[test]
    fn rows_that_are_alike_are_one_section() {
        let body = LayoutBody::new(&Layout::new(section("R", 60, 20, Won(5)).collect()).expect("a layout"));
        assert_eq!((body.rows, body.cols, body.sections.len()), (3, 20, 1));
        let own = &body.sections[0];
        assert_eq!((own.rows, own.seats_per_row, own.start_row, own.price), (3, 20, 1, 5));
        assert_eq!(LayoutBody::new(&layout()).sections.len(), 4);
    }
}
