//! Events: the list and the detail.

use axum::Json;
use axum::extract::State;
use desk::ListingQuery;
use engine::id::EventId;
use engine::refusal::Refusal;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::wire::{self, EventBody, Named, TicketTypeBody};
use crate::fault::Fault;
use crate::query::{Page, Paging, Query};
use crate::state::AppState;

/// The pages of events.
const PAGING: Paging = Paging { size: "limit", usual: 10, most: 100 };
/// The most that may be searched for, in characters.
const LONGEST_WORDS: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(detail))
}

/// Which events to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only at this stage: upcoming, on_sale, sold_out, ended or cancelled.
    status: Option<String>,
    /// Only with these words in title, artist, venue or address, or another name of the artist.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<u32>,
}

/// A page of events.
#[derive(Serialize, utoipa::ToSchema)]
struct EventPage {
    events: Vec<EventBody>,
    pagination: Pagination,
}

/// Where a page is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pagination {
    page: u32,
    limit: u32,
    total: i64,
    total_pages: i64,
}

impl Pagination {
    pub(super) fn new(page: Page, total: i64) -> Self {
        Self { page: page.page, limit: page.size, total, total_pages: page.pages(total) }
    }
}

/// An event with its ticket types.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventDetail {
    event: EventBody,
    /// The dearest first.
    ticket_types: Vec<TicketTypeBody>,
}

/// Events by when their sales begin.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "list_events", params(ListQuery),
    responses((status = 200, description = "A page of events", body = EventPage), ReadProblems)
)]
async fn list(State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<EventPage>, ApiError> {
    let page = PAGING.page(query.page, query.limit)?;
    let stage = query.status.as_deref().filter(|word| !word.is_empty()).map(wire::stage).transpose()?;
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let words = query.q.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let among = words.map(|words| found(&state, words)).transpose()?;
    let wanted = ListingQuery { stage, among, offset, limit: page.size as usize };
    let (listed, total) = state.desk.listing(wanted).await?;
    let events = listed.iter().map(|own| EventBody::new(&own.event, own.stage)).collect();
    Ok(Json(EventPage { events, pagination: Pagination::new(page, total) }))
}

/// The events that have these words.
fn found(state: &AppState, words: &str) -> Result<Vec<EventId>, ApiError> {
    if words.chars().count() > LONGEST_WORDS {
        return Err(ApiError::malformed("검색어는 200자까지 쓸 수 있습니다."));
    }
    let found = state.search.match_ids(words).map_err(|error| {
        tracing::error!(%error, "the search index cannot be read");
        Fault::Unavailable
    })?;
    Ok(found.into_iter().map(EventId).collect())
}

/// One event.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", operation_id = "get_event",
    params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "The event with its ticket types", body = EventDetail), ReadProblems)
)]
async fn detail(State(state): State<AppState>, Named(id): Named) -> Result<Json<EventDetail>, ApiError> {
    let event = wire::public_event(&state, &id).await?;
    let left = state.desk.available(std::slice::from_ref(&event)).await?;
    let stage = event.sale_stage(state.desk.now(), left.iter().sum()).ok_or(Refusal::EventUnknown)?;
    let stocks = state.desk.stocks(&[event.id]).await?;
    let ticket_types = wire::ticket_types(&event, &stocks);
    Ok(Json(EventDetail { event: EventBody::new(&event, stage), ticket_types }))
}
