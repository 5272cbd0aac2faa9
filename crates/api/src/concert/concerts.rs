//! Concerts by their date: the earliest published event of a date is its concert.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use desk::{EventQuery, Time, Unavailable};
use engine::catalogue::Event;
use engine::seats::SeatStatus;
use http::StatusCode;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ErrorBody, Problems, text};
use crate::calendar;
use crate::query::Query;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(dates)).routes(routes!(seats))
}

/// The concert of a date.
pub(super) async fn of_date(state: &AppState, date: Date) -> Result<Option<Arc<Event>>, Unavailable> {
    let Some((start, end)) = calendar::span_of(date, &state.settings.zone) else { return Ok(None) };
    let (starts_from, starts_to) = (Some(start), Some(Time(end.0 - 1)));
    let first = EventQuery { starts_from, starts_to, limit: 1, ..EventQuery::published() };
    Ok(state.desk.events(first).await?.0.pop())
}

/// Dates on which seats are left.
#[derive(Serialize, utoipa::ToSchema)]
struct Dates {
    /// `yyyy-mm-dd`, ascending.
    #[schema(examples(json!(["2024-07-15", "2024-07-16"])))]
    dates: Vec<String>,
}

/// The dates from today on with at least one free seat.
#[utoipa::path(
    get, path = "/api/concert/date",
    responses((status = 200, description = "The dates", body = Dates), Problems)
)]
async fn dates(State(state): State<AppState>) -> Result<Json<Dates>, ApiError> {
    let zone = &state.settings.zone;
    let today = calendar::start_of_day(state.desk.now(), zone);
    let (events, _) = state.desk.events(EventQuery { starts_from: Some(today), ..EventQuery::published() }).await?;
    let (mut dates, mut last) = (Vec::new(), None);
    for event in events {
        let date = calendar::date_of(event.billing.starts_at, zone);
        if last.replace(date) != Some(date) && state.desk.free_seats(&event).await? > 0 {
            dates.push(date.to_string());
        }
    }
    Ok(Json(Dates { dates }))
}

/// Of which date.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DateQuery {
    /// `yyyy-mm-dd`.
    #[param(required, format = Date)]
    date: Option<String>,
}

/// The free seats of a date.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Seats {
    #[schema(format = Date, examples("2024-07-15"))]
    date: String,
    /// Their numbers, ascending.
    #[schema(examples(json!(["1", "2", "3"])))]
    available_seats: Vec<String>,
}

/// The free seats of the concert of a date.
#[utoipa::path(
    get, path = "/api/concert/seat", params(DateQuery),
    responses(
        (status = 200, description = "The free seats; none where it is sold out", body = Seats),
        (status = 404, description = "There is no concert on this date", body = ErrorBody),
        Problems,
    )
)]
async fn seats(State(state): State<AppState>, Query(query): Query<DateQuery>) -> Result<Json<Seats>, ApiError> {
    let date = query.date.as_deref().and_then(calendar::parse).ok_or(ApiError::bad(text::DATE))?;
    let event = of_date(&state, date).await?.ok_or(ApiError::new(StatusCode::NOT_FOUND, text::NO_SEATS))?;
    let statuses = state.desk.seat_map(&event).await?.statuses;
    let free = statuses.iter().zip(1_u32..).filter(|(status, _)| **status == SeatStatus::Free);
    let available_seats = free.map(|(_, number)| number.to_string()).collect();
    Ok(Json(Seats { date: date.to_string(), available_seats }))
}
