//! The catalogue: events, their seats, ticket types and sale windows.

mod cancel_event;
mod create_event;
mod delete_event;
pub mod layout;
mod publish_event;
mod sale;
mod update_event;

pub use cancel_event::CancelEvent;
pub use create_event::{CreateEvent, NewOffer, NewTicketType};
pub use delete_event::DeleteEvent;
pub use layout::Layout;
pub use publish_event::PublishEvent;
pub use sale::{SaleStage, SaleWindow};
pub use update_event::UpdateEvent;

use std::sync::Arc;

use crate::command::Stop;
use crate::id::{EventId, TicketTypeId, UserId};
use crate::money::Won;
use crate::people::Role;
use crate::refusal::Refusal;
use crate::seats::Stock;
use crate::time::{Span, Time};
use crate::world::{Key, World};

/// The most ticket types one event may have.
pub const MOST_TICKET_TYPES: usize = 50;

/// What stage an event is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventStatus {
    /// Being prepared; nobody buys.
    Draft,
    /// Seen by all and on sale within its window.
    Published,
    /// Called off; everything paid goes back.
    Cancelled,
    /// Called off before anybody was told of it: the public sees as little of it as of a draft.
    Withdrawn,
}

impl EventStatus {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Cancelled => "cancelled",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether the public knows of it.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(self, Self::Published | Self::Cancelled)
    }

    /// Whether it was called off.
    #[must_use]
    pub fn is_off(self) -> bool {
        matches!(self, Self::Cancelled | Self::Withdrawn)
    }

    /// The status a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Draft, Self::Published, Self::Cancelled, Self::Withdrawn];
        all.into_iter().find(|status| status.word() == word)
    }
}

/// What people read about an event, and when it is sold. Everything an organizer may change at any time. By default it
/// says nothing, which [`Billing::check`] refuses: title, category, venue, location and both ends have to be stated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Billing {
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// concert, sports, musical, exhibition or another word.
    pub category: String,
    /// The hall.
    pub venue: String,
    /// The region.
    pub location: String,
    /// The street address.
    pub address: Option<String>,
    /// Who plays.
    pub artist: Option<String>,
    /// A poster: an address of the web, or a path.
    pub image_url: Option<String>,
    /// When it starts.
    pub starts_at: Time,
    /// When it ends.
    pub ends_at: Time,
    /// No sale before this.
    pub sale_opens: Option<Time>,
    /// No sale from this on.
    pub sale_closes: Option<Time>,
    /// Who puts it on.
    pub organizer_name: Option<String>,
    /// How to reach them.
    pub organizer_contact: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How many seats or tickets one person may have.
    pub max_per_user: Option<u32>,
    /// A waiting room of its own.
    pub waiting_room: Option<RoomPolicy>,
}

impl Billing {
    /// Checks what does not depend on anything else.
    ///
    /// # Errors
    /// [`Refusal::EventInvalid`] naming the field.
    pub fn check(&self) -> Result<(), Refusal> {
        self.check_since(None)
    }

    /// As [`Billing::check`], of a change: what stays as it was is not in question, since it may be older than its rule.
    ///
    /// # Errors
    /// As [`Billing::check`].
    pub fn check_change(&self, before: &Billing) -> Result<(), Refusal> {
        self.check_since(Some(before))
    }

    fn check_since(&self, before: Option<&Billing>) -> Result<(), Refusal> {
        let wrong = |field, issue: &str| Err(Refusal::EventInvalid { field, issue: issue.to_owned() });
        let old = before.map(Billing::texts);
        for (index, (field, text, lengths)) in self.texts().into_iter().enumerate() {
            if old.is_none_or(|old| old[index].1 != text) {
                check_text(field, text, lengths)?;
            }
        }
        if self.starts_at < Time(0) && before.is_none_or(|before| before.starts_at != self.starts_at) {
            return wrong("start_date", "must be 1970 or later");
        }
        if self.ends_at <= self.starts_at {
            return wrong("end_date", "must be after start_date");
        }
        if let (Some(opens), Some(closes)) = (self.sale_opens, self.sale_closes)
            && closes <= opens
        {
            return wrong("sale_end", "must be after sale_start");
        }
        if self.max_per_user == Some(0) {
            return wrong("max_per_user", "must be at least 1");
        }
        let shut = |room: RoomPolicy| room.capacity == 0 || room.pass < Span::seconds(1);
        if self.waiting_room.is_some_and(shut) && before.is_none_or(|before| before.waiting_room != self.waiting_room) {
            return wrong("waiting_room", "capacity and pass_seconds must be at least 1");
        }
        if let Some(image) = &self.image_url
            && before.is_none_or(|before| before.image_url.as_ref() != Some(image))
            && !leads_to_the_web(image)
        {
            return wrong("image_url", "must be an http or https address, or a path");
        }
        if before.is_none_or(|before| before.tags != self.tags) {
            self.check_tags()?;
        }
        Ok(())
    }

