//! The queue of an event, and who may buy.

use std::ops::Not;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{Door, PlaceView, Standing};

use super::errors::{ApiError, ReadProblems, WriteProblems};
use super::wire::{self, Named};
use crate::caller::Caller;
use crate::once::{self, Attempt, Bare};
use crate::state::AppState;

/// How many are let in a second while nobody knows better.
const USUAL_RATE: u32 = 50;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(check)).routes(routes!(status)).routes(routes!(leave))
}

/// Whether somebody has to wait.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Queued {
    queued: bool,
    /// Of who waits: how many are let in up to and with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    /// Of who waits, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_wait: Option<i64>,
    /// How many may be inside at once.
    threshold: u32,
    /// How many are inside.
    current_users: u32,
    /// There, and true, while nothing is left: then nobody who waits is let in.
    #[serde(skip_serializing_if = "Not::not")]
    sold_out: bool,
}

impl Queued {
    fn new(place: &PlaceView) -> Self {
        let queued = place.standing == Standing::Waiting;
        Self {
            queued,
            position: queued.then_some(place.position),
            estimated_wait: queued.then(|| estimated_wait(place)),
            threshold: place.capacity,
            current_users: place.inside,
            sold_out: place.sold_out,
        }
    }
}

/// In seconds; by the usual rate until one was measured. Clients count on a number, so there is one too while nobody knows,
/// since nothing is left and nothing will turn free by itself: `soldOut` says that.
fn estimated_wait(place: &PlaceView) -> i64 {
    let usual = |position: u32| position.div_ceil(USUAL_RATE).into();
    place.wait_seconds(usual).unwrap_or(usual(place.position))
}

/// How the queue stands, for somebody.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueStatus {
    queued: bool,
    /// 0 for who does not wait.
    position: u32,
    /// How many wait.
    queue_size: u32,
    /// In seconds; 0 for who does not wait.
    estimated_wait: i64,
    /// How many are inside.
    current_users: u32,
    /// How many may be inside at once.
    threshold: u32,
    /// `queued`, `active` (inside) or `not_in_queue`.
    status: &'static str,
    /// There, and true, while nothing is left: then nobody who waits is let in.
    #[serde(skip_serializing_if = "Not::not")]
    sold_out: bool,
}

/// A queue that was left.
#[derive(Serialize, utoipa::ToSchema)]
struct Left {
    #[schema(examples("대기열에서 나왔습니다."))]
    message: &'static str,
}

/// Get inside, or in line; asking again keeps the place.
#[utoipa::path(
    post, path = "/api/v1/queue/check/{event_id}", operation_id = "check_queue",
    security(("bearer" = [])),
    params(
        ("event_id" = String, Path, description = "The event"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "Inside, or where in line", body = Queued),
        (status = 429, description = "The queue is full", body = super::ErrorEnvelope),
        ReadProblems,
        WriteProblems,
    )
)]
async fn check(
    State(state): State<AppState>,
    caller: Caller,
    Named(id): Named,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let event = wire::public_event(&state, &id).await?;
    let place = state.rooms.join(Door::Tiketi, Some(event.id), caller.user).await?;
    keep(&state, &attempt, &Queued::new(&place)).await
}

/// How the queue stands. Looking is a sign of life.
#[utoipa::path(
    get, path = "/api/v1/queue/status/{event_id}", operation_id = "get_queue_status",
    security(("bearer" = [])),
    params(("event_id" = String, Path, description = "The event")),
    responses((status = 200, description = "The queue, and the caller's place", body = QueueStatus), ReadProblems)
)]
async fn status(
    State(state): State<AppState>,
    caller: Caller,
    Named(id): Named,
) -> Result<Json<QueueStatus>, ApiError> {
    let event = wire::public_event(&state, &id).await?;
    let place = state.rooms.look_alive(Door::Tiketi, Some(event.id), caller.user).await?;
    let lane = state.rooms.lane(Door::Tiketi, Some(event.id)).await?;
    let waiting = place.as_ref().filter(|own| own.standing == Standing::Waiting);
    let inside = place.as_ref().is_some_and(|own| matches!(own.standing, Standing::Inside { .. }));
    Ok(Json(QueueStatus {
        queued: waiting.is_some(),
        position: waiting.map_or(0, |own| own.position),
        queue_size: lane.waiting,
        estimated_wait: waiting.map_or(0, estimated_wait),
        current_users: lane.inside,
        threshold: lane.capacity,
        status: match (waiting.is_some(), inside) {
            (true, _) => "queued",
            (false, true) => "active",
            (false, false) => "not_in_queue",
        },
        sold_out: lane.sold_out,
    }))
}

/// Leave the queue, or the inside. Leaving what one is not in changes nothing.
#[utoipa::path(
    post, path = "/api/v1/queue/leave/{event_id}", operation_id = "leave_queue",
    security(("bearer" = [])),
    params(
        ("event_id" = String, Path, description = "The event"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses((status = 200, description = "It is left", body = Left), ReadProblems, WriteProblems)
)]
async fn leave(
    State(state): State<AppState>,
    caller: Caller,
    Named(id): Named,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let event = wire::public_event(&state, &id).await?;
    state.rooms.leave(Door::Tiketi, Some(event.id), caller.user).await?;
    keep(&state, &attempt, &Left { message: "대기열에서 나왔습니다." }).await
}

/// The answer, kept under the key of its request where that has one.
async fn keep(state: &AppState, attempt: &Attempt, body: &impl Serialize) -> Result<Response, ApiError> {
    Ok(once::keep(state, attempt, once::answer(StatusCode::OK, body)).await?)
}
