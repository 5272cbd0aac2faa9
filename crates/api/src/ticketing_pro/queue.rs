//! The virtual waiting room: a place in line, and a pass when the turn has come.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::Time;
use engine::id::{EventId, UserId};
use engine::refusal::Refusal;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::{Door, PlaceView, Standing};

use super::errors::{ApiError, ReadProblems, WriteProblems};
use crate::caller::Caller;
use crate::once::{self, Attempt, Bare, Posted};
use crate::state::AppState;
use crate::{clock, ids};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(join)).routes(routes!(status)).routes(routes!(leave))
}

/// What to queue for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct Joining {
    #[schema(examples("evt_01h455vb4pex5vsknk084sn02q"))]
    event_id: String,
}

/// A place in line.
#[derive(Serialize, utoipa::ToSchema)]
struct Joined {
    #[schema(examples("queue_01h455vb4pex5vsknk084sn02q"))]
    queue_id: String,
    user_id: String,
    event_id: String,
    /// How many wait up to and with this one; 0 for who may go in.
    position: u32,
    /// `null` while nobody knows, since nothing is left and nothing will turn free by itself.
    estimated_wait_seconds: Option<i64>,
    #[schema(format = DateTime)]
    joined_at: String,
    /// `waiting` or `ready`.
    status: &'static str,
    /// Until when one may go in, where one may.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Whether nobody who waits is let in at the moment, because nothing is left.
    sold_out: bool,
}

/// Where a place in line stands.
#[derive(Serialize, utoipa::ToSchema)]
struct Status {
    #[schema(examples("queue_01h455vb4pex5vsknk084sn02q"))]
    queue_id: String,
    /// How many wait up to and with this one; 0 for who does not wait.
    position: u32,
    /// `null` while nobody knows, since nothing is left and nothing will turn free by itself.
    estimated_wait_seconds: Option<i64>,
    /// How many wait in all.
    total_in_queue: u32,
    /// `waiting`, `ready`, `expired` or `completed`.
    status: &'static str,
    /// Until when one may go in, where one may.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Whether nobody who waits is let in at the moment, because nothing is left.
    sold_out: bool,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A place given up.
#[derive(Serialize, utoipa::ToSchema)]
struct Gone {
    event_id: String,
    /// `left`
    status: &'static str,
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Waiting => "waiting",
        Standing::Inside { .. } => "ready",
        Standing::Used | Standing::Completed => "completed",
        Standing::Lapsed | Standing::Left | Standing::Absent => "expired",
    }
}

fn until(standing: Standing) -> Option<String> {
    match standing {
        Standing::Inside { until } => Some(clock::rfc3339(until)),
        _ => None,
    }
}

/// By how fast it went lately, or else 0.6 seconds a place, to the next ten.
fn wait_seconds(place: &PlaceView) -> Option<i64> {
    place.wait_seconds(|position| i64::from(position.saturating_mul(6).div_ceil(100)) * 10)
}

fn joined(place: &PlaceView, event: EventId, user: UserId) -> Joined {
    Joined {
        queue_id: ids::queue(place.id),
        user_id: ids::user(user),
        event_id: ids::event(event),
        position: place.position,
        estimated_wait_seconds: wait_seconds(place),
        joined_at: clock::rfc3339(place.joined_at),
        status: word(place.standing),
        expires_at: until(place.standing),
        sold_out: place.sold_out,
    }
}

fn standing(place: &PlaceView, now: Time) -> Status {
    Status {
        queue_id: ids::queue(place.id),
        position: place.position,
        estimated_wait_seconds: wait_seconds(place),
        total_in_queue: place.waiting,
        status: word(place.standing),
        expires_at: until(place.standing),
        sold_out: place.sold_out,
        updated_at: clock::rfc3339(now),
    }
}

fn read_id(text: &str) -> Result<EventId, ApiError> {
    Ok(ids::parse_event(text).ok_or(Refusal::EventUnknown)?)
}

