//! The event stream's rows.

use engine::money::Won;
use engine::time::Time;
use serde::{Deserialize, Serialize};

use super::values;
use crate::entry::{Entry, Happened, ReservationNews, SeatChange, Stage};
use crate::value::{Columns, Corrupt, Kind, Value};

/// An entry as it is written, and which node does.
pub(crate) struct OutboxRow<'a> {
    pub entry: &'a Entry,
    pub node: i64,
}

impl OutboxRow<'_> {
    /// The columns besides the position.
    pub(crate) const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("made_at", Kind::Int),
        ("node", Kind::Int),
        ("fact", Kind::Text),
        ("event_id", Kind::Bytes),
        ("subject", Kind::Bytes),
        ("body", Kind::Text),
    ];

    pub(crate) fn values(&self) -> Vec<Value> {
        let Entry { at, event, happened, .. } = self.entry;
        let (subject, body) = match happened {
            Happened::Reservation(told) => (told.reservation.0, written(told)),
            Happened::PaymentReturned(payment) => (payment.0, NOTHING.to_owned()),
            Happened::EventChanged | Happened::EventDeleted => (event.0, NOTHING.to_owned()),
        };
        values![at.0, self.node, happened.name(), event.0, subject, body]
    }
}

/// The body of a row that is not about a reservation.
const NOTHING: &str = "{}";

/// The body of a row about a reservation.
#[derive(Serialize, Deserialize)]
struct Body {
    user: String,
    seats: Vec<(u32, i64, i64)>,
    freed: Vec<u32>,
    items: Vec<(String, u32)>,
    total: i64,
    expires_at: i64,
}

fn written(told: &ReservationNews) -> String {
    let seats = told.seats.iter().map(|own| (own.ordinal, own.version, own.until.0));
    let body = Body {
        user: format!("{:032x}", told.user.0),
        seats: seats.collect(),
        freed: told.freed.clone(),
        items: told.items.iter().map(|(id, quantity)| (format!("{:032x}", id.0), *quantity)).collect(),
        total: told.total.0,
        expires_at: told.expires_at.0,
    };
    serde_json::to_string(&body).expect("strings and numbers always have a JSON form")
}

fn body(text: &str) -> Result<Body, Corrupt> {
    serde_json::from_str(text).map_err(|_| Corrupt("the body of a fact"))
}

fn hex<T: From<u128>>(text: &str) -> Result<T, Corrupt> {
    u128::from_str_radix(text, 16).map(T::from).map_err(|_| Corrupt("an id in a fact"))
}

fn seat_changes(seats: Vec<(u32, i64, i64)>) -> Vec<SeatChange> {
    let change = |(ordinal, version, until)| SeatChange { ordinal, version, until: Time(until) };
    seats.into_iter().map(change).collect()
}

/// The seats in the body of a row; none where it is not about a reservation.
pub(crate) fn seats_of(text: &str) -> Result<Vec<SeatChange>, Corrupt> {
    if text == NOTHING {
        return Ok(Vec::new());
    }
    Ok(seat_changes(body(text)?.seats))
}

fn told(stage: Stage, reservation: u128, text: &str) -> Result<Happened, Corrupt> {
    let Body { user, seats, freed, items, total, expires_at } = body(text)?;
    let items = items.iter().map(|(id, quantity)| Ok((hex(id)?, *quantity)));
    Ok(Happened::Reservation(ReservationNews {
        stage,
        reservation: reservation.into(),
        user: hex(&user)?,
        seats: seat_changes(seats),
        freed,
        items: items.collect::<Result<_, Corrupt>>()?,
        total: Won(total),
        expires_at: Time(expires_at),
    }))
}

/// The entry in a row: its position, then [`OutboxRow::COLUMNS`] without the node.
pub(crate) fn entry_of(row: Vec<Value>) -> Result<Entry, Corrupt> {
    let mut columns = Columns::new(row);
    let (position, at) = (columns.int()?.cast_unsigned(), Time(columns.int()?));
    let (fact, event) = (columns.text()?, columns.id()?);
    let (subject, text) = (columns.id::<u128>()?, columns.text()?);
    let happened = match fact.as_str() {
        "held" => told(Stage::Held, subject, &text)?,
        "confirmed" => told(Stage::Confirmed, subject, &text)?,
        "cancelled" => told(Stage::Cancelled, subject, &text)?,
        "expired" => told(Stage::Expired, subject, &text)?,
        "payment_returned" => Happened::PaymentReturned(subject.into()),
        "event_changed" => Happened::EventChanged,
        "event_deleted" => Happened::EventDeleted,
        _ => return Err(Corrupt("no such fact")),
    };
    Ok(Entry { position, at, event, happened })
}

#[cfg(test)]
mod tests {
    use engine::id::{EventId, PaymentId, ReservationId, TicketTypeId, UserId};

    use super::*;
    use crate::value::IntoValue as _;

    #[test]
    fn what_is_written_of_an_entry_is_read_again() {
        let told = |stage| {
            Happened::Reservation(ReservationNews {
                stage,
                reservation: ReservationId(5),
                user: UserId(u128::MAX),
                seats: vec![SeatChange { ordinal: 7, version: 2, until: Time::FOREVER }],
                freed: vec![8],
                items: vec![(TicketTypeId(9), 3)],
                total: Won(1_000),
                expires_at: Time(4),
            })
        };
        let stages = [Stage::Held, Stage::Confirmed, Stage::Cancelled, Stage::Expired].map(told);
        let others = [Happened::PaymentReturned(PaymentId(6)), Happened::EventChanged, Happened::EventDeleted];
        for happened in stages.into_iter().chain(others) {
            let entry = Entry { position: 3, at: Time(1), event: EventId(2), happened };
            let mut row = OutboxRow { entry: &entry, node: 77 }.values();
            row.remove(1);
            row.insert(0, 3_i64.value());
            assert_eq!(entry_of(row).ok(), Some(entry));
        }
    }
}
