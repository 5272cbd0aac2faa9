//! Shapes that go over the wire.

use engine::movie::{MovieStanding, MovieTicket};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{clock, ids};

/// Tickets to be issued. Fields that are not named here are ignored.
#[derive(Debug, ToSchema)]
pub struct IssueOrder {
    /// Where it is shown.
    #[schema(min_length = 1, max_length = 100, examples("강남 CGV"))]
    pub theater_name: String,
    /// What is shown.
    #[schema(min_length = 1, max_length = 200, examples("기생충"))]
    pub movie_title: String,
    /// What one ticket costs, in won. A JSON integer.
    #[schema(minimum = 1, maximum = 1_000_000, examples(15_000))]
    pub price_krw: i64,
    /// How many.
    #[schema(minimum = 1, maximum = 10, default = 1, required = false)]
    pub quantity: i64,
    /// A note.
    #[schema(max_length = 1000)]
    pub memo: Option<String>,
    /// Whose the tickets are. Left out: what the header `X-User-Id` says, else the user of the bearer token, else
    /// `anonymous`.
    #[schema(min_length = 1, max_length = 100)]
    pub user_id: Option<String>,
}

/// Tickets that were issued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Issued {
    /// Their ids.
    pub ticket_ids: Vec<String>,
    /// How many.
    pub count: usize,
    pub summary: Summary,
}

/// What was issued.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Summary {
    pub theater_name: String,
    pub movie_title: String,
    /// What one ticket costs, in won.
    pub price_krw: i64,
}

/// Tickets to be refunded.
#[derive(Debug, ToSchema)]
pub struct RefundOrder {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    pub ticket_ids: Vec<String>,
    /// Why.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
}

/// What became of each ticket, as it was named, in the order asked.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Refunded {
    /// These are canceled now.
    pub refunded: Vec<String>,
    /// These were canceled before; one that is named twice is refunded first and stands here then.
    pub already_canceled: Vec<String>,
    /// There are no such tickets.
    pub not_found: Vec<String>,
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ticket {
    #[schema(examples("01890a5d-ac96-774b-bcce-b302099a8057"))]
    pub id: String,
    pub theater_name: String,
    #[schema(examples("anonymous"))]
    pub user_id: String,
    pub movie_title: String,
    pub price_krw: i64,
    /// `issued` or `canceled`.
    #[schema(examples("issued"))]
    pub status: &'static str,
    #[schema(format = DateTime)]
    pub issued_at: String,
    /// Null until it is canceled.
    #[schema(format = DateTime, required)]
    pub canceled_at: Option<String>,
    #[schema(required)]
    pub memo: Option<String>,
}

impl From<&MovieTicket> for Ticket {
    fn from(ticket: &MovieTicket) -> Self {
        let canceled_at = match &ticket.standing {
            MovieStanding::Issued => None,
            MovieStanding::Canceled { at, .. } => Some(clock::rfc3339(*at)),
        };
        Self {
            id: ids::uuid(ticket.id.0),
            theater_name: ticket.theater.clone(),
            user_id: ticket.holder.clone(),
            movie_title: ticket.title.clone(),
            price_krw: ticket.price.0,
            status: ticket.standing.word(),
            issued_at: clock::rfc3339(ticket.issued_at),
            canceled_at,
            memo: ticket.memo.clone(),
        }
    }
}

/// A page of tickets, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page {
    pub tickets: Vec<Ticket>,
    /// How many there are in all.
    pub total: i64,
    /// The limit that was applied.
    pub limit: i64,
    /// The offset that was applied.
    pub offset: i64,
}
