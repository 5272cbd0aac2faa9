//! Seats: maps, and choosing up to four.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::catalogue::Event;
use engine::holds::{HoldRules, HoldSeats};
use engine::refusal::Refusal;
use engine::time::Span;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use super::errors::{ApiError, ReadProblems, WriteProblems};
use super::reservations::wire::{SeatReservation, SeatReservationDetail};
use super::reservations::{card_of, owned, wire as reservation};
use super::wire::{self, LayoutBody, Named, SEAT_WORDS};
use crate::caller::Caller;
use crate::once::Posted;
use crate::problem::act;
use crate::seat_pages::SeatText;
use crate::state::AppState;
use crate::{Dialect, ids, queues};

/// The most seats of one reservation.
const MOST: u32 = 4;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(map)).routes(routes!(reserve)).routes(routes!(reservation))
}

/// The seats of an event.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatMap {
    event: reservation::Titled,
    layout: LayoutBody,
    seats: Vec<SeatBody>,
}

/// A seat.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatBody {
    #[schema(format = "uuid")]
    id: String,
    section: String,
    row_number: u32,
    seat_number: u32,
    #[schema(examples("A-1"))]
    seat_label: String,
    /// In won.
    price: i64,
    /// `available`, `locked` or `reserved`.
    status: String,
}

/// The seats of an event and what each is now. An unchanged map answers 304 to its `ETag`.
#[utoipa::path(
    get, path = "/api/v1/seats/events/{event_id}", operation_id = "get_seats",
    params(("event_id" = String, Path, description = "The event")),
    responses(
        (status = 200, description = "The seats by section, row and number", body = SeatMap),
        (status = 304, description = "Nothing changed since the `ETag` in `If-None-Match`"),
        ReadProblems,
    )
)]
async fn map(State(state): State<AppState>, Named(id): Named, headers: HeaderMap) -> Result<Response, ApiError> {
    let event = wire::public_event(&state, &id).await?;
    if event.offer.layout.total() == 0 {
        let message = "좌석 선택이 없는 이벤트입니다.";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "NO_SEATS", message));
    }
    let key = (event.id, Dialect::Tiketi, None);
    Ok(state.seat_pages.answer(&state, &event, key, &headers, || map_text(&event)).await?)
}

fn map_text(event: &Event) -> SeatText {
    let layout = &event.offer.layout;
    let mut text = SeatText::new(layout.total() as usize, SEAT_WORDS);
    text.push("{\"event\":");
    text.json(&reservation::Titled::new(event));
    text.push(",\"layout\":");
    text.json(&LayoutBody::new(layout));
    text.push(",\"seats\":[");
    for (index, own) in wire::places(layout).into_iter().enumerate() {
        text.separate(index);
        let seat = SeatBody {
            id: ids::uuid(event.id.seat(own.ordinal)),
            section: own.section.to_owned(),
            row_number: own.row_number,
            seat_number: own.seat_number,
            seat_label: own.label,
            price: own.price,
            status: String::new(),
        };
        let seat = serde_json::to_string(&seat).expect("strings and numbers are JSON");
        // The status is the last field, and empty here.
        text.push(seat.trim_end_matches("\"}"));
        text.status(own.ordinal);
        text.push("\"}");
    }
    text.push("]}");
    text.finished()
}

/// Which seats somebody wants.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewSeats {
    event_id: String,
    #[schema(min_items = 1, max_items = 4)]
    seat_ids: Vec<String>,
}

/// Seats that were chosen.
#[derive(Serialize, utoipa::ToSchema)]
struct SeatsChosen {
    #[schema(examples("좌석이 선택되었습니다."))]
    message: &'static str,
    reservation: SeatReservation,
}

/// Choose up to four seats and hold them for five minutes: all of them or none.
#[utoipa::path(
    post, path = "/api/v1/seats/reserve", operation_id = "reserve_seats",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewSeats,
    responses((status = 201, description = "The seats are held", body = SeatsChosen), ReadProblems, WriteProblems)
)]
async fn reserve(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewSeats>,
) -> Result<Response, ApiError> {
    let id = wire::event_id(&body.event_id)?;
    let wanted = body.seat_ids.len();
    if !(1..=MOST as usize).contains(&wanted) {
        return Err(if wanted == 0 { Refusal::NothingWanted } else { Refusal::TooMany { limit: MOST } }.into());
    }
    let event = wire::seen(&state, id).await?;
    let command = HoldSeats {
        user: caller.user,
        event: id,
        seats: ordinals(&event, &body.seat_ids)?,
        items: Vec::new(),
        stated_total: None,
        rules: rules(&state, MOST),
    };
    // What nobody could have is refused as that, whoever's turn it is.
    if command.check_shape().is_ok() {
        queues::admit(&state, Door::Tiketi, id, caller.user).await?;
    }
    act(&state, &attempt, command, StatusCode::CREATED, move |made| {
        let made = made.map_err(|refusal| refused(refusal, &event))?;
        let reservation = made.first().map(|own| reservation::seat_reservation(own, &event));
        Ok(reservation.map(|reservation| SeatsChosen { message: "좌석이 선택되었습니다.", reservation }))
    })
    .await
}

