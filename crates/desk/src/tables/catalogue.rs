use std::sync::Arc;

use engine::catalogue::layout::{Numbers, SeatRow};
use engine::catalogue::{Billing, Event, EventStatus, Layout, Offer, RoomPolicy, TicketType};
use engine::id::EventId;
use engine::money::Won;
use engine::time::{Span, Time};
use serde::{Deserialize, Serialize};

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

/// A row of seats as it is kept: section, row, price, and the count or the names of its seats.
#[derive(Serialize, Deserialize)]
struct KeptRow(String, String, i64, KeptNumbers);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KeptNumbers {
    UpTo(u32),
    Named(Vec<String>),
}

/// A ticket type as it is kept: id, name, price, quantity, description.
#[derive(Serialize, Deserialize)]
struct KeptType(String, String, i64, u32, Option<String>);

fn layout_text(layout: &Layout) -> String {
    let kept = |row: &SeatRow| {
        let numbers = match &row.numbers {
            Numbers::UpTo(count) => KeptNumbers::UpTo(*count),
            Numbers::Named(names) => KeptNumbers::Named(names.clone()),
        };
        KeptRow(row.section.clone(), row.label.clone(), row.price.0, numbers)
    };
    json(&layout.rows().iter().map(kept).collect::<Vec<_>>())
}

/// Reads a layout as it is kept.
pub(crate) fn layout_of(text: &str) -> Result<Layout, Corrupt> {
    let kept: Vec<KeptRow> = serde_json::from_str(text).map_err(|_| Corrupt("a layout"))?;
    let rows = kept.into_iter().map(|KeptRow(section, label, price, numbers)| {
        let numbers = match numbers {
            KeptNumbers::UpTo(count) => Numbers::UpTo(count),
            KeptNumbers::Named(names) => Numbers::Named(names),
        };
        SeatRow { section, label, price: Won(price), numbers }
    });
    Layout::new(rows.collect()).map_err(|_| Corrupt("a layout"))
}

fn types_text(types: &[TicketType]) -> String {
    let kept = |own: &TicketType| {
        let id = format!("{:032x}", own.id.0);
        KeptType(id, own.name.clone(), own.price.0, own.quantity, own.description.clone())
    };
    json(&types.iter().map(kept).collect::<Vec<_>>())
}

fn types_of(text: &str) -> Result<Vec<TicketType>, Corrupt> {
    let kept: Vec<KeptType> = serde_json::from_str(text).map_err(|_| Corrupt("ticket types"))?;
    let read = |KeptType(id, name, price, quantity, description)| {
        let id = u128::from_str_radix(&id, 16).map_err(|_| Corrupt("a ticket type's id"))?;
        Ok(TicketType { id: id.into(), name, price: Won(price), quantity, description })
    };
    kept.into_iter().map(read).collect()
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers always have a JSON form")
}

impl Table for Arc<Event> {
    type Key = EventId;
    const NAME: &'static str = "events";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("owner", Kind::Bytes),
        ("title", Kind::Text),
        ("description", Kind::Text),
        ("category", Kind::Text),
        ("venue", Kind::Text),
        ("location", Kind::Text),
        ("address", Kind::Text),
        ("artist", Kind::Text),
        ("image_url", Kind::Text),
        ("starts_at", Kind::Int),
        ("ends_at", Kind::Int),
        ("sale_opens", Kind::Int),
        ("sale_closes", Kind::Int),
        ("organizer_name", Kind::Text),
        ("organizer_contact", Kind::Text),
        ("tags", Kind::Text),
        ("max_per_user", Kind::Int),
        ("room_capacity", Kind::Int),
        ("room_pass", Kind::Int),
        ("layout", Kind::Text),
        ("ticket_types", Kind::Text),
        ("min_price", Kind::Int),
        ("max_price", Kind::Int),
        ("status", Kind::Text),
        ("version", Kind::Int),
        ("created_at", Kind::Int),
        ("updated_at", Kind::Int),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &EventId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> EventId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let Event { billing, offer, .. } = self.as_ref();
        values![
            self.id.0,
            self.owner.0,
            billing.title.as_str(),
            billing.description.as_str(),
            billing.category.as_str(),
            billing.venue.as_str(),
            billing.location.as_str(),
            billing.address.as_deref(),
            billing.artist.as_deref(),
            billing.image_url.as_deref(),
            billing.starts_at.0,
            billing.ends_at.0,
            billing.sale_opens.map(|time| time.0),
            billing.sale_closes.map(|time| time.0),
            billing.organizer_name.as_deref(),
            billing.organizer_contact.as_deref(),
            json(&billing.tags),
            billing.max_per_user,
            billing.waiting_room.map(|room| room.capacity),
            billing.waiting_room.map(|room| room.pass.0),
            layout_text(&offer.layout),
            types_text(&offer.types),
            offer.min_price.0,
            offer.max_price.0,
            self.status.word(),
            self.version,
            self.created_at.0,
            self.updated_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let (id, owner) = (columns.id()?, columns.id()?);
        let billing = read_billing(columns)?;
        let offer = Offer {
            layout: Arc::new(layout_of(&columns.text()?)?),
            types: types_of(&columns.text()?)?,
            min_price: Won(columns.int()?),
            max_price: Won(columns.int()?),
        };
        let status = EventStatus::from_word(&columns.text()?).ok_or(Corrupt("no such event status"))?;
        Ok(Arc::new(Event {
            id,
            owner,
            billing,
            offer,
            status,
            version: columns.int()?,
            created_at: Time(columns.int()?),
            updated_at: Time(columns.int()?),
        }))
    }
}

fn read_billing(columns: &mut Columns) -> Result<Billing, Corrupt> {
    let count = |value: i64| u32::try_from(value).map_err(|_| Corrupt("a count is out of range"));
    Ok(Billing {
        title: columns.text()?,
        description: columns.text()?,
        category: columns.text()?,
        venue: columns.text()?,
        location: columns.text()?,
        address: columns.text_or()?,
        artist: columns.text_or()?,
        image_url: columns.text_or()?,
        starts_at: Time(columns.int()?),
        ends_at: Time(columns.int()?),
        sale_opens: columns.int_or()?.map(Time),
        sale_closes: columns.int_or()?.map(Time),
        organizer_name: columns.text_or()?,
        organizer_contact: columns.text_or()?,
        tags: serde_json::from_str(&columns.text()?).map_err(|_| Corrupt("tags"))?,
        max_per_user: columns.int_or()?.map(count).transpose()?,
        waiting_room: match (columns.int_or()?, columns.int_or()?) {
            (Some(capacity), Some(pass)) => Some(RoomPolicy { capacity: count(capacity)?, pass: Span(pass) }),
            _ => None,
        },
    })
}
