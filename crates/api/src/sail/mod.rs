//! The dialect `sail`: a queue per concert, holds of several seats, points.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::limits::Rule;
use crate::state::AppState;

/// The route table.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
}

/// How often what may be asked.
pub(crate) fn limits() -> Vec<Rule> {
    Vec::new()
}

/// The routes with the layers of this dialect.
pub(crate) fn router(_: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    routes
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}
