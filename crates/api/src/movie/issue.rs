//! Issuing tickets.

use axum::extract::State;
use axum::response::Response;
use engine::id::MovieTicketId;
use engine::money::Won;
use engine::movie::{HIGHEST_PRICE, IssueTickets, MOST_ISSUED};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, Issue, Problems, WriteProblems, act};
use super::input::{Body, misfit};
use super::wire::{IssueOrder, Issued, Summary};
use crate::caller::{Caller, MaybeCaller};
use crate::ids;
use crate::once::Posted;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(issue))
}

/// Issue tickets of one kind: all of them or none. Under an idempotency key it happens once; what counts as the same
/// request is what it asks for, not how it is written.
#[utoipa::path(
    post, path = "/tickets/issue", operation_id = "issue_tickets", security((), ("bearer" = [])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
        ("X-User-Id" = Option<String>, Header, description = "Whose the tickets are, where the body does not say"),
    ),
    request_body = IssueOrder,
    responses((status = 201, description = "The tickets are issued", body = Issued), Problems, WriteProblems)
)]
async fn issue(
    State(state): State<AppState>,
    MaybeCaller(caller): MaybeCaller,
    headers: HeaderMap,
    Posted { body, attempt }: Posted<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let order = read(&body, &headers, caller.as_ref())?;
    let meaning = (&order.theater, &order.title, order.price.0, order.quantity, &order.memo, &order.holder);
    let attempt = attempt.meaning(&state, &meaning);
    let summary =
        Summary { theater_name: order.theater.clone(), movie_title: order.title.clone(), price_krw: order.price.0 };
    let wire = move |made: &Vec<MovieTicketId>| {
        let ticket_ids: Vec<String> = made.iter().map(|id| ids::uuid(id.0)).collect();
        let count = ticket_ids.len();
        (Issued { ticket_ids, count, summary: summary.clone() }, count)
    };
    act(&state, &attempt, order, StatusCode::CREATED, wire).await
}

fn read(fields: &Map<String, Value>, headers: &HeaderMap, caller: Option<&Caller>) -> Result<IssueTickets, ApiError> {
    let mut body = Body::new(fields);
    let theater = body.text("theater_name", 1..=100);
    let title = body.text("movie_title", 1..=200);
    let price = Won(body.number("price_krw", 1..=HIGHEST_PRICE.0, None));
    let quantity = body.number("quantity", 1..=i64::from(MOST_ISSUED), Some(1));
    let memo = body.text_or_none("memo", 0..=1_000);
    let own = body.text_or_none("user_id", 1..=100);
    let holder = match own {
        Some(own) => own,
        None => holder(headers, caller).unwrap_or_else(|issue| {
            body.note(issue);
            String::new()
        }),
    };
    body.done()?;
    let quantity = u32::try_from(quantity).unwrap_or(u32::MAX);
    Ok(IssueTickets { theater, title, price, quantity, holder, memo })
}

/// Whose tickets they are when the body does not say.
fn holder(headers: &HeaderMap, caller: Option<&Caller>) -> Result<String, Issue> {
    const NAME: &str = "x-user-id";
    let named = headers.get(NAME).map(|value| std::str::from_utf8(value.as_bytes()).map(str::trim));
    match named {
        Some(Err(_)) => Err(Issue::new("header", NAME, "string_unicode", "Input should be UTF-8")),
        Some(Ok(named)) if !named.is_empty() => match misfit("header", NAME, named, &(1..=100)) {
            Some(issue) => Err(issue),
            None => Ok(named.to_owned()),
        },
        _ => Ok(caller.map_or_else(|| "anonymous".to_owned(), |caller| ids::uuid(caller.user.0))),
    }
}