    fn check_tags(&self) -> Result<(), Refusal> {
        if self.tags.len() > 50 {
            return Err(Refusal::EventInvalid { field: "tags", issue: "must be at most 50".to_owned() });
        }
        self.tags.iter().try_for_each(|tag| check_text("tags", tag, (0, 100)))
    }

    /// Each text with its field, and how long it may be at least and at most.
    fn texts(&self) -> [(&'static str, &str, (usize, usize)); 10] {
        fn optional(text: &Option<String>) -> &str {
            text.as_deref().unwrap_or_default()
        }
        [
            ("title", &self.title, (1, 200)),
            ("description", &self.description, (0, 20_000)),
            ("category", &self.category, (1, 50)),
            ("venue", &self.venue, (1, 200)),
            ("location", &self.location, (1, 200)),
            ("address", optional(&self.address), (0, 300)),
            ("artist_name", optional(&self.artist), (0, 200)),
            ("image_url", optional(&self.image_url), (0, 2_000)),
            ("organizer", optional(&self.organizer_name), (0, 200)),
            ("organizer", optional(&self.organizer_contact), (0, 200)),
        ]
    }
}

/// Whether an address names http or https, or no scheme at all: another (`javascript:`, `data:`) is no picture's, and is run or
/// shown by whoever opens it.
fn leads_to_the_web(address: &str) -> bool {
    let start = address.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme = start.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

/// What a text has to be, in code points. Where one is needed, blanks are none; and no store keeps a NUL.
fn check_text(field: &'static str, text: &str, (least, most): (usize, usize)) -> Result<(), Refusal> {
    let wrong = |issue| Err(Refusal::EventInvalid { field, issue });
    if text.contains('\0') {
        return wrong("must not contain a NUL".to_owned());
    }
    match text.chars().count() {
        length if length > most && least == 0 => wrong(format!("must have at most {most} characters")),
        length if length > most || least > 0 && text.trim().is_empty() => {
            wrong(format!("must have {least} to {most} characters"))
        }
        _ => Ok(()),
    }
}

/// How an event lets people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomPolicy {
    /// How many may be inside at once.
    pub capacity: u32,
    /// How long a pass lasts.
    pub pass: Span,
}

/// A kind of ticket that is counted, not numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketType {
    /// Its id.
    pub id: TicketTypeId,
    /// What it is called.
    pub name: String,
    /// What one costs.
    pub price: Won,
    /// How many there are.
    pub quantity: u32,
    /// What it gives.
    pub description: Option<String>,
}

/// What is for sale: numbered seats, counted tickets or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The seats.
    pub layout: Arc<Layout>,
    /// The ticket types.
    pub types: Vec<TicketType>,
    /// The lowest price.
    pub min_price: Won,
    /// The highest price.
    pub max_price: Won,
}

impl Offer {
    /// An offer of seats and ticket types, its prices theirs where none are stated.
    ///
    /// # Errors
    /// [`Refusal::EventInvalid`] naming the field.
    pub fn new(layout: Layout, types: Vec<TicketType>, stated: Option<(Won, Won)>) -> Result<Self, Refusal> {
        check_types(&types)?;
        let found = types.iter().map(|own| (own.price, own.price)).chain(layout.prices());
        let found = found.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let Some((min_price, max_price)) = stated.or(found) else {
            let issue = "an event needs seats or ticket types".to_owned();
            return Err(Refusal::EventInvalid { field: "total_seats", issue });
        };
        if min_price < Won::ZERO || max_price > Won::MOST {
            let issue = "must be between 0 and 1,000,000,000,000".to_owned();
            return Err(Refusal::EventInvalid { field: "min_price", issue });
        }
        if min_price > max_price {
            let issue = "must not be below min_price".to_owned();
            return Err(Refusal::EventInvalid { field: "max_price", issue });
        }
        let offer = Self { layout: Arc::new(layout), types, min_price, max_price };
        if offer.total() == 0 {
            let issue = "an event needs at least one seat or ticket".to_owned();
            return Err(Refusal::EventInvalid { field: "total_seats", issue });
        }
        Ok(offer)
    }

