use engine::holds::{HeldItem, HeldSeat, Reservation, Standing, Tender};
use engine::id::{EventId, ReservationId, TicketTypeId};
use engine::money::Won;
use engine::seats::{Claim, Portion, Stock};
use engine::time::Time;

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

/// `ordinal:price` of each seat, with commas.
fn seats_text(seats: &[HeldSeat]) -> String {
    let texts: Vec<String> = seats.iter().map(|seat| format!("{}:{}", seat.ordinal, seat.price.0)).collect();
    texts.join(",")
}

/// `ticket type:quantity:price` of each item, with commas.
fn items_text(items: &[HeldItem]) -> String {
    let text = |item: &HeldItem| format!("{:032x}:{}:{}", item.ticket_type.0, item.quantity, item.price.0);
    items.iter().map(text).collect::<Vec<_>>().join(",")
}

fn seats_of(text: &str) -> Result<Vec<HeldSeat>, Corrupt> {
    let read = |part: &str| {
        let (ordinal, price) = part.split_once(':')?;
        Some(HeldSeat { ordinal: ordinal.parse().ok()?, price: Won(price.parse().ok()?) })
    };
    parts(text).map(|part| read(part).ok_or(Corrupt("a reservation's seats"))).collect()
}

fn items_of(text: &str) -> Result<Vec<HeldItem>, Corrupt> {
    let read = |part: &str| {
        let mut fields = part.splitn(3, ':');
        let ticket_type = u128::from_str_radix(fields.next()?, 16).ok()?.into();
        let quantity = fields.next()?.parse().ok()?;
        Some(HeldItem { ticket_type, quantity, price: Won(fields.next()?.parse().ok()?) })
    };
    parts(text).map(|part| read(part).ok_or(Corrupt("a reservation's items"))).collect()
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

fn tender_values(tender: Option<Tender>) -> (Option<&'static str>, Option<u128>) {
    match tender {
        Some(Tender::Card(id)) => (Some("card"), Some(id.0)),
        Some(Tender::Wallet(id)) => (Some("wallet"), Some(id.0)),
        None => (None, None),
    }
}

/// The word for where a reservation stands, as it is kept.
pub(crate) fn standing_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Pending { .. } => "pending",
        Standing::Confirmed { .. } => "confirmed",
        Standing::Cancelled { .. } => "cancelled",
        Standing::Expired { .. } => "expired",
    }
}

impl Table for Reservation {
    type Key = ReservationId;
    const NAME: &'static str = "reservations";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("event_id", Kind::Bytes),
        ("user_id", Kind::Bytes),
        ("seats", Kind::Text),
        ("items", Kind::Text),
        ("count", Kind::Int),
        ("total", Kind::Int),
        ("status", Kind::Text),
        ("claimed_until", Kind::Int),
        ("status_at", Kind::Int),
        ("tender", Kind::Text),
        ("tender_id", Kind::Bytes),
        ("refund", Kind::Int),
        ("admitted_at", Kind::Int),
        ("payment_id", Kind::Bytes),
        ("created_at", Kind::Int),
        ("expires_at", Kind::Int),
    ];
    const KEYS: usize = 1;
    const FIXED: &'static [&'static str] =
        &["event_id", "user_id", "seats", "items", "count", "total", "created_at", "expires_at"];

    fn key_values(key: &ReservationId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> ReservationId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (at, tender, refund, admitted_at) = match self.standing {
            Standing::Pending { .. } => (None, None, None, None),
            Standing::Confirmed { at, tender, admitted_at } => (Some(at), Some(tender), None, admitted_at),
            Standing::Cancelled { at, refund, tender } => (Some(at), tender, Some(refund), None),
            Standing::Expired { at } => (Some(at), None, None, None),
        };
        let (tender, tender_id) = tender_values(tender);
        values![
            self.id.0,
            self.event.0,
            self.user.0,
            seats_text(&self.seats),
            items_text(&self.items),
            self.count(),
            self.total.0,
            standing_word(&self.standing),
            self.claimed_until().0,
            at.map(|time| time.0),
            tender,
            tender_id,
            refund.map(|won| won.0),
            admitted_at.map(|time| time.0),
            self.payment.map(|id| id.0),
            self.created_at.0,
            self.expires_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let (id, event, user) = (columns.id()?, columns.id()?, columns.id()?);
        let (seats, items) = (seats_of(&columns.text()?)?, items_of(&columns.text()?)?);
        let (_, total) = (columns.int()?, Won(columns.int()?));
        let standing = read_standing(columns)?;
        Ok(Self {
            id,
            event,
            user,
            seats,
            items,
            total,
            standing,
            payment: columns.id_or()?,
            created_at: Time(columns.int()?),
            expires_at: Time(columns.int()?),
        })
    }
}

