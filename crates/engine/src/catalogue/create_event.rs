use std::sync::Arc;

use super::layout::{Numbers, SeatRow};
use super::{Billing, Editor, Event, EventStatus, Layout, Offer, TicketType};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::money::Won;
use crate::people::Role;
use crate::refusal::Refusal;
use crate::world::{Row, World};

/// A ticket type as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicketType {
    /// What it is called.
    pub name: String,
    /// What one costs.
    pub price: Won,
    /// How many there are.
    pub quantity: u32,
    /// What it gives.
    pub description: Option<String>,
}

impl NewTicketType {
    /// Checks what does not depend on the other ticket types.
    ///
    /// # Errors
    /// The field that breaks a rule, and what it must be.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        super::check_type(&self.name, self.description.as_deref(), self.price, self.quantity)
    }
}

/// What is to be for sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOffer {
    /// Rows of seats.
    pub rows: Vec<SeatRow>,
    /// Ticket types.
    pub types: Vec<NewTicketType>,
    /// How many seats; with neither rows nor types, the standard layout of this many.
    pub total: Option<u32>,
    /// The lowest and the highest price, where stated.
    pub prices: Option<(Won, Won)>,
}

/// Looked for where seats are described, and not where they are read again: what is stored stays.
fn has_nul(row: &SeatRow) -> bool {
    let named = |names: &[String]| names.iter().any(|name| name.contains('\0'));
    row.section.contains('\0')
        || row.label.contains('\0')
        || matches!(&row.numbers, Numbers::Named(names) if named(names))
}

impl NewOffer {
    /// The offer, its ticket types named.
    ///
    /// # Errors
    /// [`Refusal::EventInvalid`] naming the field.
    pub fn build(&self, cx: &mut Context) -> Result<Offer, Refusal> {
        let wrong = |field, issue: &str| Refusal::EventInvalid { field, issue: issue.to_owned() };
        if self.rows.iter().any(has_nul) {
            return Err(wrong("seating", "a name must not contain a NUL"));
        }
        let bare = self.rows.is_empty() && self.types.is_empty();
        let layout = if bare {
            let total = self.total.ok_or(wrong("total_seats", "is required without seating or ticket_types"))?;
            let (lowest, highest) =
                self.prices.ok_or(wrong("min_price", "is required without seating or ticket_types"))?;
            if lowest > highest {
                return Err(wrong("max_price", "must not be below min_price"));
            }
            Layout::standard(total, lowest, highest)?
        } else {
            Layout::new(self.rows.clone())?
        };
        let types = self.types.iter().map(|own| TicketType {
            id: cx.mint.id(),
            name: own.name.clone(),
            price: own.price,
            quantity: own.quantity,
            description: own.description.clone(),
        });
        let offer = Offer::new(layout, types.collect(), self.prices)?;
        match self.total {
            Some(total) if total != offer.total() => {
                Err(wrong("total_seats", "is not the number of seats and tickets described"))
            }
            _ => Ok(offer),
        }
    }
}

/// Makes an event.
#[derive(Debug, Clone)]
pub struct CreateEvent {
    /// Who makes it.
    pub editor: Editor,
    /// What people read.
    pub billing: Billing,
    /// What is to be for sale.
    pub offer: NewOffer,
    /// Whether it is published at once.
    pub publish: bool,
}

impl Command for CreateEvent {
    type Reply = Arc<Event>;
    const NAME: &'static str = "CreateEvent";

    fn decide(&self, _: &World, cx: &mut Context) -> Verdict<Arc<Event>> {
        if self.editor.role == Role::User {
            return Err(Refusal::NotYours.into());
        }
        self.billing.check()?;
        let event = Arc::new(Event {
            id: cx.mint.event(),
            owner: self.editor.user,
            billing: self.billing.clone(),
            offer: self.offer.build(cx)?,
            status: if self.publish { EventStatus::Published } else { EventStatus::Draft },
            version: 1,
            created_at: cx.now,
            updated_at: cx.now,
        });
        let stocks = event.offer.stocks(event.id).map(Row::Stock);
        Ok(Decision::new(event.clone())
            .put(Row::Event(event.clone()))
            .put_all(stocks)
            .fact(Fact::EventChanged(event.id)))
    }
}
