//! The dialects: which there are, and what each brings to the router.

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::limits::Rule;
use crate::state::AppState;
use crate::{concert, movie, sail, ticketing_pro, tiketi};

/// A wire dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Tickets of general admission, without accounts.
    Movie,
    /// A token and its turn, one seat, a prepaid balance.
    Concert,
    /// A queue per concert, several seats, points.
    Sail,
    /// Ticket types and seats, a queue, Socket.IO.
    Tiketi,
    /// The house dialect: events, bookings, card payments.
    TicketingPro,
}

impl Dialect {
    /// Every dialect there is.
    pub const ALL: [Self; 5] = [Self::Movie, Self::Concert, Self::Sail, Self::Tiketi, Self::TicketingPro];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Movie => "movie",
            Self::Concert => "concert",
            Self::Sail => "sail",
            Self::Tiketi => "tiketi",
            Self::TicketingPro => "ticketing_pro",
        }
    }

    /// What it is known for, in a sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Movie => "Tickets of general admission, without accounts.",
            Self::Concert => "A token and its turn, one seat, a prepaid balance.",
            Self::Sail => "A queue per concert, several seats, points.",
            Self::Tiketi => "Ticket types and seats, a queue, Socket.IO.",
            Self::TicketingPro => "The house dialect: events, bookings, card payments.",
        }
    }

    /// The dialect a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.word() == word)
    }

    /// Its routes, in its own error shape.
    pub(crate) fn routes(self, state: &AppState) -> Router<AppState> {
        match self {
            Self::Movie => movie::router(state),
            Self::Concert => concert::router(state),
            Self::Sail => sail::router(state),
            Self::Tiketi => tiketi::router(state),
            Self::TicketingPro => ticketing_pro::router(state),
        }
    }

    /// What answers, at an address of its own, where it has no route; `known` are those it has.
    pub(crate) fn unmatched(self, known: Router, state: &AppState) -> Router {
        let worded = match self {
            Self::Movie => movie::unmatched(),
            Self::Concert => concert::unmatched(),
            Self::Sail => sail::unmatched(),
            Self::Tiketi => tiketi::unmatched(),
            Self::TicketingPro => {
                return Router::new().fallback_service(ticketing_pro::unmatched(known, state.clone()));
            }
        };
        worded.with_state(state.clone())
    }

    /// The description of its routes.
    pub(crate) fn openapi(self) -> OpenApi {
        match self {
            Self::Movie => movie::openapi(),
            Self::Concert => concert::openapi(),
            Self::Sail => sail::openapi(),
            Self::Tiketi => tiketi::openapi(),
            Self::TicketingPro => ticketing_pro::openapi(),
        }
    }

    /// Its rate limits.
    pub(crate) fn limits(self) -> Vec<Rule> {
        match self {
            Self::Movie => movie::limits(),
            Self::Concert => concert::limits(),
            Self::Sail => sail::limits(),
            Self::Tiketi => tiketi::limits(),
            Self::TicketingPro => ticketing_pro::limits(),
        }
    }
}
