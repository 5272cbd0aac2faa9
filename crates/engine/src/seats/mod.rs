//! Seats: a claim is a row; a seat nobody ever touched has none.

use crate::id::{EventId, ReservationId, TicketTypeId};
use crate::time::Time;

/// Who has a seat, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The event and the seat's ordinal in it.
    pub seat: (EventId, u32),
    /// Counts the changes of this claim, so that views take them in order.
    pub version: i64,
    /// Whose it is or last was.
    pub reservation: ReservationId,
    /// [`Time::NEVER`]: given back. [`Time::FOREVER`]: sold. Else: held until then.
    pub until: Time,
}

/// What a seat is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatStatus {
    /// Anyone may hold it.
    Free,
    /// Held, not yet paid.
    Held,
    /// Paid.
    Sold,
}

impl SeatStatus {
    /// The status of a seat claimed until `until`, at `now`. A lapsed hold is free.
    #[must_use]
    pub fn at(until: Time, now: Time) -> Self {
        match until {
            Time::FOREVER => Self::Sold,
            until if until > now => Self::Held,
            _ => Self::Free,
        }
    }
}

impl Claim {
    /// Whether somebody has the seat at `now`.
    #[must_use]
    pub fn is_live(&self, now: Time) -> bool {
        self.until > now
    }
}

/// Counted tickets of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// Its event.
    pub event: EventId,
    /// How many there are.
    pub quantity: u32,
    /// How many are paid.
    pub sold: u32,
    /// How many are held, lapsed holds that were not tidied up yet among them.
    pub held: u32,
    /// How many of `held` have lapsed at the moment of loading. Not stored: derived from the portions.
    pub lapsed: u32,
}

impl Stock {
    /// How many can be held now.
    #[must_use]
    pub fn left(&self) -> u32 {
        (self.quantity + self.lapsed).saturating_sub(self.sold + self.held)
    }
}

/// The part of a stock that one reservation has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// The reservation and the ticket type.
    pub key: (ReservationId, TicketTypeId),
    /// How many.
    pub quantity: u32,
    /// As in [`Claim::until`].
    pub until: Time,
}
