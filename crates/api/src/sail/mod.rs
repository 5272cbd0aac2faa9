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
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::fault;
use crate::limits::{self, PerMinute, Rule};
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

/// How often what may be asked: passwords are those of the house.
pub(crate) fn limits(per_minute: &PerMinute) -> Vec<Rule> {
    vec![Rule::login("/auth/login", per_minute), Rule::registration("/auth/register", per_minute)]
}

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.method_not_allowed_fallback(fault::wrong_method);
    let settle = Settle { state: state.clone(), keys: Keys::OF_CALLERS, envelope: errors::envelope };
    let caught = CatchPanicLayer::custom(fault::panicked);
    // Where an address alone is enough to sign in there is no password to be guessed.
    match state.settings.rate_limits && !state.settings.sail_passwordless {
        true => routes.layer((settle, from_fn_with_state(state.clone(), limits::enforce), caught)),
        false => routes.layer((settle, caught)),
    }
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
