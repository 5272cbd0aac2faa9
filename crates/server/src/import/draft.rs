//! An event as a file describes it, and what is wrong with one.

use std::collections::HashSet;
use std::fmt;

use engine::catalogue::layout::{MOST_SEATS, Part, SeatRow, section};
use engine::catalogue::{Billing, MOST_TICKET_TYPES, NewOffer, NewTicketType, RoomPolicy};
use engine::money::Won;
use engine::time::{Span, Time};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::locate::locate;

/// Something wrong in a line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from one.
    pub line: u64,
    /// The field and what is wrong with it.
    pub issue: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.issue)
    }
}

/// Where an event stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its first line.
    pub line: u64,
    /// Its text, where one can look a field up in it.
    pub text: Vec<u8>,
}

impl Place {
    /// A fault of a field or of something in it (`ticket_types[1].price`), at the line that stands in where that can be
    /// told, else at the first.
    pub fn fault(&self, path: &str, issue: &str) -> Fault {
        let before = self.text.iter().take(locate(&self.text, path));
        let lines = before.filter(|byte| **byte == b'\n').count() as u64;
        let issue = if path.is_empty() { issue.to_owned() } else { format!("{path}: {issue}") };
        Fault { line: self.line + lines, issue }
    }
}

/// An event that can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub place: Place,
    pub billing: Billing,
    pub offer: NewOffer,
    pub publish: bool,
}

