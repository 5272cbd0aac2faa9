//! What operators ask: whether it lives, whether it serves, what it has counted.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metrics::gauge;
use serde_json::json;

use crate::state::AppState;

/// The routes for operators.
pub fn routes() -> Router<AppState> {
    probes().route("/metrics", get(metrics))
}

/// Those of them that tell nothing but whether the server is well; and the front door.
pub fn probes() -> Router<AppState> {
    Router::new().route("/health", get(health)).route("/ready", get(ready)).route("/", get(front))
}

/// The front door leads to where the API can be tried.
async fn front() -> Redirect {
    Redirect::temporary("/docs/")
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok", "service": "ticket-service"}))
}

async fn ready(State(state): State<AppState>) -> Response {
    match state.desk.ready().await {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(desk::Unavailable(reason)) => {
            tracing::warn!(%reason, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "unavailable"}))).into_response()
        }
    }
}

/// Prometheus text. Without the store the gauges stay as they were, the counters still answer.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
async fn metrics(State(state): State<AppState>) -> Response {
    if let Ok(gauges) = state.desk.gauges().await {
        gauge!("maepyo_queue_length").set(gauges.queued as f64);
        gauge!("maepyo_jobs").set(gauges.jobs as f64);
        gauge!("maepyo_refunds_failed").set(gauges.stuck_refunds as f64);
        gauge!("maepyo_outbox_lag_seconds").set(gauges.lag.0 as f64 / 1_000_000.0);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render()).into_response()
}
