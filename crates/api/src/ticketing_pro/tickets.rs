//! Tickets: the QR of a paid booking, and the door where it is shown.

use std::cmp::Ordering;

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
use super::errors::{ApiError, ReadProblems, WriteProblems, act, code};
use crate::caller::Caller;
use crate::once::{self, Posted};
use crate::state::AppState;
use crate::tickets::{png, svg};
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
    security(("bearer" = [])),
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
    reservation.paid()?;
    let code = state.tickets.code(reservation.id, state.desk.now());
    let fresh = [(CACHE_CONTROL, "no-store"), (VARY, "Accept")];
    Ok(if wants_png(&headers) {
        (fresh, [(CONTENT_TYPE, "image/png")], png(&code)).into_response()
    } else {
        (fresh, [(CONTENT_TYPE, "image/svg+xml")], svg(&code)).into_response()
    })
}

/// Whether PNG is wanted more than SVG: by how much of each `Accept` says it wants, and where that is equal, by which of
/// them it names first. Who names neither gets SVG.
fn wants_png(headers: &HeaderMap) -> bool {
    let (png, svg) = (Wanted::of(headers, "png"), Wanted::of(headers, "svg+xml"));
    match png.quality.total_cmp(&svg.quality) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => png.quality > 0.0 && png.place < svg.place,
    }
}

/// How much `Accept` wants a kind of image (RFC 9110, section 12.5.1).
struct Wanted {
    /// From 0, not at all, to 1.
    quality: f32,
    /// Where it is named; after everything where at most a wildcard means it.
    place: usize,
}

impl Wanted {
    /// What the range says that means the image most closely; of two such, the first.
    fn of(headers: &HeaderMap, image: &str) -> Self {
        let lists = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let (mut wanted, mut closest) = (Self { quality: 0.0, place: usize::MAX }, 0);
        for (place, range) in lists.flat_map(|list| list.split(',')).enumerate() {
            let mut parts = range.split(';').map(str::trim);
            let closeness = match parts.next().and_then(|media| media.split_once('/')) {
                Some(("*", "*")) => 1,
                Some((kind, "*")) if kind.eq_ignore_ascii_case("image") => 2,
                Some((kind, own)) if kind.eq_ignore_ascii_case("image") && own.eq_ignore_ascii_case(image) => 3,
                _ => 0,
            };
            if closeness > closest {
                let place = if closeness == 3 { place } else { usize::MAX };
                (wanted, closest) = (Self { quality: quality(parts), place }, closeness);
            }
        }
        wanted
    }
}

/// The `q` among the parameters of a range; 1 where there is none that can be read.
fn quality<'a>(parameters: impl Iterator<Item = &'a str>) -> f32 {
    let pairs = parameters.filter_map(|own| own.split_once('='));
    let mut stated = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let read = stated.next().and_then(|(_, value)| value.trim().parse::<f32>().ok());
    read.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(1.0)
}

/// Let in whoever shows this code, which is good for the minute it is shown in and for the next. A ticket lets in once. For
/// organizers and admins.
#[utoipa::path(
    post, path = "/api/tickets/verify", operation_id = "verify_ticket",
    security(("bearer" = [])),
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
    let reservation = state.tickets.verify(body.code.trim(), state.desk.now());
    let reservation = reservation.map_err(|bad| ApiError::bad_request(bad.to_string()))?;
    check_staff(&state, &caller, reservation).await?;
    act(&state, &attempt, Admit { reservation }, |own| own.map(admitted).map_err(turned_away)).await
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
        assert!(!wants("text/html"));
        assert!(!wants_png(&HeaderMap::new()));
    }

    #[test]
    fn what_is_wanted_more_is_given_however_it_is_written() {
        let wants = |accept: &str| wants_png(&HeaderMap::from_iter([(ACCEPT, accept.parse().expect("a header"))]));
        for png in [
            "IMAGE/PNG",
            "image/svg+xml;q=0, image/png",
            "image/svg+xml; q=0.3 , image/png ; Q=0.4",
            "image/*, image/svg+xml;q=0",
            "*/*, image/svg+xml;q=0.9",
            "image/png;q=0.001",
            "image/png, */*",
            "image/png;q=much",
        ] {
            assert!(wants(png), "{png}");
        }
        for svg in [
            "image/png;q=0.2, image/svg+xml;q=0.9",
            "image/png;q=0",
            "image/png;q=0, image/svg+xml;q=0",
            "image/png;q=0, */*",
            "image/*;q=0.9, image/png;q=0.8",
            "IMAGE/SVG+XML,image/png",
            "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8",
            "image/pngs",
        ] {
            assert!(!wants(svg), "{svg}");
        }
        let mut headers = HeaderMap::new();
        for own in ["image/svg+xml;q=0.1", "image/png"] {
            headers.append(ACCEPT, own.parse().expect("a header"));
        }
        assert!(wants_png(&headers), "in lines of its own");
    }
}
