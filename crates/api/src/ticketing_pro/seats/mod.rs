//! Seat maps: 50,000 seats are 3.7 MB of JSON, so a tag is compared first and a rendering kept.

mod pages;
mod template;

pub use pages::SeatPages;

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::catalogue::Event;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::events;
use crate::caller::MaybeCaller;
use crate::money::Price;
use crate::query::Query;
use crate::state::AppState;
use template::Template;

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
    get, path = "/api/events/{event_id}/seats", tag = "ticketing_pro",
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
    let tag = etag(&event, state.desk.seat_tag(&event).await?);
    if matches(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, "no-cache".to_owned())]).into_response());
    }
    let section = query.section.filter(|name| !name.is_empty());
    let known = section.as_ref().is_none_or(|name| event.offer.layout.rows().iter().any(|row| row.section == *name));
    if !known {
        return Ok(respond(tag, Template::new(&event, section.as_deref()).render(&[])));
    }
    let (map_tag, body) = state.seat_pages.page(&state, &event, section, &tag).await?;
    Ok(respond(map_tag, body))
}

fn respond(tag: String, body: Bytes) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, [(ETAG, tag)], body).into_response()
}

/// The version tells layouts apart, the desk's tag statuses.
fn etag(event: &Event, tag: u64) -> String {
    format!("\"{:x}-{tag:x}\"", event.version)
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: by weak comparison).
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|own| own == "*" || own.strip_prefix("W/").unwrap_or(own) == tag)
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

#[cfg(test)]
mod tests {
    use super::template::tests::event;
    use super::*;

    #[test]
    fn an_unchanged_map_is_recognised() {
        let event = event();
        let tag = etag(&event, 7);
        let asks = |value: &str| {
            let value = value.parse().expect("a header");
            matches(&HeaderMap::from_iter([(IF_NONE_MATCH, value)]), &tag)
        };
        assert!(asks(&tag) && asks(&format!("W/{tag}")) && asks(&format!("\"x\", {tag}")) && asks("*"));
        assert!(!asks(&etag(&event, 8)) && !asks(""));
        assert_ne!(etag(&Event { version: 9, ..event.clone() }, 7), tag);
    }
}
