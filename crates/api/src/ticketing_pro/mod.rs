//! The house dialect, `ticketing_pro`: `/api/...`, snake_case, its own error envelope.

mod announcement;
mod auth;
mod bookings;
mod errors;
mod event_input;
mod events;
mod notifications;
mod payment;
mod queue;
mod search;
mod seats;
mod stream;
mod tickets;
mod users;
mod webhooks;
mod wire;

pub use announcement::{Announcement, announce};
pub use errors::{ApiError, ErrorBody, ErrorEnvelope, ReadProblems, WriteProblems, act, code};
#[cfg(test)]
pub(crate) use event_input::tests::event as event_of;
pub(crate) use search::{CARDS, card};

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::errors::Envelope;
use crate::around::AroundLayer;
use crate::fault::{self, Fault};
use crate::limits::{self, Counted, PerMinute, Rule};
use crate::once::Keys;
use crate::settle::Settle;
use crate::state::AppState;

/// The route table.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .merge(auth::routes())
        .merge(events::routes())
        .merge(seats::routes())
        .merge(bookings::routes())
        .merge(payment::routes())
        .merge(tickets::routes())
        .merge(users::routes())
        .merge(queue::routes())
        .merge(search::routes())
        .merge(notifications::routes())
        .merge(webhooks::routes())
        .merge(stream::routes())
}

/// How often what may be asked.
pub(crate) fn limits(per_minute: &PerMinute) -> Vec<Rule> {
    let rule = |method, path, per_minute| Rule { method, path, per_minute, counted: Counted::Requests };
    vec![
        Rule::login("/api/auth/login", per_minute),
        Rule::registration("/api/auth/register", per_minute),
        rule(Method::POST, "/api/bookings", per_minute.bookings),
        rule(Method::POST, "/api/payment/create-intent", per_minute.create_intent),
        rule(Method::GET, "/api/events", per_minute.events),
        rule(Method::GET, "/api/search/events", per_minute.search),
    ]
}

/// The routes with the layers of this dialect.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.method_not_allowed_fallback(fault::wrong_method);
    let settle = Settle { state: state.clone(), keys: Keys::OF_CALLERS, envelope: Envelope(state.clone()) };
    let caught = CatchPanicLayer::custom(fault::panicked);
    match state.settings.rate_limits {
        true => routes.layer((settle, from_fn_with_state(state.clone(), limits::enforce), caught)),
        false => routes.layer((settle, caught)),
    }
}

/// The description of the routes.
pub(crate) fn openapi() -> OpenApi {
    routes().split_for_parts().1
}

/// Answers what no route knows: `/api/payments/…` is another name of `/api/payment/…`, all else is not there.
pub(crate) fn unmatched(
    known: Router,
    state: AppState,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static {
    let answer = service_fn(move |request: Request| {
        let known = known.clone();
        async move {
            match alias(request.uri()) {
                Some(uri) => known.oneshot(renamed(request, uri)).await,
                None => Ok(Fault::UnknownPath.into_response()),
            }
        }
    });
    AroundLayer(Envelope(state)).layer(answer)
}

fn alias(uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix("/api/payments/")?;
    format!("/api/payment/{rest}").parse().ok()
}

fn renamed(mut request: Request, uri: Uri) -> Request<Body> {
    let original = std::mem::replace(request.uri_mut(), uri);
    request.extensions_mut().insert(OriginalUri(original));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_is_another_name_of_payment() {
        let renamed = |path: &str| alias(&path.parse().expect("a path")).map(|uri| uri.to_string());
        assert_eq!(renamed("/api/payments/pi_1/cancel?a=b").as_deref(), Some("/api/payment/pi_1/cancel?a=b"));
        assert_eq!(renamed("/api/paymentsx/pi_1"), None);
        assert_eq!(renamed("/api/payment/pi_1"), None);
    }
}
