//! Holds: a reservation is pending until it is paid, given up, or its time passes.

mod cancel_reservation;
mod expire_reservation;
mod hold_seats;
mod release;

pub(crate) use cancel_reservation::end;
pub use cancel_reservation::{CancelReservation, Canceller};
pub use expire_reservation::ExpireReservation;
pub use hold_seats::{HoldRules, HoldSeats};
pub(crate) use release::{Stocks, fill, fill_from, keys_of, release};

use std::collections::BTreeMap;

use crate::id::{EventId, PaymentId, ReservationId, TicketTypeId, UserId};
use crate::money::Won;
use crate::refusal::Refusal;
use crate::time::Time;

/// A seat of a reservation, at the price it was held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldSeat {
    /// Its ordinal in the event.
    pub ordinal: u32,
    /// What it costs.
    pub price: Won,
}

/// Counted tickets of a reservation, at the price they were held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldItem {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub price: Won,
}

/// What paid for a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tender {
    /// A payment through a gateway.
    Card(PaymentId),
    /// The person's wallet; the id names the payment to the person.
    Wallet(PaymentId),
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Held, not paid. From `until` on it counts for nothing, whether or not anyone has noticed.
    Pending {
        /// When the hold ends.
        until: Time,
    },
    /// Paid.
    Confirmed {
        /// When.
        at: Time,
        /// With what.
        tender: Tender,
        /// When its ticket was used.
        admitted_at: Option<Time>,
    },
    /// Given up.
    Cancelled {
        /// When.
        at: Time,
        /// What goes back to the buyer.
        refund: Won,
        /// What had paid for it.
        tender: Option<Tender>,
    },
    /// Ran out.
    Expired {
        /// When that was noticed.
        at: Time,
    },
}

/// Seats and tickets that one person holds or has bought together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// Of what.
    pub event: EventId,
    /// Whose.
    pub user: UserId,
    /// The seats, in the order they were asked for.
    pub seats: Vec<HeldSeat>,
    /// The counted tickets.
    pub items: Vec<HeldItem>,
    /// What it costs.
    pub total: Won,
    /// Where it stands.
    pub standing: Standing,
    /// The payment that was made for it, or one opened after the first was called off (programs of before noted each); see
    /// [`Reservation::payment_id`].
    pub payment: Option<PaymentId>,
    /// When it was made.
    pub created_at: Time,
    /// When the hold ends or ended.
    pub expires_at: Time,
}

impl Reservation {
    /// What its payment by card is called, whether one was opened or not. That the first was opened is not noted in the
    /// reservation, which need not be written for it.
    #[must_use]
    pub fn payment_id(&self) -> PaymentId {
        self.payment.unwrap_or(PaymentId::first_of(self.id))
    }

    /// How many people it lets in.
    #[must_use]
    pub fn count(&self) -> u32 {
        let seats = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        self.items.iter().fold(seats, |sum, item| sum.saturating_add(item.quantity))
    }

    /// Until when its seats are claimed: [`Time::FOREVER`] when paid, [`Time::NEVER`] when over.
    #[must_use]
    pub fn claimed_until(&self) -> Time {
        match self.standing {
            Standing::Pending { until } => until,
            Standing::Confirmed { .. } => Time::FOREVER,
            Standing::Cancelled { .. } | Standing::Expired { .. } => Time::NEVER,
        }
    }

    /// Goes on when it is held and its time has not passed.
    ///
    /// # Errors
    /// The refusal that says where it stands instead.
    pub fn held_at(&self, now: Time) -> Result<(), Refusal> {
        match self.standing {
            Standing::Pending { until } if until > now => Ok(()),
            Standing::Pending { .. } | Standing::Expired { .. } => Err(Refusal::ReservationLapsed),
            Standing::Confirmed { .. } => Err(Refusal::ReservationPaid),
            Standing::Cancelled { .. } => Err(Refusal::ReservationCancelled),
        }
    }

    /// When it was paid, with what, and when its ticket was used.
    ///
    /// # Errors
    /// [`Refusal::ReservationCancelled`] or [`Refusal::ReservationUnpaid`].
    pub fn paid(&self) -> Result<(Time, Tender, Option<Time>), Refusal> {
        match self.standing {
            Standing::Confirmed { at, tender, admitted_at } => Ok((at, tender, admitted_at)),
            Standing::Cancelled { .. } => Err(Refusal::ReservationCancelled),
            Standing::Pending { .. } | Standing::Expired { .. } => Err(Refusal::ReservationUnpaid),
        }
    }

    /// Goes on when it is this person's.
    ///
    /// # Errors
    /// [`Refusal::NotYours`].
    pub fn owned_by(&self, user: UserId) -> Result<(), Refusal> {
        if self.user == user { Ok(()) } else { Err(Refusal::NotYours) }
    }
}

/// What one person has of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// The person and the event.
    pub of: (UserId, EventId),
    /// How many by reservation, and until when.
    pub held: BTreeMap<ReservationId, (u32, Time)>,
}

/// What one person holds and has not paid, of whatever event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpaid {
    /// Whose.
    pub user: UserId,
    /// By reservation, until when; [`Time::NEVER`] of what is paid or over.
    pub held: BTreeMap<ReservationId, Time>,
}

impl Unpaid {
    /// Whether anything is held at `now`.
    #[must_use]
    pub fn is_live(&self, now: Time) -> bool {
        self.held.values().any(|until| *until > now)
    }

    /// Takes a changed reservation into account.
    pub fn count(&mut self, reservation: &Reservation) {
        let until = match reservation.standing {
            Standing::Pending { until } => until,
            _ => Time::NEVER,
        };
        self.held.insert(reservation.id, until);
    }
}

impl Holdings {
    /// How many seats and tickets are held or bought at `now`.
    #[must_use]
    pub fn live(&self, now: Time) -> u32 {
        self.held.values().filter(|(_, until)| *until > now).map(|(count, _)| count).sum()
    }

    /// Takes a changed reservation into account.
    pub fn count(&mut self, reservation: &Reservation) {
        self.held.insert(reservation.id, (reservation.count(), reservation.claimed_until()));
    }
}
