//! The dialects: which there are, and what each brings to the router.

use axum::Router;
use utoipa::openapi::OpenApi;

use crate::limits::Rule;
use crate::state::AppState;
use crate::ticketing_pro;

/// A wire dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The house dialect: events, bookings, card payments.
    TicketingPro,
}

impl Dialect {
    /// Every dialect there is.
    pub const ALL: [Self; 1] = [Self::TicketingPro];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TicketingPro => "ticketing_pro",
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
            Self::TicketingPro => ticketing_pro::router(state),
        }
    }

    /// The description of its routes.
    pub(crate) fn openapi(self) -> OpenApi {
        match self {
            Self::TicketingPro => ticketing_pro::openapi(),
        }
    }

    /// Its rate limits.
    pub(crate) fn limits(self) -> Vec<Rule> {
        match self {
            Self::TicketingPro => ticketing_pro::limits(),
        }
    }
}