/// Take a place in line. Asking again gives the same place. With room and nobody waiting one may go in at once.
#[utoipa::path(
    post, path = "/api/queue/join", operation_id = "join_queue",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = Joining,
    responses(
        (status = 200, description = "The place", body = Joined),
        ReadProblems,
        WriteProblems,
    )
)]
async fn join(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<Joining>,
) -> Result<Response, ApiError> {
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let event = read_id(&body.event_id)?;
    let place = state.rooms.join(Door::TicketingPro, Some(event), caller.user).await?;
    keep(&state, &attempt, &joined(&place, event, caller.user)).await
}

/// Where one stands. Asking is a sign of life: who gives none for too long is dropped.
#[utoipa::path(
    get, path = "/api/queue/{event_id}/status", operation_id = "get_queue_status",
    security(("bearer" = [])),
    params(("event_id" = String, Path, description = "The event")),
    responses(
        (status = 200, description = "Where it stands", body = Status),
        ReadProblems,
    )
)]
async fn status(
    State(state): State<AppState>,
    caller: Caller,
    Path(event): Path<String>,
) -> Result<Json<Status>, ApiError> {
    let event = read_id(&event)?;
    let place = state.rooms.look_alive(Door::TicketingPro, Some(event), caller.user).await?;
    let place = place.filter(|own| own.standing != Standing::Left);
    let place = place.ok_or_else(|| ApiError::not_found("queue entry"))?;
    Ok(Json(standing(&place, state.desk.now())))
}

/// Give one's place up, in line or inside. Without a place there is nothing to do.
#[utoipa::path(
    post, path = "/api/queue/{event_id}/leave", operation_id = "leave_queue",
    security(("bearer" = [])),
    params(
        ("event_id" = String, Path, description = "The event"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "It is given up", body = Gone),
        ReadProblems,
        WriteProblems,
    )
)]
async fn leave(
    State(state): State<AppState>,
    caller: Caller,
    Path(event): Path<String>,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let event = read_id(&event)?;
    state.rooms.leave(Door::TicketingPro, Some(event), caller.user).await?;
    keep(&state, &attempt, &Gone { event_id: ids::event(event), status: "left" }).await
}

/// The answer, kept under the key of its request where that has one.
async fn keep(state: &AppState, attempt: &Attempt, body: &impl Serialize) -> Result<Response, ApiError> {
    Ok(once::keep(state, attempt, once::answer(StatusCode::OK, body)).await?)
}

#[cfg(test)]
mod tests {
    use desk::Span;
    use engine::id::PlaceId;

    use super::*;

    #[test]
    fn a_wait_is_estimated_as_the_interface_says_until_it_is_measured() {
        let place = |position, estimated_wait, closed_for| PlaceView {
            id: PlaceId(1),
            position,
            rank: position,
            standing: Standing::Waiting,
            joined_at: Time(0),
            ends_at: Time::FOREVER,
            estimated_wait,
            closed_for,
            waiting: position,
            inside: 0,
            capacity: 1,
            sold_out: closed_for != Some(Span(0)),
        };
        let open = Some(Span(0));
        let wait = |position, measured, closed| wait_seconds(&place(position, measured, closed));
        assert_eq!([1523, 1245, 1, 0].map(|position| wait(position, None, open)), [920, 750, 10, 0].map(Some));
        let measured = Some(Span(2_000_001));
        assert_eq!([wait(9, measured, open), wait(0, Some(Span(0)), open)], [Some(3), Some(0)]);
        let hold = Some(Span::seconds(300));
        assert_eq!([wait(1, None, hold), wait(9, measured, hold)], [Some(310), Some(303)], "from when a hold lapses");
        assert_eq!([wait(1, None, None), wait(9, measured, None)], [None, None], "all is sold");
        assert_eq!(wait(0, None, None), Some(0), "who is inside does not wait");
    }
}
