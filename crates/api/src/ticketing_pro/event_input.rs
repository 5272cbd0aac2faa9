//! Events as organizers write them.

use desk::Time;
use engine::catalogue::layout::{self, MOST_SEATS, Part, SeatRow};
use engine::catalogue::{Billing, Event, NewOffer, NewTicketType};
use engine::money::Won;
use serde::{Deserialize, Deserializer};

use super::errors::ApiError;
use super::wire::{OrganizerBody, RoomBody};
use crate::clock;
use crate::money::Amount;

/// An event as an organizer writes it, whole or in part. To make one, the title, the category, the venue, the
/// location and the dates are needed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct EventInput {
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>, max_length = 20000)]
    description: Option<Option<String>>,
    #[schema(examples("concert"))]
    category: Option<String>,
    venue: Option<String>,
    location: Option<String>,
    #[schema(format = DateTime)]
    start_date: Option<String>,
    #[schema(format = DateTime)]
    end_date: Option<String>,
    min_price: Option<Amount>,
    max_price: Option<Amount>,
    #[schema(minimum = 1, maximum = 200_000)]
    total_seats: Option<i64>,
    seating: Option<SeatingInput>,
    ticket_types: Option<Vec<TicketTypeInput>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Option<Vec<String>>>,
    /// `draft` (as without it) or `published`; only where the event is made.
    pub status: Option<String>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    image_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    artist_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>)]
    address: Option<Option<String>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_start: Option<Option<String>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_end: Option<Option<String>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<OrganizerBody>)]
    organizer: Option<Option<OrganizerInput>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<u32>)]
    max_per_user: Option<Option<i64>>,
    #[serde(default, deserialize_with = "stated")]
    #[schema(value_type = Option<RoomBody>)]
    waiting_room: Option<Option<RoomBody>>,
}

/// Who puts it on, in whole or in part.
#[derive(Deserialize)]
struct OrganizerInput {
    #[serde(default, deserialize_with = "stated")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "stated")]
    contact: Option<Option<String>>,
}

/// Tells `null`, which clears a value, from a field that is not there, which leaves it.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Numbered seats.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SeatingInput {
    sections: Vec<SectionInput>,
}

/// A section of equal rows.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SectionInput {
    #[schema(examples("VIP"))]
    name: String,
    #[schema(minimum = 1)]
    rows: i64,
    #[schema(minimum = 1)]
    seats_per_row: i64,
    price: Amount,
}

/// A ticket type to be made.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TicketTypeInput {
    name: String,
    price: Amount,
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: i64,
    description: Option<String>,
}

impl EventInput {
    /// What people are to read of a new event.
    pub fn new_billing(&self) -> Result<Billing, ApiError> {
        let required = |field, there: bool| if there { Ok(()) } else { Err(ApiError::field(field, "is required")) };
        required("title", self.title.is_some())?;
        required("category", self.category.is_some())?;
        required("venue", self.venue.is_some())?;
        required("location", self.location.is_some())?;
        required("start_date", self.start_date.is_some())?;
        required("end_date", self.end_date.is_some())?;
        self.billing(Billing::default())
    }

    /// What people are to read, where it is stated; the rest as it was.
    pub fn billing(&self, old: Billing) -> Result<Billing, ApiError> {
        let organizer = |part: fn(&OrganizerInput) -> &Option<Option<String>>, old| match &self.organizer {
            None => old,
            Some(None) => None,
            Some(Some(own)) => part(own).clone().unwrap_or(old),
        };
        let most = |own: Option<i64>| own.map(|own| in_range("max_per_user", own, u32::MAX)).transpose();
        let room = |own: &Option<RoomBody>| own.as_ref().map(RoomBody::policy).transpose();
        Ok(Billing {
            title: self.title.clone().unwrap_or(old.title),
            description: self.description.clone().map_or(old.description, Option::unwrap_or_default),
            category: self.category.clone().unwrap_or(old.category),
            venue: self.venue.clone().unwrap_or(old.venue),
            location: self.location.clone().unwrap_or(old.location),
            address: self.address.clone().unwrap_or(old.address),
            artist: self.artist_name.clone().unwrap_or(old.artist),
            image_url: self.image_url.clone().unwrap_or(old.image_url),
            starts_at: self.start_date.as_ref().map_or(Ok(old.starts_at), |own| moment("start_date", own))?,
            ends_at: self.end_date.as_ref().map_or(Ok(old.ends_at), |own| moment("end_date", own))?,
            sale_opens: window("sale_start", self.sale_start.as_ref(), old.sale_opens)?,
            sale_closes: window("sale_end", self.sale_end.as_ref(), old.sale_closes)?,
            organizer_name: organizer(|own| &own.name, old.organizer_name),
            organizer_contact: organizer(|own| &own.contact, old.organizer_contact),
            tags: self.tags.clone().map_or(old.tags, Option::unwrap_or_default),
            max_per_user: self.max_per_user.map_or(Ok(old.max_per_user), most)?,
            waiting_room: self.waiting_room.as_ref().map_or(Ok(old.waiting_room), room)?,
        })
    }

