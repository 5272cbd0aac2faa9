//! Ticket types and how many are left.

use axum::Json;
use axum::extract::State;
use engine::refusal::Refusal;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::wire::{self, Named, TicketTypeBody};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(of_event)).routes(routes!(availability))
}

/// The ticket types of an event.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct TicketTypes {
    /// The dearest first.
    ticket_types: Vec<TicketTypeBody>,
}

/// How many are left.
#[derive(Serialize, utoipa::ToSchema)]
struct Availability {
    available_quantity: u32,
    total_quantity: u32,
}

/// The ticket types of an event.
#[utoipa::path(
    get, path = "/api/v1/tickets/event/{event_id}", operation_id = "list_ticket_types",
    params(("event_id" = String, Path, description = "The event")),
    responses((status = 200, description = "Its ticket types", body = TicketTypes), ReadProblems)
)]
async fn of_event(State(state): State<AppState>, Named(id): Named) -> Result<Json<TicketTypes>, ApiError> {
    let event = wire::public_event(&state, &id).await?;
    let stocks = state.desk.stocks(&[event.id]).await?;
    Ok(Json(TicketTypes { ticket_types: wire::ticket_types(&event, &stocks) }))
}

/// How many tickets of a type are left.
#[utoipa::path(
    get, path = "/api/v1/tickets/availability/{ticket_type_id}", operation_id = "get_availability",
    params(("ticket_type_id" = String, Path, description = "The ticket type")),
    responses((status = 200, description = "How many", body = Availability), ReadProblems)
)]
async fn availability(State(state): State<AppState>, Named(id): Named) -> Result<Json<Availability>, ApiError> {
    let id = wire::ticket_type_id(&id)?;
    let stock = state.desk.stock(id).await?.ok_or(Refusal::TicketTypeUnknown)?;
    state.desk.public_event(stock.event).await?.ok_or(Refusal::TicketTypeUnknown)?;
    Ok(Json(Availability { available_quantity: stock.left(), total_quantity: stock.quantity }))
}
