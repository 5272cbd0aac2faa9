//! Why a command was turned down. A refusal is an answer, not a failure: it changes nothing.

use crate::money::Won;
use crate::time::Time;

/// Every reason the engine turns a command down. Each dialect answers each one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another person has this e-mail address.
    #[error("this e-mail address is already registered")]
    EmailTaken,
    /// No such person.
    #[error("no such user")]
    UserUnknown,
    /// The thing belongs to someone else.
    #[error("this belongs to another user")]
    NotYours,
    /// No such event, or none this caller may see.
    #[error("no such event")]
    EventUnknown,
    /// The event is a draft or was cancelled.
    #[error("the event is not on sale")]
    EventNotOnSale,
    /// The sale starts later.
    #[error("the sale has not started yet")]
    SaleNotOpen {
        /// When it starts.
        opens: Time,
    },
    /// The sale is over.
    #[error("the sale has ended")]
    SaleClosed,
    /// The event is not in a state from which this can be done.
    #[error("the event is {state}, so this cannot be done")]
    EventState {
        /// The state it is in.
        state: &'static str,
    },
    /// A field of an event breaks a rule.
    #[error("{field}: {issue}")]
    EventInvalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        issue: String,
    },
    /// No such seat in this event.
    #[error("no such seat in this event")]
    SeatUnknown,
    /// Someone else holds or owns the seat.
    #[error("seat {label} is already taken")]
    SeatTaken {
        /// The seat, as people call it.
        label: String,
    },
    /// More seats or tickets in one hold than allowed.
    #[error("at most {limit} in one reservation")]
    TooMany {
        /// The most allowed.
        limit: u32,
    },
    /// The same seat twice in one hold.
    #[error("the same seat is named twice")]
    SeatRepeated,
    /// A hold of nothing.
    #[error("nothing was asked for")]
    NothingWanted,
    /// The total the caller stated is not the sum of the prices.
    #[error("the total is {expected} won")]
    TotalDiffers {
        /// The sum of the prices.
        expected: i64,
    },
    /// The event limits what one person may have, and this would pass it.
    #[error("at most {limit} for one person at this event")]
    PersonLimit {
        /// The most one person may have.
        limit: u32,
    },
    /// The person holds something that is not paid yet, and may hold one thing at a time.
    #[error("another reservation is held and not paid yet")]
    StillHolding,
    /// No such ticket type in this event.
    #[error("no such ticket type in this event")]
    TicketTypeUnknown,
    /// Not enough tickets are left.
    #[error("only {left} tickets are left")]
    StockShort {
        /// How many are left.
        left: u32,
    },
    /// No such reservation.
    #[error("no such reservation")]
    ReservationUnknown,
    /// The hold ran out before it was paid.
    #[error("the reservation has lapsed")]
    ReservationLapsed,
    /// The reservation was given up.
    #[error("the reservation was cancelled")]
    ReservationCancelled,
    /// The reservation is already paid.
    #[error("the reservation is already paid")]
    ReservationPaid,
    /// The reservation is not paid, so it admits nobody.
    #[error("the reservation is not paid")]
    ReservationUnpaid,
    /// No such payment.
    #[error("no such payment")]
    PaymentUnknown,
    /// The payment has not succeeded.
    #[error("the payment has not succeeded")]
    PaymentIncomplete,
    /// The payment is for another reservation or amount.
    #[error("the payment is for another reservation")]
    PaymentMismatch,
    /// The payment was cancelled.
    #[error("the payment was cancelled")]
    PaymentCanceled,
    /// The payment has succeeded, so it can no longer be cancelled.
    #[error("the payment has already succeeded")]
    PaymentSucceeded,
    /// The gateway turned the payment method down.
    #[error("the payment was declined")]
    PaymentDeclined,
    /// No money of the payment is to go back, or it never was taken.
    #[error("nothing of this payment is to be given back: to refund a sale, cancel its booking")]
    RefundNotDue,
    /// An amount that is not positive or beyond the range of money.
    #[error("the amount is not valid")]
    AmountInvalid,
    /// The wallet holds too little.
    #[error("the balance is too small")]
    BalanceShort {
        /// What it holds.
        balance: Won,
    },
    /// The ticket has been used.
    #[error("the ticket was already used")]
    TicketUsed {
        /// When it was used.
        at: Time,
    },
    /// The lane has as many live places as it may have.
    #[error("the waiting room is full: at most {limit} at a time")]
    LaneFull {
        /// The most live places.
        limit: u32,
    },
    /// The waiting room lets this person buy only when the turn has come.
    #[error("please wait for your turn in the waiting room")]
    MustWait,
    /// The idempotency key was used with another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
}
