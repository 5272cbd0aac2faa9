//! What is written down of every request: one log line, one count, one duration.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};
use parking_lot::RwLock;

use crate::around::Around;
use crate::caller::CallerSlot;
use crate::ids;
use crate::state::AppState;

/// The meters of each method, status and route, looked up without naming them anew.
#[derive(Default)]
pub struct Meters(RwLock<HashMap<(&'static str, u16), ByRoute>>);

type ByRoute = HashMap<String, Meter>;

#[derive(Clone)]
struct Meter {
    requests: Counter,
    seconds: Histogram,
}

impl Meters {
    fn record(&self, method: &'static str, route: &str, status: StatusCode, took: Duration) {
        let key = (method, status.as_u16());
        let known = self.0.read().get(&key).and_then(|routes| routes.get(route)).cloned();
        let meter = known.unwrap_or_else(|| {
            let meter = Meter::named(method, route, status);
            self.0.write().entry(key).or_default().insert(route.to_owned(), meter.clone());
            meter
        });
        meter.requests.increment(1);
        meter.seconds.record(took);
    }
}

impl Meter {
    fn named(method: &'static str, route: &str, status: StatusCode) -> Self {
        let (route, status) = (route.to_owned(), status.as_str().to_owned());
        Self {
            seconds: histogram!("maepyo_request_seconds", "method" => method, "route" => route.clone()),
            requests: counter!("maepyo_requests_total", "method" => method, "route" => route, "status" => status),
        }
    }
}

/// How many things a request made or changed: an extension of its response, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Count(pub u64);

/// The layer around everything. Logs the route, never the query or a header: they may carry secrets.
#[derive(Clone)]
pub struct Observe(pub AppState);

/// What is remembered of a request until it is answered.
pub struct Arrived {
    started: Instant,
    caller: CallerSlot,
    route: Option<MatchedPath>,
    method: &'static str,
}

impl Around for Observe {
    type Kept = Arrived;

    fn arrives(&self, request: &mut Request) -> Arrived {
        let caller = CallerSlot::default();
        request.extensions_mut().insert(caller.clone());
        let route = request.extensions().get::<MatchedPath>().cloned();
        Arrived { started: now(), caller, route, method: name(request.method()) }
    }

    fn leaves(&self, arrived: Arrived, response: Response) -> Response {
        let Arrived { started, caller, route, method } = arrived;
        let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let took = started.elapsed();
        self.0.meters.record(method, route, response.status(), took);
        let count = response.extensions().get::<Count>().copied();
        log(method, route, response.status(), took, &caller, count);
        response
    }
}

fn log(method: &'static str, route: &str, status: StatusCode, took: Duration, slot: &CallerSlot, count: Option<Count>) {
    if tracing::enabled!(tracing::Level::INFO) {
        let user = slot.get().map(|caller| ids::user(caller.user)).unwrap_or_default();
        let ms = took.as_secs_f64() * 1_000.0;
        tracing::info!(
            method,
            route,
            status = status.as_u16(),
            ms,
            user,
            count = count.map(|count| count.0),
            "request"
        );
    }
}

/// The method's name; one for all that nobody has heard of, so that clients cannot make up meters.
fn name(method: &Method) -> &'static str {
    let known = ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("OTHER")
}

#[expect(clippy::disallowed_methods, reason = "how long a request took is measured at the edge")]
fn now() -> Instant {
    Instant::now()
}
