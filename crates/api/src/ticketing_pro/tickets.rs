//! Tickets: the QR of a paid booking, and the door where it is shown.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use engine::catalogue::Editor;
use engine::holds::{Reservation, Standing};
use engine::id::ReservationId;
use engine::people::Role;
use engine::refusal::Refusal;
use engine::tickets::Admit;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bookings::owned;
use super::errors::{ApiError, ReadProblems, WriteProblems, code, ok};
use crate::caller::Caller;
use crate::once::{self, Posted};
use crate::state::AppState;
use crate::tickets::{TicketKey, png, svg};
use crate::{clock, ids};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(qr)).routes(routes!(verify))
}

/// What the scanner read.
#[derive(Deserialize, ToSchema)]
struct Scan {
    /// The text of the QR.
    code: String,
}

/// Somebody was let in.
#[derive(Serialize, ToSchema)]
struct Admitted {
    booking_id: String,
    event_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    admitted_at: String,
    /// How many people it lets in.
    seat_count: u32,
}

/// The ticket of a confirmed booking as a QR that changes every minute: SVG, or PNG where that is accepted.
#[utoipa::path(
    get, path = "/api/tickets/{booking_id}/qr", operation_id = "get_ticket_qr",
    tag = "ticketing_pro", security(("bearer" = [])),
    params(("booking_id" = String, Path, description = "The booking")),
    responses(
        (status = 200, description = "The QR", content((String = "image/svg+xml"), (Vec<u8> = "image/png"))),
        ReadProblems,
    )
)]
async fn qr(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let reservation = owned(&state, &caller, &id).await?;
    if !matches!(reservation.standing, Standing::Confirmed { .. }) {
        return Err(Refusal::ReservationUnpaid.into());
    }
    let code = TicketKey::derive(&state.settings.jwt_secret).code(reservation.id, state.desk.now());
    let fresh = [(CACHE_CONTROL, "no-store"), (VARY, "Accept")];
    Ok(if wants_png(&headers) {
        (fresh, [(CONTENT_TYPE, "image/png")], png(&code)).into_response()
    } else {
        (fresh, [(CONTENT_TYPE, "image/svg+xml")], svg(&code)).into_response()
    })
}

/// Whether PNG is named, and before SVG where both are.
fn wants_png(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let place = |name: &str| accepted.find(name).unwrap_or(usize::MAX);
    place("image/png") < place("image/svg+xml")
}

/// Let in whoever shows this code. A ticket lets in once. For organizers and admins.
#[utoipa::path(
    post, path = "/api/tickets/verify", operation_id = "verify_ticket",
    tag = "ticketing_pro", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = Scan,
    responses(
        (status = 200, description = "Let them in", body = Admitted),
        ReadProblems,
        WriteProblems,
    )
)]
async fn verify(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<Scan>,
) -> Result<Response, ApiError> {
    if caller.role == Role::User {
        return Err(ApiError::forbidden("Only staff may check tickets"));
    }
    // A code is soon out of date; the answer to a repeated request is not.
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let key = TicketKey::derive(&state.settings.jwt_secret);
    let reservation = key.verify(body.code.trim(), state.desk.now());
    let reservation = reservation.map_err(|bad| ApiError::bad_request(bad.to_string()))?;
    check_staff(&state, &caller, reservation).await?;
    let (path, at) = (attempt.path.clone(), state.desk.now());
    let render = move |verdict: Result<&Reservation, &Refusal>| match verdict {
        Ok(own) => ok(&admitted(own)),
        Err(refusal) => turned_away(refusal).answer(&path, at),
    };
    Ok(once::run(&state, &attempt, Admit { reservation }, render).await?)
}

/// An organizer's staff is at the door of its own events only.
async fn check_staff(state: &AppState, caller: &Caller, id: ReservationId) -> Result<(), ApiError> {
    if caller.role == Role::Admin {
        return Ok(());
    }
    let reservation = state.desk.reservation(id).await?.ok_or(Refusal::ReservationUnknown)?;
    let event = state.desk.event(reservation.event).await?.ok_or(Refusal::EventUnknown)?;
    let editor = Editor { user: caller.user, role: caller.role };
    Ok(editor.may_change(&event)?)
}

fn turned_away(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::TicketUsed { at } => {
            let error = ApiError::new(StatusCode::CONFLICT, code::ALREADY_EXISTS, refusal.to_string());
            error.details(serde_json::json!({"admitted_at": clock::rfc3339(*at)}))
        }
        other => other.into(),
    }
}

fn admitted(reservation: &Reservation) -> Admitted {
    let at = match reservation.standing {
        Standing::Confirmed { admitted_at: Some(at), .. } => at,
        _ => reservation.created_at,
    };
    Admitted {
        booking_id: ids::booking(reservation.id),
        event_id: ids::event(reservation.event),
        status: "admitted",
        admitted_at: clock::rfc3339(at),
        seat_count: reservation.count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn svg_unless_png_is_asked_for_first() {
        let wants = |accept: &str| wants_png(&HeaderMap::from_iter([(ACCEPT, accept.parse().expect("a header"))]));
        assert!(wants("image/png"));
        assert!(wants("image/png, image/svg+xml;q=0.5"));
        assert!(!wants("image/avif,image/svg+xml,image/png"));
        assert!(!wants("*/*"));
        assert!(!wants_png(&HeaderMap::new()));
    }
}
