//! The dialect `movie`: tickets of general admission, issued and refunded without accounts.

mod errors;
mod input;
mod issue;
mod refund;
mod tickets;
mod wire;

pub use errors::{ErrorBody, ErrorDetail, Issue, Problems, Step, WriteProblems};
pub use wire::{IssueOrder, RefundOrder};

pub(crate) use errors::worded;

use axum::Router;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::fault;
use crate::once::Keys;
use crate::settle::Settle;
use crate::state::AppState;

/// The route table.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().merge(issue::routes()).merge(refund::routes()).merge(tickets::routes())
}

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    // To who asks for a ticket of these names there is none; without this the answer would be "wrong method".
    let names = ["/tickets/issue", "/tickets/refund"];
    let routes = names.into_iter().fold(routes, |routes, path| routes.route(path, get(tickets::unknown)));
    let routes = routes.method_not_allowed_fallback(fault::wrong_method);
    let settle = Settle { state: state.clone(), keys: Keys::OF_ANYBODY, envelope: errors::worded };
    routes.layer((settle, CatchPanicLayer::custom(fault::panicked)))
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
