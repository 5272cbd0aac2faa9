//! Looking up movie tickets: one by its id, and pages of them by exact filters.

use engine::id::MovieTicketId;
use engine::movie::MovieTicket;

use crate::desk::Desk;
use crate::value::{IntoValue as _, Value};
use crate::{MovieTicketQuery, Unavailable};

impl Desk {
    /// The movie ticket with an id.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn movie_ticket(&self, id: MovieTicketId) -> Result<Option<MovieTicket>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// A page of movie tickets, newest first, and how many there are in all, both of one moment. Of those issued at
    /// once the one with the greater id comes first.
    ///
    /// # Errors
    /// As [`Desk::movie_ticket`].
    pub async fn movie_tickets(&self, query: MovieTicketQuery) -> Result<(Vec<MovieTicket>, i64), Unavailable> {
        let (wanted, params) = filter(&query);
        self.0.reads.page(&wanted, &NEWEST_FIRST, params, (query.limit, query.offset)).await
    }
}

/// The columns by which a list is ordered, greatest first.
const NEWEST_FIRST: [&str; 2] = ["issued_at", "id"];

fn filter(query: &MovieTicketQuery) -> (String, Vec<Value>) {
    let filters = [
        ("theater_name", query.theater.as_deref()),
        ("user_id", query.holder.as_deref()),
        ("movie_title", query.title.as_deref()),
        ("status", query.status),
    ];
    let (mut texts, mut params) = (Vec::new(), Vec::new());
    for (column, wanted) in filters {
        if let Some(wanted) = wanted {
            params.push(wanted.value());
            texts.push(format!("{column} = ?{}", params.len()));
        }
    }
    let wanted = if texts.is_empty() { String::new() } else { format!("WHERE {}", texts.join(" AND ")) };
    (wanted, params)
}

/// The list by every combination of filters, for the test that prepares every statement.
#[cfg(test)]
pub(crate) fn texts() -> Vec<String> {
    let text = |wanted: bool| wanted.then(|| "x".to_owned());
    let lists = (0..16_u8).map(|bits| MovieTicketQuery {
        theater: text(bits & 1 > 0),
        holder: text(bits & 2 > 0),
        title: text(bits & 4 > 0),
        status: (bits & 8 > 0).then_some("issued"),
        limit: 1,
        offset: 0,
    });
    let lists = lists.map(|query| filter(&query));
    lists.map(|(wanted, params)| crate::reads::page_text::<MovieTicket>(&wanted, &NEWEST_FIRST, params.len())).collect()
}
