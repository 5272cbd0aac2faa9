//! Reservations as they go over the wire.

use desk::Time;
use engine::catalogue::Event;
use engine::holds::{HeldItem, HeldSeat, Reservation, Standing};
use engine::id::{ReservationId, TicketTypeId};
use engine::payments::Payment;
use engine::seats::SeatStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::errors::ApiError;
use super::super::events::Pagination;
use super::super::wire::{SEAT_WORDS, place};
use super::ticket_type_id;
use crate::{clock, ids};

/// `TK` and the reservation's id in base 36: unique because that is.
#[must_use]
pub fn number(id: ReservationId) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let (mut rest, mut digits) = (id.0, Vec::with_capacity(25));
    while rest > 0 || digits.len() < 12 {
        digits.push(char::from(DIGITS[(rest % 36) as usize]));
        rest /= 36;
    }
    "TK".chars().chain(digits.into_iter().rev()).collect()
}

/// Counted tickets that somebody wants.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewReservation {
    /// Of which event.
    pub event_id: String,
    #[schema(min_items = 1)]
    items: Vec<NewItem>,
}

/// Counted tickets of one type.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewItem {
    ticket_type_id: String,
    #[schema(minimum = 1, maximum = 10)]
    quantity: u32,
}

impl NewReservation {
    /// The ticket types, and how many of each.
    ///
    /// # Errors
    /// 400 for what is no id.
    pub fn counts(&self) -> Result<Vec<(TicketTypeId, u32)>, ApiError> {
        self.items.iter().map(|item| Ok((ticket_type_id(&item.ticket_type_id)?, item.quantity))).collect()
    }
}

/// Which of one's reservations to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    pub limit: Option<u32>,
}

/// A reservation as it was just made.
#[derive(Serialize, ToSchema)]
pub struct Made {
    #[schema(examples("예매가 완료되었습니다."))]
    message: &'static str,
    reservation: MadeReservation,
}

/// What matters of a reservation that was just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MadeReservation {
    #[schema(format = "uuid")]
    id: String,
    #[schema(examples("TK123456789ABC"))]
    reservation_number: String,
    /// In won.
    total_amount: i64,
    #[schema(format = DateTime)]
    expires_at: String,
}

impl MadeReservation {
    fn new(own: &Reservation) -> Self {
        Self {
            id: ids::uuid(own.id.0),
            reservation_number: number(own.id),
            total_amount: own.total.0,
            expires_at: clock::rfc3339(own.expires_at),
        }
    }
}

/// What making a reservation of counted tickets answers.
#[must_use]
pub fn made(own: &Reservation) -> Made {
    Made { message: "예매가 완료되었습니다.", reservation: MadeReservation::new(own) }
}

/// A reservation of seats as it was just made.
#[derive(Serialize, ToSchema)]
pub struct SeatReservation {
    #[serde(flatten)]
    made: MadeReservation,
    seats: Vec<HeldSeatBody>,
}

/// A seat of a reservation.
#[derive(Serialize, ToSchema)]
pub struct HeldSeatBody {
    #[schema(format = "uuid")]
    id: String,
    seat_label: String,
    section: String,
    row_number: u32,
    seat_number: u32,
    /// In won.
    price: i64,
    /// `locked`; once paid `reserved`, once over `available`.
    status: &'static str,
}

fn seats(own: &Reservation, event: &Event, now: Time) -> Vec<HeldSeatBody> {
    let status = SEAT_WORDS.of(SeatStatus::at(own.claimed_until(), now));
    let body = |held: &HeldSeat| {
        let seat = place(&event.offer.layout, held.ordinal)?;
        Some(HeldSeatBody {
            id: ids::uuid(event.id.seat(held.ordinal)),
            seat_label: seat.label,
            section: seat.section.to_owned(),
            row_number: seat.row_number,
            seat_number: seat.seat_number,
            price: held.price.0,
            status,
        })
    };
    own.seats.iter().filter_map(body).collect()
}

/// A reservation of seats as it was just made.
#[must_use]
pub fn seat_reservation(own: &Reservation, event: &Event) -> SeatReservation {
    SeatReservation { made: MadeReservation::new(own), seats: seats(own, event, own.created_at) }
}

/// An event's id and title.
#[derive(Serialize, ToSchema)]
pub struct Titled {
    #[schema(format = "uuid")]
    id: String,
    title: String,
}

impl Titled {
    /// Of an event.
    #[must_use]
    pub fn new(event: &Event) -> Self {
        Self { id: ids::uuid(event.id.0), title: event.billing.title.clone() }
    }
}

