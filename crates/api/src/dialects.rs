//! The dialects: which there are, and what each brings to the router.

use axum::Router;
use axum::routing::any;
use utoipa::openapi::OpenApi;

use crate::around::AroundLayer;
use crate::limits::{PerMinute, Rule};
use crate::state::AppState;
use crate::{concert, fault, movie, sail, ticketing_pro, tiketi};

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

    /// Where its paths begin, and no other dialect's.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Movie => &["/tickets"],
            Self::Concert => &["/api/token", "/api/concert", "/api/reservation", "/api/reservations", "/api/balance"],
            Self::Sail => &["/auth", "/concerts", "/points", "/reservation", "/payment"],
            Self::Tiketi => &["/api/v1"],
            // All the others are left to it.
            Self::TicketingPro => &[],
        }
    }

    /// What answers, beside other dialects, where it has no route: the paths that can only be meant for it.
    pub(crate) fn unknown(self) -> Router<AppState> {
        let beneath = |routes: Router<AppState>, prefix: &&str| {
            let paths = [(*prefix).to_owned(), format!("{prefix}/"), format!("{prefix}/{{*rest}}")];
            paths.iter().fold(routes, |routes, path| routes.route(path, any(fault::unknown_path)))
        };
        self.worded(self.prefixes().iter().fold(Router::new(), beneath))
    }

    /// Routes whose faults are worded as the dialect does.
    fn worded(self, routes: Router<AppState>) -> Router<AppState> {
        match self {
            Self::Movie => routes.layer(AroundLayer(movie::worded)),
            Self::Concert => routes.layer(AroundLayer(concert::Envelope)),
            Self::Sail => routes.layer(AroundLayer(sail::envelope)),
            Self::Tiketi => routes.layer(AroundLayer(tiketi::envelope)),
            Self::TicketingPro => routes,
        }
    }

    /// What answers, at an address of its own, where it has no route; `known` are those it has.
    pub(crate) fn unmatched(self, known: Router, state: &AppState) -> Router {
        match self {
            Self::TicketingPro => Router::new().fallback_service(ticketing_pro::unmatched(known, state.clone())),
            other => other.worded(Router::new().fallback(fault::unknown_path)).with_state(state.clone()),
        }
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
    pub(crate) fn limits(self, per_minute: &PerMinute) -> Vec<Rule> {
        match self {
            Self::TicketingPro => ticketing_pro::limits(per_minute),
            Self::Sail => sail::limits(per_minute),
            // Their clients know of none: where there is a line, it is the limit.
            Self::Movie | Self::Concert | Self::Tiketi => Vec::new(),
        }
    }
}