    /// Whether anything is said of what is for sale.
    fn offers(&self) -> bool {
        self.seating.is_some() || self.ticket_types.is_some() || self.total_seats.is_some() || self.prices_stated()
    }

    fn prices_stated(&self) -> bool {
        self.min_price.is_some() || self.max_price.is_some()
    }

    /// What is to be for sale.
    pub fn offer(&self) -> Result<NewOffer, ApiError> {
        let total = self.total_seats.map(|total| in_range("total_seats", total, MOST_SEATS)).transpose()?;
        let types = self.ticket_types.iter().flatten().map(TicketTypeInput::new_type);
        Ok(NewOffer {
            rows: self.seating.as_ref().map_or(Ok(Vec::new()), SeatingInput::rows)?,
            types: types.collect::<Result<_, _>>()?,
            // A total besides ticket types counts the seats and the tickets; the engine compares.
            total,
            prices: self.prices()?,
        })
    }

    /// What is to be for sale instead of what an event has, where that is said.
    pub fn changed_offer(&self, event: &Event) -> Result<Option<NewOffer>, ApiError> {
        if self.status.is_some() {
            return Err(ApiError::field("status", "is changed by publish and cancel"));
        }
        if !self.offers() {
            return Ok(None);
        }
        let mut offer = self.offer()?;
        let (old, layout) = (&event.offer, &event.offer.layout);
        if self.prices_stated() || self.total_seats.is_some() && self.seating.is_none() {
            let lowest = self.min_price.map_or(Ok(old.min_price), |own| won("min_price", own))?;
            let highest = self.max_price.map_or(Ok(old.max_price), |own| won("max_price", own))?;
            offer.prices = Some((lowest, highest));
        }
        let standard = layout::Layout::standard(layout.total(), old.min_price, old.max_price);
        let standard = old.types.is_empty() && standard.is_ok_and(|standard| standard == **layout);
        if standard && self.seating.is_none() && self.ticket_types.is_none() {
            offer.total = offer.total.or(Some(layout.total()));
        } else {
            self.keep_unstated(&mut offer, event);
        }
        Ok(Some(offer))
    }

    fn keep_unstated(&self, offer: &mut NewOffer, event: &Event) {
        if self.seating.is_none() {
            offer.rows = event.offer.layout.rows().to_vec();
        }
        if self.ticket_types.is_none() {
            let types = event.offer.types.iter().map(|own| NewTicketType {
                name: own.name.clone(),
                price: own.price,
                quantity: own.quantity,
                description: own.description.clone(),
            });
            offer.types = types.collect();
        }
    }

    fn prices(&self) -> Result<Option<(Won, Won)>, ApiError> {
        match (self.min_price, self.max_price) {
            (Some(lowest), Some(highest)) => Ok(Some((won("min_price", lowest)?, won("max_price", highest)?))),
            (None, None) => Ok(None),
            (Some(lowest), None) => won("min_price", lowest).map(|own| Some((own, own))),
            (None, Some(highest)) => won("max_price", highest).map(|own| Some((own, own))),
        }
    }
}

