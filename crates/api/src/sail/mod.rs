//! The dialect `sail`: a queue per concert, holds of several seats, points.

mod auth;
mod concerts;
mod errors;
mod payment;
mod points;
mod reservations;
mod wire;

pub(crate) use errors::envelope;

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

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

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.method_not_allowed_fallback(errors::wrong_method);
    let settle = Settle { state: state.clone(), keys: Keys::OF_CALLERS, envelope: errors::envelope };
    routes.layer((settle, CatchPanicLayer::custom(errors::panicked)))
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