    /// How many people it can let in.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.types.iter().fold(self.layout.total(), |sum, own| sum.saturating_add(own.quantity))
    }

    fn stocks(&self, event: EventId) -> impl Iterator<Item = Stock> {
        self.types.iter().map(move |own| Stock {
            ticket_type: own.id,
            event,
            quantity: own.quantity,
            sold: 0,
            held: 0,
            lapsed: 0,
        })
    }
}

fn check_types(types: &[TicketType]) -> Result<(), Refusal> {
    let wrong = |issue: String| Refusal::EventInvalid { field: "ticket_types", issue };
    if types.len() > MOST_TICKET_TYPES {
        return Err(wrong(format!("an event has at most {MOST_TICKET_TYPES} ticket types")));
    }
    for own in types {
        check_type(&own.name, own.description.as_deref(), own.price, own.quantity)
            .map_err(|(part, issue)| wrong(format!("a {part} {issue}")))?;
    }
    Ok(())
}

/// Checks a ticket type by itself. What is wrong comes in two: the part of it, and what that must be.
fn check_type(
    name: &str,
    description: Option<&str>,
    price: Won,
    quantity: u32,
) -> Result<(), (&'static str, &'static str)> {
    let length = name.trim().chars().count();
    if length == 0 || length > 100 || name.contains('\0') {
        return Err(("name", "must have 1 to 100 characters"));
    }
    if description.is_some_and(|text| text.chars().count() > 2_000 || text.contains('\0')) {
        return Err(("description", "must have at most 2,000 characters"));
    }
    if quantity == 0 || quantity > 1_000_000 {
        return Err(("quantity", "must be 1 to 1,000,000"));
    }
    if price < Won::ZERO || price > Won::MOST {
        return Err(("price", "must be 0 to 1,000,000,000,000"));
    }
    Ok(())
}

/// Something people come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Who made it.
    pub owner: UserId,
    /// What people read.
    pub billing: Billing,
    /// What is for sale.
    pub offer: Offer,
    /// Its stage.
    pub status: EventStatus,
    /// Counts its changes.
    pub version: i64,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Event {
    /// Whether it is sold at `now`.
    ///
    /// # Errors
    /// The refusal that says why not.
    pub fn sellable(&self, now: Time) -> Result<(), Refusal> {
        match self.status {
            EventStatus::Draft | EventStatus::Withdrawn => return Err(Refusal::EventUnknown),
            EventStatus::Cancelled => return Err(Refusal::EventNotOnSale),
            EventStatus::Published => {}
        }
        if let Some(opens) = self.billing.sale_opens.filter(|opens| *opens > now) {
            return Err(Refusal::SaleNotOpen { opens });
        }
        match self.billing.sale_closes {
            Some(closes) if closes <= now => Err(Refusal::SaleClosed),
            _ => Ok(()),
        }
    }

    /// Whether what is held of it may be paid: its sale may be over, but it was not called off.
    ///
    /// # Errors
    /// [`Refusal::EventNotOnSale`].
    pub fn takes_payments(&self) -> Result<(), Refusal> {
        match self.status {
            EventStatus::Published => Ok(()),
            EventStatus::Draft | EventStatus::Cancelled | EventStatus::Withdrawn => Err(Refusal::EventNotOnSale),
        }
    }

    /// The ticket type with an id.
    #[must_use]
    pub fn ticket_type(&self, id: TicketTypeId) -> Option<&TicketType> {
        self.offer.types.iter().find(|own| own.id == id)
    }

    /// A changed copy, its version one higher.
    fn changed(&self, now: Time) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

/// Who asks for a change of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Editor {
    /// Who it is.
    pub user: UserId,
    /// What that person may do.
    pub role: Role,
}

impl Editor {
    /// Whether this person may change the event: its owner, or an admin.
    ///
    /// # Errors
    /// [`Refusal::NotYours`].
    pub fn may_change(self, event: &Event) -> Result<(), Refusal> {
        match self.role {
            Role::Admin => Ok(()),
            Role::Organizer if event.owner == self.user => Ok(()),
            Role::Organizer | Role::User => Err(Refusal::NotYours),
        }
    }

    /// The event with an id, if this person may change it.
    fn event(self, id: EventId, world: &World) -> Result<&Arc<Event>, Stop> {
        world.need([Key::Event(id)])?;
        let event = world.events.get(&id).ok_or(Refusal::EventUnknown)?;
        self.may_change(event)?;
        Ok(event)
    }
}