impl SeatingInput {
    /// The rows; counted before they are made, so that huge numbers cost nothing.
    fn rows(&self) -> Result<Vec<SeatRow>, ApiError> {
        let (mut rows, mut seats) = (Vec::new(), 0);
        for own in &self.sections {
            // Each of its rows has a copy.
            Part::Section.check(&own.name).map_err(|issue| ApiError::field("seating.sections.name", issue))?;
            let count = in_range("seating.sections.rows", own.rows, MOST_SEATS)?;
            let per_row = in_range("seating.sections.seats_per_row", own.seats_per_row, MOST_SEATS)?;
            let price = won("seating.sections.price", own.price)?;
            seats += u64::from(count) * u64::from(per_row);
            if seats > u64::from(MOST_SEATS) {
                return Err(ApiError::field("seating", format!("an event has at most {MOST_SEATS} seats")));
            }
            rows.extend(layout::section(&own.name, count * per_row, per_row, price));
        }
        Ok(rows)
    }
}

impl TicketTypeInput {
    fn new_type(&self) -> Result<NewTicketType, ApiError> {
        Ok(NewTicketType {
            name: self.name.clone(),
            price: won("ticket_types.price", self.price)?,
            quantity: in_range("ticket_types.quantity", self.quantity, 1_000_000)?,
            description: self.description.clone(),
        })
    }
}

fn window(field: &'static str, stated: Option<&Option<String>>, old: Option<Time>) -> Result<Option<Time>, ApiError> {
    stated.map_or(Ok(old), |own| own.as_ref().map(|text| moment(field, text)).transpose())
}

/// A moment in a field.
pub fn moment(field: &'static str, text: &str) -> Result<Time, ApiError> {
    clock::parse(text).ok_or_else(|| no_moment(field))
}

/// The end of what a field names: a date means all of its day, a moment all of its second.
pub fn moment_end(field: &'static str, text: &str) -> Result<Time, ApiError> {
    clock::parse_end(text).ok_or_else(|| no_moment(field))
}

fn no_moment(field: &'static str) -> ApiError {
    ApiError::field(field, "must be an ISO 8601 date and time")
}

fn won(field: &'static str, amount: Amount) -> Result<Won, ApiError> {
    let price = amount.won().filter(|own| *own <= Won::MOST);
    price.ok_or_else(|| ApiError::field(field, format!("must be a whole number of won, from 0 to {}", Won::MOST.0)))
}

