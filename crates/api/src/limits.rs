//! Rate limits: so many requests a minute from one client, by path.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::id::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{Extensions, HeaderMap, HeaderName, Method};

use crate::caller::{self, MaybeCaller};
use crate::fault::Fault;
use crate::state::AppState;

/// After how many requests clients that were not seen for a minute are forgotten.
const TIDY_EVERY: u32 = 4096;

/// How often something may be asked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The method.
    pub method: Method,
    /// The paths, as routes are written; they share the limit.
    pub paths: &'static [&'static str],
    /// How many requests a minute.
    pub per_minute: NonZeroU32,
}

/// A client: the person who is signed in, else an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    User(UserId),
    Address(IpAddr),
}

type Limiter = RateLimiter<Client, DefaultKeyedStateStore<Client>, DefaultClock, StateInformationMiddleware>;

/// The limits in force.
pub struct Limits {
    rules: Vec<(Rule, Limiter)>,
    until_tidy: AtomicU32,
}

/// What a limit said of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    limit: u32,
    remaining: u32,
    /// Seconds until as much is allowed as ever; for a refused request, until it would be let through.
    reset_in: u64,
    allowed: bool,
}

impl Limits {
    /// Limits by these rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let limiter = |rule: Rule| {
            let limiter = RateLimiter::keyed(Quota::per_minute(rule.per_minute));
            (rule, limiter.with_middleware::<StateInformationMiddleware>())
        };
        Self { rules: rules.into_iter().map(limiter).collect(), until_tidy: AtomicU32::new(TIDY_EVERY) }
    }

    fn rule(&self, method: &Method, path: &str) -> Option<&(Rule, Limiter)> {
        // HEAD is a GET whose body is left out: it costs as much.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.rules.iter().find(|(rule, _)| rule.method == *method && rule.paths.contains(&path))
    }

    fn check(&self, (rule, limiter): &(Rule, Limiter), client: Client) -> Verdict {
        self.tidy();
        let limit = rule.per_minute.get();
        match limiter.check_key(&client) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset_in = u64::from((limit - remaining.min(limit)) * 60).div_ceil(u64::from(limit));
                Verdict { limit, remaining, reset_in, allowed: true }
            }
            Err(denied) => {
                let wait = denied.wait_time_from(DefaultClock::default().now());
                Verdict { limit, remaining: 0, reset_in: seconds(wait), allowed: false }
            }
        }
    }

    /// Forgets clients that have not been seen for long, now and then.
    fn tidy(&self) {
        if self.until_tidy.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.rules.iter().for_each(|(_, limiter)| limiter.retain_recent());
            self.until_tidy.store(TIDY_EVERY, Ordering::Relaxed);
        }
    }
}

fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The layer that holds requests to the limits.
pub async fn enforce(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(rule) = state.limits.rule(request.method(), path) else { return next.run(request).await };
    let verdict = state.limits.check(rule, client(request.headers(), request.extensions(), &state).await);
    let response = match verdict.allowed {
        true => next.run(request).await,
        false => Fault::RateLimited { retry_after: verdict.reset_in }.into_response(),
    };
    let reset = u64::try_from(state.desk.now().seconds()).unwrap_or(0) + verdict.reset_in;
    with_headers(response, verdict, reset)
}

fn with_headers(mut response: Response, verdict: Verdict, reset: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), verdict.limit.into());
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), verdict.remaining.into());
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), reset.into());
    response
}

async fn client(headers: &HeaderMap, extensions: &Extensions, state: &AppState) -> Client {
    match caller::identify(headers, extensions, state).await {
        Ok(MaybeCaller(Some(caller))) => Client::User(caller.user),
        _ => Client::Address(network(caller::address(headers, extensions, &state.settings.trusted_proxies))),
    }
}

/// An IPv6 client has a whole /64 of addresses to itself, so they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(own) => IpAddr::V6(Ipv6Addr::from_bits(own.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let per_minute = NonZeroU32::new(3).expect("not zero");
        let list = Rule { method: Method::GET, paths: &["/list"], per_minute };
        Limits::new([Rule { method: Method::POST, paths: &["/a", "/b"], per_minute }, list])
    }

    #[test]
    fn the_fourth_request_of_three_a_minute_is_refused_and_told_when_to_return() {
        let limits = limits();
        let rule = limits.rule(&Method::POST, "/a").expect("a rule");
        let client = Client::User(UserId(1));
        for remaining in [2, 1, 0] {
            let verdict = limits.check(rule, client);
            assert_eq!((verdict.allowed, verdict.limit, verdict.remaining), (true, 3, remaining));
        }
        let refused = limits.check(rule, client);
        assert!(!refused.allowed);
        assert!((1..=20).contains(&refused.reset_in), "{refused:?}");
        assert!(limits.check(rule, Client::User(UserId(2))).allowed, "another client has its own");
    }

    #[test]
    fn paths_of_a_rule_share_its_limit_and_others_have_none() {
        let limits = limits();
        let rule = |method, path| limits.rule(&method, path).map(|(rule, _)| rule.per_minute.get());
        assert_eq!(rule(Method::POST, "/a"), rule(Method::POST, "/b"));
        assert_eq!(rule(Method::GET, "/a"), None);
        assert_eq!((rule(Method::GET, "/list"), rule(Method::HEAD, "/list")), (Some(3), Some(3)));
        assert_eq!(rule(Method::POST, "/c"), None);
    }

    #[test]
    fn clients_that_are_gone_are_forgotten() {
        let limits = limits();
        let rule = limits.rule(&Method::POST, "/a").expect("a rule");
        for _ in 0..=TIDY_EVERY {
            limits.check(rule, Client::User(UserId(1)));
        }
        assert_eq!(rule.1.len(), 1, "a client within its minute stays");
        assert!(limits.until_tidy.load(Ordering::Relaxed) >= TIDY_EVERY - 1);
    }

    #[test]
    fn a_whole_ipv6_network_is_one_client() {
        let read = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(read("2001:db8::1"), read("2001:db8::ffff:2"));
        assert_ne!(read("2001:db8::1"), read("2001:db8:0:1::1"));
        assert_ne!(read("192.0.2.1"), read("192.0.2.2"));
    }
}
