//! Looking at tickets.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use desk::MovieTicketQuery;
use engine::movie::MovieStanding;
use http::Uri;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ErrorBody, Problems};
use super::input::Query;
use super::refund::read_id;
use super::wire::{Page, Ticket};
use crate::caller::MaybeCaller;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(one)).routes(routes!(list))
}

/// A ticket.
#[utoipa::path(
    get, path = "/tickets/{ticket_id}", operation_id = "get_ticket",
    security((), ("bearer" = [])),
    params(("ticket_id" = String, Path, description = "The ticket")),
    responses(
        (status = 200, description = "The ticket", body = Ticket),
        (status = 404, description = "There is no such ticket", body = ErrorBody),
        Problems,
    )
)]
async fn one(
    State(state): State<AppState>,
    _: MaybeCaller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Ticket>, ApiError> {
    // What is no text names no ticket either.
    let id = id.ok().and_then(|Path(text)| read_id(&text)).ok_or_else(ApiError::no_ticket)?;
    let ticket = state.desk.movie_ticket(id).await?.ok_or_else(ApiError::no_ticket)?;
    Ok(Json(Ticket::from(&ticket)))
}

/// Answers who asks for a ticket of a name that no ticket has.
pub(super) async fn unknown(_: MaybeCaller) -> ApiError {
    ApiError::no_ticket()
}

/// Tickets, newest first. Texts are compared exactly; an empty one is no filter.
#[utoipa::path(
    get, path = "/tickets", operation_id = "list_tickets", security((), ("bearer" = [])),
    params(
        ("theater_name" = Option<String>, Query, description = "Only of this theater"),
        ("user_id" = Option<String>, Query, description = "Only of this user"),
        ("movie_title" = Option<String>, Query, description = "Only of this movie"),
        ("status" = Option<String>, Query, description = "`issued` or `canceled`"),
        ("limit" = Option<i64>, Query, description = "1 to 1000, usually 100", minimum = 1, maximum = 1000),
        ("offset" = Option<i64>, Query, description = "How many to skip, usually none", minimum = 0),
    ),
    responses((status = 200, description = "A page of tickets", body = Page), Problems)
)]
async fn list(State(state): State<AppState>, _: MaybeCaller, uri: Uri) -> Result<Json<Page>, ApiError> {
    let wanted = read(&uri)?;
    let (limit, offset) = (wanted.limit, wanted.offset);
    let (tickets, total) = state.desk.movie_tickets(wanted).await?;
    Ok(Json(Page { tickets: tickets.iter().map(Ticket::from).collect(), total, limit, offset }))
}

fn read(uri: &Uri) -> Result<MovieTicketQuery, ApiError> {
    // Any query is a list of pairs, if an odd one.
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map(|pairs| pairs.0);
    let mut query = Query::new(pairs.unwrap_or_default());
    let wanted = MovieTicketQuery {
        theater: query.text("theater_name"),
        holder: query.text("user_id"),
        title: query.text("movie_title"),
        status: query.word("status", [MovieStanding::ISSUED, MovieStanding::CANCELED]),
        limit: query.number("limit", 1..=1_000, 100),
        offset: query.number("offset", 0..=i64::MAX, 0),
    };
    query.done()?;
    Ok(wanted)
}
