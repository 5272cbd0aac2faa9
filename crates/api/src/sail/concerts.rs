//! Concerts and their queues.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use desk::EventQuery;
use http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{Door, PlaceView};

use super::errors::{ApiError, Problems, Unknown};
use super::reservations::concert;
use super::wire;
use crate::caller::Caller;
use crate::dialects::Dialect;
use crate::ids;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(enter)).routes(routes!(list))
}

/// A place in a queue.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueEntry {
    #[schema(format = "uuid")]
    user_id: String,
    /// From 1 on, those inside among them.
    #[schema(examples(42))]
    queue_position: u32,
}

/// Takes a place in the queue of a concert, or gives the one the caller has.
#[utoipa::path(
    get, path = "/concerts/{concertId}/queue-entry", operation_id = "enter_queue",
    security(("bearer" = [])),
    params(("concertId" = String, Path, description = "The concert")),
    responses((status = 201, description = "The caller's place", body = QueueEntry), Problems, Unknown)
)]
async fn enter(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Response, ApiError> {
    let event = concert(&state, wire::concert_id(&id)?).await?;
    let place = state.rooms.join(Door::Sail, Some(event.id), caller.user).await?;
    let entry = QueueEntry { user_id: ids::uuid(caller.user.0), queue_position: place.rank };
    Ok((StatusCode::CREATED, Json(entry)).into_response())
}

/// The concerts, with the caller's places.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Concerts {
    queue_entries: Vec<Concert>,
}

/// A concert, with the caller's place in its queue where there is one.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Concert {
    #[schema(format = "uuid")]
    concert_id: String,
    name: String,
    #[schema(examples(42))]
    queue_position: Option<u32>,
    #[schema(examples("10 minutes"))]
    estimated_wait_time: Option<String>,
}

/// Every concert on sale, with the caller's place in its queue.
#[utoipa::path(
    get, path = "/concerts", operation_id = "concerts", security(("bearer" = [])),
    responses((status = 200, description = "The concerts", body = Concerts), Problems)
)]
async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<Concerts>, ApiError> {
    let (events, _) = state.desk.events(EventQuery::published()).await?;
    let mut queue_entries = Vec::with_capacity(events.len());
    for event in events {
        // Who looks is there: clients of this dialect have no other way to say so.
        let place = state.rooms.look_alive(Door::Sail, Some(event.id), caller.user).await?;
        let place = place.filter(|place| place.rank > 0);
        queue_entries.push(Concert {
            concert_id: ids::uuid(event.id.0),
            name: event.billing.title.clone(),
            queue_position: place.as_ref().map(|place| place.rank),
            estimated_wait_time: place
                .as_ref()
                .and_then(|place| minutes(place, &state))
                .map(|minutes| format!("{minutes} minutes")),
        });
    }
    Ok(Json(Concerts { queue_entries }))
}

/// How many minutes the wait will be, rounded up; `None` while nobody knows. Until a rate is known, as many passes as
/// it takes.
fn minutes(place: &PlaceView, state: &AppState) -> Option<i64> {
    let passes = |position: u32| i64::from(position.div_ceil(place.capacity.max(1)));
    let seconds = place.wait_seconds(|position| passes(position) * state.settings.of(Dialect::Sail).pass_seconds);
    seconds.map(|seconds| (seconds + 59) / 60)
}