fn read_standing(columns: &mut Columns) -> Result<Standing, Corrupt> {
    let word = columns.text()?;
    let until = Time(columns.int()?);
    let at = columns.int_or()?.map(Time);
    let tender = columns.text_or()?;
    let tender_id = columns.id_or()?;
    let refund = columns.int_or()?.map(Won);
    let admitted_at = columns.int_or()?.map(Time);
    let tender = match (tender.as_deref(), tender_id) {
        (Some("card"), Some(id)) => Some(Tender::Card(id)),
        (Some("wallet"), Some(id)) => Some(Tender::Wallet(id)),
        (None, None) => None,
        _ => return Err(Corrupt("a reservation's tender")),
    };
    match (word.as_str(), at, tender) {
        ("pending", _, _) => Ok(Standing::Pending { until }),
        ("confirmed", Some(at), Some(tender)) => Ok(Standing::Confirmed { at, tender, admitted_at }),
        ("cancelled", Some(at), tender) => Ok(Standing::Cancelled { at, refund: refund.unwrap_or(Won::ZERO), tender }),
        ("expired", Some(at), _) => Ok(Standing::Expired { at }),
        _ => Err(Corrupt("a reservation's status")),
    }
}

impl Table for Claim {
    type Key = (EventId, u32);
    const NAME: &'static str = "claims";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("event_id", Kind::Bytes),
        ("ordinal", Kind::Int),
        ("version", Kind::Int),
        ("reservation_id", Kind::Bytes),
        ("claimed_until", Kind::Int),
    ];
    const KEYS: usize = 2;

    fn key_values((event, ordinal): &Self::Key) -> Vec<Value> {
        values![event.0, *ordinal]
    }

    fn key(&self) -> Self::Key {
        self.seat
    }

    fn values(&self) -> Vec<Value> {
        values![self.seat.0.0, self.seat.1, self.version, self.reservation.0, self.until.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            seat: (columns.id()?, columns.count()?),
            version: columns.int()?,
            reservation: columns.id()?,
            until: Time(columns.int()?),
        })
    }
}

impl Table for Stock {
    type Key = TicketTypeId;
    const NAME: &'static str = "stocks";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("ticket_type_id", Kind::Bytes),
        ("event_id", Kind::Bytes),
        ("quantity", Kind::Int),
        ("sold", Kind::Int),
        ("held", Kind::Int),
    ];
    const KEYS: usize = 1;
    const FIXED: &'static [&'static str] = &["event_id"];

    fn key_values(key: &TicketTypeId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> TicketTypeId {
        self.ticket_type
    }

    fn values(&self) -> Vec<Value> {
        values![self.ticket_type.0, self.event.0, self.quantity, self.sold, self.held]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            ticket_type: columns.id()?,
            event: columns.id()?,
            quantity: columns.count()?,
            sold: columns.count()?,
            held: columns.count()?,
            lapsed: 0,
        })
    }
}

impl Table for Portion {
    type Key = (ReservationId, TicketTypeId);
    const NAME: &'static str = "portions";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("reservation_id", Kind::Bytes),
        ("ticket_type_id", Kind::Bytes),
        ("quantity", Kind::Int),
        ("claimed_until", Kind::Int),
    ];
    const KEYS: usize = 2;

    fn key_values((reservation, ticket_type): &Self::Key) -> Vec<Value> {
        values![reservation.0, ticket_type.0]
    }

    fn key(&self) -> Self::Key {
        self.key
    }

    fn values(&self) -> Vec<Value> {
        values![self.key.0.0, self.key.1.0, self.quantity, self.until.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { key: (columns.id()?, columns.id()?), quantity: columns.count()?, until: Time(columns.int()?) })
    }
}
