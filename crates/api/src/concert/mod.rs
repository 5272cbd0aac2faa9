//! The dialect `concert`: a token and its turn, a hold of one seat, a prepaid balance.

mod concerts;
mod errors;
mod payment;
mod reservations;
mod token;
mod wire;

pub(crate) use errors::Envelope;

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
        .merge(token::routes())
        .merge(concerts::routes())
        .merge(reservations::routes())
        .merge(payment::routes())
}

/// The route by the first of its names.
fn route(path: &str) -> &str {
    match path {
        "/api/reservation" => "/api/reservations",
        "/api/payments" => "/api/payment",
        "/api/payments/recharge" => "/api/payment/recharge",
        _ => path,
    }
}

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.method_not_allowed_fallback(fault::wrong_method);
    let keys = Keys { anybody: true, route };
    let settle = Settle { state: state.clone(), keys, envelope: errors::Envelope };
    routes.layer((settle, CatchPanicLayer::custom(fault::panicked)))
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
