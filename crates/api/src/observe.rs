//! What is written down of every request: one log line, one count, one duration.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use metrics::{counter, histogram};

use crate::caller::CallerSlot;
use crate::ids;

/// The layer around everything. Logs the route, never the query or a header: they may carry secrets.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let started = now();
    let slot = CallerSlot::default();
    request.extensions_mut().insert(slot.clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    note(&method, route, response.status(), started, &slot);
    response
}

fn note(method: &Method, route: &str, status: StatusCode, started: Instant, slot: &CallerSlot) {
    let took = started.elapsed();
    let labels = [("method", method.to_string()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
    counter!("maepyo_requests_total", &labels).increment(1);
    histogram!("maepyo_request_seconds", "route" => route.to_owned()).record(took);
    if tracing::enabled!(tracing::Level::INFO) {
        let user = slot.get().map(|caller| ids::user(caller.user)).unwrap_or_default();
        let ms = took.as_secs_f64() * 1_000.0;
        tracing::info!(%method, route, status = status.as_u16(), ms, user, "request");
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a request took is measured at the edge")]
fn now() -> Instant {
    Instant::now()
}
