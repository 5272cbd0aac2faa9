//! Movie tickets: sold over the counter by theater and title, without an event, a seat or an account.

mod issue_tickets;
mod refund_tickets;

pub use issue_tickets::IssueTickets;
pub use refund_tickets::{RefundOutcome, RefundTickets};

use crate::id::MovieTicketId;
use crate::money::Won;
use crate::time::Time;

/// The most a ticket may cost; none is free.
pub const HIGHEST_PRICE: Won = Won(1_000_000);
/// The most tickets issued at once.
pub const MOST_ISSUED: u32 = 10;
/// The most tickets refunded at once.
pub const MOST_REFUNDED: u32 = 1_000;

/// A ticket to a movie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovieTicket {
    /// Its id.
    pub id: MovieTicketId,
    /// Where it is shown.
    pub theater: String,
    /// Whose ticket it is: a text of the seller's, no id of a person.
    pub holder: String,
    /// What is shown.
    pub title: String,
    /// What it cost.
    pub price: Won,
    /// A note of the seller's.
    pub memo: Option<String>,
    /// When it was issued.
    pub issued_at: Time,
    /// Where it stands.
    pub standing: MovieStanding,
}

/// Where a movie ticket stands. Canceled is the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MovieStanding {
    /// It is good.
    Issued,
    /// It was given back.
    Canceled {
        /// When.
        at: Time,
        /// Why, where somebody said so.
        reason: Option<String>,
    },
}

impl MovieStanding {
    /// The word for a ticket that is good.
    pub const ISSUED: &'static str = "issued";
    /// The word for one that was given back.
    pub const CANCELED: &'static str = "canceled";

    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Issued => Self::ISSUED,
            Self::Canceled { .. } => Self::CANCELED,
        }
    }
}
