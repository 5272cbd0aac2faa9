//! Which web front ends browsers may call from (CORS).

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures_util::future::Either;
use http::header::{CONTENT_TYPE, ETAG, LOCATION, ORIGIN, RETRY_AFTER, VARY};
use http::{HeaderName, HeaderValue, Method};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ResponseFuture};

use crate::around::{AroundLayer, Surrounding};

/// How long a browser may remember what it was allowed.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What answers browsers that ask for the front ends, by name: a wildcard would let any page act with the rights of
/// whoever looks at it. `None` where there are no front ends.
pub(crate) fn layer(front_ends: &[String]) -> Option<BrowserLayer> {
    let origins: Vec<HeaderValue> = front_ends.iter().filter_map(|own| HeaderValue::from_str(own).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let told = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "idempotent-replayed"];
    let told = told.map(HeaderName::from_static).into_iter().chain([CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER]);
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(methods)
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(told.collect::<Vec<_>>())
        .allow_credentials(true)
        .max_age(REMEMBERED);
    Some(BrowserLayer(Arc::new(layer)))
}

/// Who says nothing of an origin asks for nothing: the layer of CORS takes a thirtieth of what a hold costs. It is shared, since
/// every request gets services of its own.
#[derive(Clone)]
pub(crate) struct BrowserLayer(Arc<CorsLayer>);

/// What remains of it for them: a cache must not give what they got to who has an origin.
type Varied = fn(Response) -> Response;

fn varied(mut response: Response) -> Response {
    response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    response
}

impl<S> Layer<S> for BrowserLayer {
    type Service = Browsers<S>;

    fn layer(&self, inner: S) -> Browsers<S> {
        Browsers { cors: self.0.clone(), inner }
    }
}

/// A service that answers browsers, and others.
#[derive(Clone)]
pub(crate) struct Browsers<S> {
    cors: Arc<CorsLayer>,
    inner: S,
}

impl<S> Service<Request> for Browsers<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<ResponseFuture<S::Future>, Surrounding<Varied, S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.headers().contains_key(ORIGIN) {
            Either::Left(self.cors.layer(&mut self.inner).call(request))
        } else {
            Either::Right(AroundLayer(varied as Varied).layer(&mut self.inner).call(request))
        }
    }
}

/// Whether a text is an origin as browsers send it: scheme, host, and a port where it is not the usual one.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for good in ["https://tickets.example", "http://localhost:3000", "http://[::1]:8080"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in
            ["", "*", "null", "tickets.example", "https://*.example", "https://a.example/", "ftp://a", "https://"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn without_front_ends_nothing_is_answered() {
        assert!(layer(&[]).is_none());
        assert!(layer(&["https://tickets.example".to_owned()]).is_some());
    }
}