/// A reservation of seats with its event.
#[derive(Serialize, ToSchema)]
pub struct SeatReservationDetail {
    #[serde(flatten)]
    reservation: SeatReservation,
    /// `pending`, `confirmed`, `cancelled` or `expired`.
    status: &'static str,
    /// `pending`, `completed`, `failed` or `refunded`.
    #[serde(rename = "paymentStatus")]
    payment_status: &'static str,
    event: BookedEvent,
}

/// The event of a reservation.
#[derive(Serialize, ToSchema)]
struct BookedEvent {
    #[serde(flatten)]
    titled: Titled,
    venue: String,
    #[schema(format = DateTime)]
    event_date: String,
}

/// A reservation of seats with its event, as it stands at `now`.
#[must_use]
pub fn seat_reservation_detail(
    own: &Reservation,
    card: Option<&Payment>,
    event: &Event,
    now: Time,
) -> SeatReservationDetail {
    SeatReservationDetail {
        reservation: SeatReservation { made: MadeReservation::new(own), seats: seats(own, event, now) },
        status: status(own, now),
        payment_status: payment_status(own, card, now),
        event: BookedEvent {
            titled: Titled::new(event),
            venue: event.billing.venue.clone(),
            event_date: clock::rfc3339(event.billing.starts_at),
        },
    }
}

/// One's reservations.
#[derive(Serialize, ToSchema)]
pub struct Mine {
    pub reservations: Vec<Line>,
    pub pagination: Pagination,
}

/// A reservation in a list.
#[derive(Serialize, ToSchema)]
pub struct Line {
    #[schema(format = "uuid")]
    id: String,
    reservation_number: String,
    #[schema(format = "uuid")]
    event_id: String,
    event_title: String,
    venue: String,
    #[schema(format = DateTime)]
    event_date: String,
    /// In won.
    total_amount: i64,
    /// `pending`, `confirmed`, `cancelled` or `expired`.
    status: &'static str,
    /// `pending`, `completed`, `failed` or `refunded`.
    payment_status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    /// When the hold ends or ended.
    #[schema(format = DateTime)]
    expires_at: String,
    items: Vec<Item>,
}

/// Seats and tickets of a reservation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Item {
    /// Of counted tickets.
    ticket_type_name: Option<String>,
    quantity: u32,
    /// In won.
    unit_price: i64,
    /// In won.
    subtotal: i64,
    /// Of a seat.
    seat_label: Option<String>,
    /// Of a seat.
    section: Option<String>,
}

fn items(own: &Reservation, event: &Event) -> Vec<Item> {
    let seat = |held: &HeldSeat| {
        let seat = place(&event.offer.layout, held.ordinal);
        Item {
            ticket_type_name: None,
            quantity: 1,
            unit_price: held.price.0,
            subtotal: held.price.0,
            section: seat.as_ref().map(|seat| seat.section.to_owned()),
            seat_label: seat.map(|seat| seat.label),
        }
    };
    let counted = |held: &HeldItem| Item {
        ticket_type_name: event.ticket_type(held.ticket_type).map(|own| own.name.clone()),
        quantity: held.quantity,
        unit_price: held.price.0,
        subtotal: held.price.times(held.quantity).unwrap_or_default().0,
        seat_label: None,
        section: None,
    };
    own.seats.iter().map(seat).chain(own.items.iter().map(counted)).collect()
}

/// A reservation in a list, as it stands at `now`.
#[must_use]
pub fn line(own: &Reservation, card: Option<&Payment>, event: &Event, now: Time) -> Line {
    Line {
        id: ids::uuid(own.id.0),
        reservation_number: number(own.id),
        event_id: ids::uuid(event.id.0),
        event_title: event.billing.title.clone(),
        venue: event.billing.venue.clone(),
        event_date: clock::rfc3339(event.billing.starts_at),
        total_amount: own.total.0,
        status: status(own, now),
        payment_status: payment_status(own, card, now),
        created_at: clock::rfc3339(own.created_at),
        expires_at: clock::rfc3339(own.expires_at),
        items: items(own, event),
    }
}

/// A reservation that was found.
#[derive(Serialize, ToSchema)]
pub struct Found {
    pub reservation: Detail,
}

/// A reservation in full.
#[derive(Serialize, ToSchema)]
pub struct Detail {
    #[serde(flatten)]
    line: Line,
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    #[schema(format = DateTime)]
    cancelled_at: Option<String>,
}