/// The rules of a hold of this dialect.
pub(super) fn rules(state: &AppState, most: u32) -> HoldRules {
    let span = Span::seconds(state.settings.of(Dialect::Tiketi).hold_seconds);
    HoldRules { span, most, one_each: false, alone: false }
}

/// The seats that ids name: UUIDs, or what the house calls them.
fn ordinals(event: &Event, named: &[String]) -> Result<Vec<u32>, ApiError> {
    let layout = &event.offer.layout;
    let find = |name: &String| match ids::parse_uuid(name) {
        Some(id) => {
            let own = event.id.ordinal(id).filter(|own| *own < layout.total());
            own.ok_or_else(|| ApiError::from(Refusal::SeatUnknown))
        }
        None => layout.find(name).ok_or_else(|| ApiError::malformed("좌석 ID 형식이 올바르지 않습니다.")),
    };
    named.iter().map(find).collect()
}

/// A refusal, which names a seat as the house does.
fn refused(refusal: &Refusal, event: &Event) -> ApiError {
    let Refusal::SeatTaken { label } = refusal else { return refusal.into() };
    let layout = &event.offer.layout;
    let own = layout.find(label).and_then(|ordinal| wire::place(layout, ordinal));
    ApiError::from(Refusal::SeatTaken { label: own.map_or_else(|| label.clone(), |own| own.label) })
}

/// A reservation of seats.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SeatReservationBody)]
struct Found {
    reservation: SeatReservationDetail,
}

/// A reservation of seats with its event. Its owner's to see.
#[utoipa::path(
    get, path = "/api/v1/seats/reservation/{id}", operation_id = "get_seat_reservation",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The reservation")),
    responses((status = 200, description = "The reservation", body = Found), ReadProblems)
)]
async fn reservation(State(state): State<AppState>, caller: Caller, Named(id): Named) -> Result<Json<Found>, ApiError> {
    let (own, event) = owned(&state, &caller, &id).await?;
    let card = card_of(&state, &own).await?;
    let reservation = reservation::seat_reservation_detail(&own, card.as_ref(), &event, state.desk.now());
    Ok(Json(Found { reservation }))
}

#[cfg(test)]
mod tests {
    use engine::catalogue::Layout;
    use engine::catalogue::layout::section;
    use engine::money::Won;
    use engine::seats::SeatStatus;

    use super::*;
    use crate::seat_pages::tests::event_of;

    fn layout(price: i64) -> Layout {
        Layout::new(section("A", 3, 2, Won(price)).collect()).expect("a layout")
    }

    #[test]
    fn a_map_shows_every_seat_with_its_own_status() {
        let event = event_of(layout(150_000));
        let text = map_text(&event).render(&[SeatStatus::Sold, SeatStatus::Free, SeatStatus::Held]);
        let map: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let shown: Vec<_> =
            (0..3).map(|index| (&map["seats"][index]["seat_label"], &map["seats"][index]["status"])).collect();
        let expected = [("A-1", "reserved"), ("A-2", "available"), ("A-3", "locked")];
        for ((label, status), (own, word)) in shown.into_iter().zip(expected) {
            assert_eq!((label.as_str(), status.as_str()), (Some(own), Some(word)));
        }
        assert_eq!(map["seats"][2]["id"], ids::uuid(event.id.seat(2)));
        assert_eq!(map["layout"]["rows"], 2);
    }

    #[test]
    fn a_taken_seat_is_named_as_this_dialect_names_it() {
        let event = event_of(layout(1));
        let error = refused(&Refusal::SeatTaken { label: "A-2-1".to_owned() }, &event);
        assert_eq!(error.body.message, "이미 예약된 좌석입니다. (A-3)");
    }
}
