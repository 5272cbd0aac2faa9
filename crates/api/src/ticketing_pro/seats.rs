//! Seat maps.
use crate::state::AppState;

/// Rendered seat maps.
pub struct SeatPages;

impl SeatPages {
    /// None yet.
    pub fn new(_: usize) -> Self {
        Self
    }
}

pub(super) fn routes() -> utoipa_axum::router::OpenApiRouter<AppState> {
    utoipa_axum::router::OpenApiRouter::default()
}