/// A reservation in full, as it stands at `now`.
#[must_use]
pub fn detail(own: &Reservation, card: Option<&Payment>, event: &Event, now: Time) -> Detail {
    let (confirmed_at, cancelled_at) = match own.standing {
        Standing::Confirmed { at, .. } => (Some(at), None),
        Standing::Cancelled { at, .. } => (None, Some(at)),
        Standing::Pending { .. } | Standing::Expired { .. } => (None, None),
    };
    Detail {
        line: line(own, card, event, now),
        confirmed_at: confirmed_at.map(clock::rfc3339),
        cancelled_at: cancelled_at.map(clock::rfc3339),
    }
}

/// The word for where a reservation stands. A lapsed hold reads as expired at once.
fn status(own: &Reservation, now: Time) -> &'static str {
    match own.standing {
        Standing::Pending { until } if until > now => "pending",
        Standing::Pending { .. } | Standing::Expired { .. } => "expired",
        Standing::Confirmed { .. } => "confirmed",
        Standing::Cancelled { .. } => "cancelled",
    }
}

/// The word for where its money is: what ended without any having come has failed. What came by the reservation's
/// card payment too late to be kept goes back. What the gateway could not give back was paid, and is so still.
fn payment_status(own: &Reservation, card: Option<&Payment>, now: Time) -> &'static str {
    if card.is_some_and(Payment::is_stuck) {
        return "completed";
    }
    let returned = card.is_some_and(|payment| payment.is_taken() && !payment.holds_money());
    match own.standing {
        Standing::Confirmed { .. } => "completed",
        Standing::Cancelled { tender: Some(_), .. } => "refunded",
        _ if returned => "refunded",
        Standing::Pending { until } if until > now => "pending",
        Standing::Pending { .. } | Standing::Expired { .. } | Standing::Cancelled { tender: None, .. } => "failed",
    }
}

/// What giving a reservation up answers.
#[derive(Serialize, ToSchema)]
pub struct Cancelled {
    #[schema(examples("예매가 취소되었습니다."))]
    message: &'static str,
    reservation: CancelledReservation,
}

/// A reservation that was given up.
#[derive(Serialize, ToSchema)]
struct CancelledReservation {
    #[schema(format = "uuid")]
    id: String,
    status: &'static str,
}

/// What giving a reservation up answers.
#[must_use]
pub fn cancelled(own: &Reservation) -> Cancelled {
    let reservation = CancelledReservation { id: ids::uuid(own.id.0), status: "cancelled" };
    Cancelled { message: "예매가 취소되었습니다.", reservation }
}

#[cfg(test)]
mod tests {
    use engine::holds::Tender;
    use engine::id::{EventId, PaymentId, UserId};
    use engine::money::Won;
    use engine::payments::{Gateway, PaymentState, Refund};

    use super::*;

    #[test]
    fn a_cancelled_reservation_says_where_its_money_is() {
        let at = Time(1);
        let standing = Standing::Cancelled { at, refund: Won(10), tender: Some(Tender::Card(PaymentId(5))) };
        let own = Reservation {
            id: ReservationId(1),
            event: EventId(2),
            user: UserId(3),
            seats: Vec::new(),
            items: Vec::new(),
            total: Won(10),
            standing,
            payment: Some(PaymentId(5)),
            created_at: at,
            expires_at: at,
        };
        let card = |refund| Payment {
            id: PaymentId(5),
            reservation: own.id,
            event: own.event,
            user: own.user,
            amount: own.total,
            gateway: Gateway::Stripe,
            reference: None,
            client_secret: None,
            state: PaymentState::Succeeded { at, method: "card".to_owned(), refund },
            created_at: at,
        };
        let word = |refund| payment_status(&own, Some(&card(refund)), at);
        assert_eq!(word(Refund::Requested), "refunded");
        assert_eq!(word(Refund::Done { at }), "refunded");
        assert_eq!(word(Refund::Failed { at }), "completed", "the gateway has it still");
        assert_eq!(payment_status(&own, None, at), "refunded", "out of the wallet");
    }

    #[test]
    fn a_number_is_tk_and_the_id_in_base_36() {
        assert_eq!(number(ReservationId(0)), "TK000000000000");
        assert_eq!(number(ReservationId(36 + 35)), "TK00000000001Z");
        let longest = number(ReservationId(u128::MAX));
        assert_eq!(longest, "TKF5LXX1ZZ5PNORYNQGLHZMSP33");
        assert!(number(ReservationId(1)) != number(ReservationId(2)));
    }
}
