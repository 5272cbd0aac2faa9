//! The dialect `tiketi`: `/api/v1/...`, ticket types and seats, a queue, Socket.IO.

mod errors;
mod events;
mod layouts;
mod payments;
mod queue;
mod reservations;
mod seats;
pub mod socket;
mod tickets;
mod wire;

pub use errors::{ApiError, ErrorEnvelope, ReadProblems, WriteProblems};
pub use layouts::LayoutTexts;

pub(crate) use errors::envelope;

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::fault;
use crate::once::Keys;
use crate::settle::Settle;
use crate::state::AppState;

/// The route table.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .merge(events::routes())
        .merge(tickets::routes())
        .merge(layouts::routes())
        .merge(seats::routes())
        .merge(reservations::routes())
        .merge(payments::routes())
        .merge(queue::routes())
}

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.method_not_allowed_fallback(fault::wrong_method);
    let settle = Settle { state: state.clone(), keys: Keys::OF_CALLERS, envelope: errors::envelope };
    let routes = routes.layer((settle, CatchPanicLayer::custom(fault::panicked)));
    routes.merge(state.sockets.routes(state))
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