/// An event as it is written: the fields of POST /api/events. `null` is as good as absent where that may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub title: String,
    pub description: Option<String>,
    pub category: String,
    pub venue: String,
    pub location: String,
    pub start_date: Moment,
    pub end_date: Moment,
    pub min_price: Option<Price>,
    pub max_price: Option<Price>,
    pub total_seats: Option<u32>,
    pub image_url: Option<String>,
    pub artist_name: Option<String>,
    pub address: Option<String>,
    pub sale_start: Option<Moment>,
    pub sale_end: Option<Moment>,
    pub organizer: Option<Organizer>,
    pub tags: Option<Vec<String>>,
    pub seating: Option<Seating>,
    pub ticket_types: Option<Vec<WrittenType>>,
    pub waiting_room: Option<WaitingRoom>,
    pub max_per_user: Option<u32>,
    pub status: Option<Status>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organizer {
    name: Option<String>,
    contact: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seating {
    sections: Vec<Section>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: String,
    rows: u32,
    seats_per_row: u32,
    price: Price,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenType {
    pub name: String,
    pub price: Price,
    pub quantity: u32,
    pub description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingRoom {
    capacity: u32,
    pass_seconds: u32,
}

/// The stages an imported event may start at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Draft,
    Published,
}

impl Written {
    /// The event; `rows` are seats that are listed one by one.
    ///
    /// # Errors
    /// A fault at the field.
    pub fn draft(self, rows: Vec<SeatRow>, place: Place) -> Result<Draft, Fault> {
        let prices = match (self.min_price, self.max_price) {
            (None, None) => None,
            (Some(lowest), Some(highest)) => Some((lowest.0, highest.0)),
            // One alone stands for both.
            (Some(own), None) | (None, Some(own)) => Some((own.0, own.0)),
        };
        let mut all = rows;
        if let Some(seating) = &self.seating {
            all.extend(seating.rows(&place)?);
        }
        let types: Vec<_> = self.ticket_types.iter().flatten().map(WrittenType::plan).collect();
        check_types(&types, &place)?;
        if all.is_empty() && types.is_empty() && self.total_seats.is_some_and(|total| total > MOST_SEATS) {
            return Err(place.fault("total_seats", &format!("must be 1 to {MOST_SEATS}")));
        }
        let (organizer_name, organizer_contact) = self.organizer.map_or((None, None), |own| (own.name, own.contact));
        let billing = Billing {
            title: self.title,
            description: self.description.unwrap_or_default(),
            category: self.category,
            venue: self.venue,
            location: self.location,
            address: self.address,
            artist: self.artist_name,
            image_url: self.image_url,
            starts_at: self.start_date.0,
            ends_at: self.end_date.0,
            sale_opens: self.sale_start.map(|moment| moment.0),
            sale_closes: self.sale_end.map(|moment| moment.0),
            organizer_name,
            organizer_contact,
            tags: self.tags.unwrap_or_default(),
            max_per_user: self.max_per_user,
            waiting_room: self
                .waiting_room
                .map(|room| RoomPolicy { capacity: room.capacity, pass: Span::seconds(i64::from(room.pass_seconds)) }),
        };
        let offer = NewOffer { rows: all, types, total: self.total_seats, prices };
        Ok(Draft { place, billing, offer, publish: self.status == Some(Status::Published) })
    }
}

impl Seating {
    /// The rows. Sections are counted before theirs are made, so that huge numbers cost nothing.
    fn rows(&self, place: &Place) -> Result<Vec<SeatRow>, Fault> {
        let (mut rows, mut names, mut total) = (Vec::new(), HashSet::new(), 0);
        for (index, own) in self.sections.iter().enumerate() {
            let wrong = |field: &str, issue: &str| place.fault(&format!("seating.sections[{index}]{field}"), issue);
            Part::Section.check(&own.name).map_err(|issue| wrong(".name", issue))?;
            if !names.insert(own.name.as_str()) {
                return Err(wrong(".name", &format!("section {} is there twice", own.name)));
            }
            for (field, count) in [(".rows", own.rows), (".seats_per_row", own.seats_per_row)] {
                if !(1..=MOST_SEATS).contains(&count) {
                    return Err(wrong(field, &format!("must be 1 to {MOST_SEATS}")));
                }
            }
            total += u64::from(own.rows) * u64::from(own.seats_per_row);
            if total > u64::from(MOST_SEATS) {
                return Err(wrong("", &format!("an event has at most {MOST_SEATS} seats")));
            }
            rows.extend(section(&own.name, own.rows * own.seats_per_row, own.seats_per_row, own.price.0));
        }
        Ok(rows)
    }
}

fn check_types(types: &[NewTicketType], place: &Place) -> Result<(), Fault> {
    if types.len() > MOST_TICKET_TYPES {
        let issue = format!("an event has at most {MOST_TICKET_TYPES} ticket types");
        return Err(place.fault(&format!("ticket_types[{MOST_TICKET_TYPES}]"), &issue));
    }
    for (index, own) in types.iter().enumerate() {
        own.check().map_err(|(field, issue)| place.fault(&format!("ticket_types[{index}].{field}"), issue))?;
    }
    Ok(())
}

impl WrittenType {
    /// The ticket type it asks for.
    pub fn plan(&self) -> NewTicketType {
        let (name, description) = (self.name.clone(), self.description.clone());
        NewTicketType { name, price: self.price.0, quantity: self.quantity, description }
    }
}

/// Whole won, written as a number: `99000` or `99000.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price(pub Won);

const WON: &str = "whole won from 0 to 1,000,000,000,000";

impl Price {
    /// Reads a cell.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let whole = text.strip_suffix(".0").or(text.strip_suffix(".00")).unwrap_or(text);
        let won = whole.parse::<i64>().ok().filter(|won| (0..=Won::MOST.0).contains(won));
        won.map(|won| Self(Won(won))).ok_or_else(|| format!("{text:?} is not {WON}"))
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Price;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WON)
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Price, E> {
                let won = i64::try_from(number).ok().filter(|won| *won <= Won::MOST.0);
                won.map(|won| Price(Won(won))).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Price, E> {
                u64::try_from(number)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
                    .and_then(|number| self.visit_u64(number))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Price, E> {
                Price::parse(&format!("{number}")).map_err(|_| E::invalid_value(Unexpected::Float(number), &self))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// A moment, written as RFC 3339 with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Time);

const RFC3339: &str = "a date and time with a zone, such as 2027-03-01T19:30:00+09:00";

impl Moment {
    /// Reads a cell.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let moment = text.parse::<jiff::Timestamp>().map_err(|_| format!("{text:?} is not {RFC3339}"))?;
        Ok(Self(Time(moment.as_microsecond())))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Moment;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(RFC3339)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                Moment::parse(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
