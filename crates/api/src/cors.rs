//! Which web front ends browsers may call from (CORS).

use std::time::Duration;

use http::header::{CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long a browser may remember what it was allowed.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What answers browsers that ask for the front ends, by name: a wildcard would let any page act with the rights of
/// whoever looks at it. `None` where there are no front ends.
pub(crate) fn layer(front_ends: &[String]) -> Option<CorsLayer> {
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
    Some(layer)
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
