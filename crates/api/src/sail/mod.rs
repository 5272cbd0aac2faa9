//! The dialect `sail`: a queue per concert, holds of several seats, points.

mod auth;
mod concerts;
mod errors;
mod payment;
mod points;
mod reservations;
mod wire;

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::around::AroundLayer;
use crate::fault;
use crate::limits::Rule;
use crate::once::Keys;
use crate::settle::Settle;
use crate::state::AppState;

/// The route table.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .merge(auth::routes())
        .merge(concerts::routes())
        .merge(points::routes())
        .merge(reservations::routes())
        .merge(payment::routes())
}

/// How often what may be asked: its clients know of no limits.
pub(crate) fn limits() -> Vec<Rule> {
    Vec::new()
}

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.method_not_allowed_fallback(errors::wrong_method);
    let settle = Settle { state: state.clone(), keys: Keys::OF_CALLERS, envelope: errors::envelope };
    routes.layer((settle, CatchPanicLayer::custom(errors::panicked)))
}

/// What answers where this dialect has no route.
pub(crate) fn unmatched() -> Router<AppState> {
    Router::new().fallback(fault::unknown_path).layer(AroundLayer(errors::envelope))
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
