//! Seat maps.

mod template;

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::events;
use crate::Dialect;
use crate::caller::MaybeCaller;
use crate::money::Price;
use crate::query::Query;
use crate::seat_pages::{etag, respond, unchanged};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(seats))
}

/// Which seats to show.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SeatsQuery {
    /// Only of this section.
    section: Option<String>,
}

/// The seats of an event and what each is now. An unchanged map answers 304 to its `ETag`.
#[utoipa::path(
    get, path = "/api/events/{event_id}/seats",
    params(("event_id" = String, Path, description = "The event's id"), SeatsQuery),
    responses(
        (status = 200, description = "The seats by section and row", body = SeatMapBody),
        (status = 304, description = "Nothing changed since the `ETag` in `If-None-Match`"),
        ReadProblems,
    )
)]
async fn seats(
    State(state): State<AppState>,
    caller: MaybeCaller,
    Path(event_id): Path<String>,
    Query(query): Query<SeatsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let event = events::visible(&state, &caller, &event_id).await?;
    let section = query.section.filter(|name| !name.is_empty());
    let known = section.as_ref().is_none_or(|name| event.offer.layout.rows().iter().any(|row| row.section == *name));
    if !known {
        let tag = etag(&event, state.desk.seat_tag(&event).await?);
        let empty = || respond(tag.clone(), template::write(&event, section.as_deref()).render(&[]));
        return Ok(unchanged(&headers, &tag).unwrap_or_else(empty));
    }
    let key = (event.id, Dialect::TicketingPro, section.clone());
    let write = || template::write(&event, section.as_deref());
    Ok(state.seat_pages.answer(&state, &event, key, &headers, write).await?)
}

/// The seats of an event.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatMapBody {
    event_id: String,
    sections: Vec<SectionBody>,
    /// What the statuses mean, in Korean.
    legend: HashMap<String, String>,
}

/// A section.
#[derive(Serialize, utoipa::ToSchema)]
struct SectionBody {
    section: String,
    rows: Vec<RowBody>,
}

/// A row.
#[derive(Serialize, utoipa::ToSchema)]
struct RowBody {
    row: String,
    seats: Vec<SeatBody>,
}

/// A seat.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatBody {
    #[schema(examples("VIP-1-1"))]
    seat_id: String,
    #[schema(examples("1"))]
    seat_number: String,
    price: Price,
    /// `available`, `reserved` or `sold`.
    #[schema(examples("available"))]
    status: String,
}
