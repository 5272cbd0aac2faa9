//! Refunding tickets.

use axum::extract::State;
use axum::response::Response;
use engine::id::MovieTicketId;
use engine::movie::{MOST_REFUNDED, RefundOutcome, RefundTickets};
use http::StatusCode;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, Problems, WriteProblems, act};
use super::input::Body;
use super::wire::{RefundOrder, Refunded};
use crate::caller::MaybeCaller;
use crate::ids;
use crate::once::Posted;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(refund))
}

/// Refund tickets: those that are good are canceled, the others are told and stay as they are.
#[utoipa::path(
    post, path = "/tickets/refund", operation_id = "refund_tickets",
    security((), ("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = RefundOrder,
    responses((status = 200, description = "What became of each", body = Refunded), Problems, WriteProblems)
)]
async fn refund(
    State(state): State<AppState>,
    _: MaybeCaller,
    Posted { body, attempt }: Posted<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let mut fields = Body::new(&body);
    let named = fields.texts("ticket_ids", MOST_REFUNDED as usize);
    let reason = fields.text_or_none("reason", 0..=1_000);
    fields.done()?;
    let attempt = attempt.meaning(&state, &(&named, &reason));
    let known: Vec<Option<MovieTicketId>> = named.iter().map(|text| read_id(text)).collect();
    let command = RefundTickets { tickets: known.iter().flatten().copied().collect(), reason };
    let wire = move |outcomes: &Vec<RefundOutcome>| {
        let told = sorted(&named, &known, outcomes);
        let count = told.refunded.len();
        (told, count)
    };
    act(&state, &attempt, command, StatusCode::OK, wire).await
}

/// The id of a ticket; any other text names none.
pub(super) fn read_id(text: &str) -> Option<MovieTicketId> {
    ids::parse_uuid(text).map(MovieTicketId)
}

/// The texts by what became of them. `outcomes` are those of the texts that are ids, in their order.
fn sorted(named: &[String], known: &[Option<MovieTicketId>], outcomes: &[RefundOutcome]) -> Refunded {
    let mut outcomes = outcomes.iter();
    let mut told = Refunded::default();
    for (text, id) in named.iter().zip(known) {
        let outcome = id.and_then(|_| outcomes.next()).copied().unwrap_or(RefundOutcome::NotFound);
        let list = match outcome {
            RefundOutcome::Refunded => &mut told.refunded,
            RefundOutcome::AlreadyCanceled => &mut told.already_canceled,
            RefundOutcome::NotFound => &mut told.not_found,
        };
        list.push(text.clone());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_keeps_the_order_of_the_request() {
        use RefundOutcome::{AlreadyCanceled as Already, NotFound, Refunded as Done};
        let named: Vec<String> = ["x", "b", "a", "y", "b", "c"].map(str::to_owned).into();
        let id = |text: &String| (text < &"x".to_owned()).then_some(MovieTicketId(1));
        let known: Vec<_> = named.iter().map(id).collect();
        let told = sorted(&named, &known, &[Done, Done, Already, NotFound]);
        let texts = |list: &[String]| list.join(" ");
        assert_eq!(texts(&told.refunded), "b a");
        assert_eq!(texts(&told.already_canceled), "b");
        assert_eq!(texts(&told.not_found), "x y c");
    }
}