fn in_range(field: &'static str, number: i64, most: u32) -> Result<u32, ApiError> {
    let found = u32::try_from(number).ok().filter(|own| (1..=most).contains(own));
    found.ok_or_else(|| ApiError::field(field, format!("must be between 1 and {most}")))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use engine::catalogue::{EventStatus, Layout, Offer};
    use engine::id::{EventId, UserId};

    use super::*;

    fn input(value: serde_json::Value) -> EventInput {
        serde_json::from_value(value).expect("an event")
    }

    fn whole() -> serde_json::Value {
        serde_json::json!({
            "title": "Coldplay Live in Seoul", "category": "concert", "venue": "고척 스카이돔", "location": "서울",
            "start_date": "2024-08-20T19:00:00Z", "end_date": "2024-08-20T22:00:00Z",
            "min_price": 120_000.0, "max_price": 350_000.0, "total_seats": 100,
        })
    }

    /// An event with a layout, for tests.
    pub fn event(layout: Layout) -> Event {
        let (min_price, max_price) = layout.prices().expect("seats");
        Event {
            id: EventId(0x0189_0a5d_ac96_774b_bcce_b302_0990_0000),
            owner: UserId(1),
            billing: input(whole()).new_billing().expect("a billing"),
            offer: Offer { layout: Arc::new(layout), types: Vec::new(), min_price, max_price },
            status: EventStatus::Draft,
            version: 1,
            created_at: Time::from_millis(1_700_000_000_000),
            updated_at: Time::from_millis(1_700_000_000_000),
        }
    }

    fn wrong_field(error: &ApiError) -> String {
        let body: serde_json::Value = serde_json::from_slice(&error.answer("/", Time::NEVER).body).expect("JSON");
        assert_eq!(error.status, 422, "{body}");
        body["error"]["details"]["field"].as_str().expect("a field").to_owned()
    }

    #[test]
    fn a_name_of_a_section_is_looked_at_before_each_of_its_rows_has_it() {
        let mut event = whole();
        let section = serde_json::json!({"name": "n".repeat(51), "rows": 200_000, "seats_per_row": 1, "price": 1});
        event["seating"] = serde_json::json!({"sections": [section]});
        let seating = input(event).seating.expect("a seating");
        assert_eq!(wrong_field(&seating.rows().expect_err("too long")), "seating.sections.name");
    }

    #[test]
    fn an_event_is_read_as_it_is_written() {
        let input = input(whole());
        let (billing, offer) = (input.new_billing().expect("valid"), input.offer().expect("valid"));
        assert_eq!(billing.title, "Coldplay Live in Seoul");
        assert_eq!(clock::rfc3339(billing.starts_at), "2024-08-20T19:00:00Z");
        assert_eq!((offer.total, offer.prices), (Some(100), Some((Won(120_000), Won(350_000)))));
    }

    #[test]
    fn a_field_that_is_missing_or_wrong_is_named() {
        for field in ["title", "category", "venue", "location", "start_date", "end_date"] {
            let mut value = whole();
            value.as_object_mut().expect("an object").remove(field);
            assert_eq!(wrong_field(&input(value).new_billing().expect_err(field)), field);
        }
        for (field, wrong) in [
            ("title", serde_json::json!(" ")),
            ("venue", serde_json::json!("v".repeat(201))),
            ("start_date", serde_json::json!("someday")),
            ("sale_end", serde_json::json!("2024-13-01")),
            ("waiting_room", serde_json::json!({"capacity": 0, "pass_seconds": 1})),
            ("waiting_room", serde_json::json!({"capacity": -1, "pass_seconds": 1})),
            ("waiting_room", serde_json::json!({"capacity": 1, "pass_seconds": 4_294_967_296_i64})),
            ("max_per_user", serde_json::json!(-1)),
            ("max_per_user", serde_json::json!(0)),
            ("max_per_user", serde_json::json!(4_294_967_296_i64)),
        ] {
            let mut value = whole();
            value[field] = wrong;
            let checked = input(value).new_billing().and_then(|own| own.check().map_err(ApiError::from));
            assert_eq!(wrong_field(&checked.expect_err(field)), field);
        }
        for (field, wrong) in [
            ("total_seats", serde_json::json!(0)),
            ("total_seats", serde_json::json!(200_001)),
            ("min_price", serde_json::json!(-1)),
            ("max_price", serde_json::json!(0.5)),
            ("max_price", serde_json::json!(1e15)),
            ("min_price", serde_json::json!(1_000_000_000_001_i64)),
            ("ticket_types.price", serde_json::json!([{"name": "A", "price": 1e15, "quantity": 1}])),
            (
                "seating",
                serde_json::json!({"sections": [{"name": "A", "rows": 200_000, "seats_per_row": 200_000, "price": 1}]}),
            ),
        ] {
            let mut value = whole();
            value[field.split('.').next().expect("a name")] = wrong;
            assert_eq!(wrong_field(&input(value).offer().expect_err(field)), field);
        }
    }

    #[test]
    fn null_clears_and_absence_keeps() {
        let old = input(serde_json::json!({"artist_name": "Coldplay", "tags": ["Rock"], "max_per_user": 4}));
        let blank = input(whole()).new_billing().expect("valid");
        let old = old.billing(blank).expect("valid");
        let kept = input(serde_json::json!({"title": "New"})).billing(old.clone()).expect("valid");
        assert_eq!(
            (kept.title.as_str(), kept.artist.as_deref(), kept.max_per_user),
            ("New", Some("Coldplay"), Some(4))
        );
        let cleared = serde_json::json!({"artist_name": null, "max_per_user": null, "tags": []});
        let cleared = input(cleared).billing(old).expect("valid");
        assert_eq!((cleared.artist, cleared.max_per_user, cleared.tags.len()), (None, None, 0));
    }

    #[test]
    fn a_changed_price_lays_a_standard_hall_out_anew_and_leaves_any_other() {
        let change = input(serde_json::json!({"max_price": 500_000}));
        let standard = event(Layout::standard(100, Won(1_000), Won(3_000)).expect("a layout"));
        let offer = change.changed_offer(&standard).expect("valid").expect("a change");
        assert_eq!((offer.rows.len(), offer.total), (0, Some(100)));
        assert_eq!(offer.prices, Some((Won(1_000), Won(500_000))));

        let own = event(Layout::new(layout::section("A", 10, 5, Won(1_000)).collect()).expect("a layout"));
        let offer = change.changed_offer(&own).expect("valid").expect("a change");
        assert_eq!((offer.rows.len(), offer.total), (2, None));
        assert!(input(serde_json::json!({"title": "New"})).changed_offer(&own).expect("valid").is_none());
    }
}
