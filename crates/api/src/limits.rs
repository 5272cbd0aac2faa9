//! Rate limits: so many requests in a minute from one client, by path.
//!
//! A client's minute begins with its first request, and it has all of them again when that minute is over: what
//! `X-RateLimit-Reset` says, and no more than that many in it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use desk::{Span, Time};
use engine::id::UserId;
use http::{Extensions, HeaderMap, HeaderName, Method};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::caller::{self, MaybeCaller, Network};
use crate::fault::Fault;
use crate::state::AppState;

/// How long a limit counts.
const MINUTE: Span = Span::seconds(60);

/// The most clients a rule counts by themselves; those who come when there are as many share one count.
const MOST_CLIENTS: usize = 65_536;

/// How many requests a minute a client may send; 0 for as many as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct PerMinute {
    /// `POST /api/auth/login` and `POST /auth/login`, together
    pub login: u32,
    /// `POST /api/auth/register` and `POST /auth/register`, together
    pub register: u32,
    /// `POST /api/bookings`
    pub bookings: u32,
    /// `POST /api/payment/create-intent`
    pub create_intent: u32,
    /// `GET /api/events`
    pub events: u32,
    /// `GET /api/search/events`
    pub search: u32,
}

impl PerMinute {
    /// What clients know.
    pub const USUAL: Self = Self { login: 10, register: 5, bookings: 20, create_intent: 30, events: 100, search: 60 };
}

/// How often something may be asked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The method.
    pub method: Method,
    /// The path, as routes are written.
    pub path: &'static str,
    /// How many requests a minute; 0 for as many as one likes.
    pub per_minute: u32,
    /// What is counted.
    pub counted: Counted,
}

impl Rule {
    /// For a path where one signs in.
    #[must_use]
    pub fn login(path: &'static str, per_minute: &PerMinute) -> Self {
        Self { method: Method::POST, path, per_minute: per_minute.login, counted: Counted::Logins }
    }

    /// For a path where one registers.
    #[must_use]
    pub fn registration(path: &'static str, per_minute: &PerMinute) -> Self {
        Self { method: Method::POST, path, per_minute: per_minute.register, counted: Counted::Registrations }
    }
}

/// What a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The requests for its path, of each client.
    Requests,
    /// Attempts to sign in at any path, of each address: who guesses passwords may have as many tokens as he likes.
    Logins,
    /// Registrations at any path, of each address: each makes another token.
    Registrations,
}

/// A client: the person who is signed in, else an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    User(UserId),
    Network(Network),
    /// Everybody for whom there is no room.
    Other,
}

/// The minute of a client.
#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Time,
    requests: u32,
}

/// A rule and what was asked of it.
struct Limit {
    rule: Rule,
    /// One for all rules that count the same.
    windows: Arc<Mutex<Windows>>,
}

/// The minutes of all clients.
struct Windows {
    by_client: HashMap<Client, Window>,
    /// When those that are over are forgotten next, which takes a look at all of them.
    tidied: Time,
}

impl Default for Windows {
    fn default() -> Self {
        Self { by_client: HashMap::new(), tidied: Time::NEVER }
    }
}

/// The limits in force.
pub struct Limits(Vec<Limit>);

/// What a limit said of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    limit: u32,
    remaining: u32,
    /// When as much is allowed as ever.
    reset: Time,
    allowed: bool,
}

impl Limits {
    /// Limits by these rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut limits: Vec<Limit> = Vec::new();
        for rule in rules.into_iter().filter(|rule| rule.per_minute > 0) {
            let alone = rule.counted == Counted::Requests;
            let same = limits.iter().find(|own| !alone && own.rule.counted == rule.counted);
            let windows = same.map(|own| own.windows.clone()).unwrap_or_default();
            limits.push(Limit { rule, windows });
        }
        Self(limits)
    }

    fn of(&self, method: &Method, path: &str) -> Option<&Limit> {
        // HEAD is a GET whose body is left out: it costs as much.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.iter().find(|limit| limit.rule.method == *method && limit.rule.path == path)
    }
}

impl Limit {
    fn check(&self, client: Client, now: Time) -> Verdict {
        let limit = self.rule.per_minute;
        let mut windows = self.windows.lock();
        let window = windows.of(client, now);
        let allowed = window.requests < limit;
        window.requests += u32::from(allowed);
        Verdict { limit, remaining: limit - window.requests, reset: window.ends, allowed }
    }
}

impl Windows {
    /// The minute a client is in.
    fn of(&mut self, client: Client, now: Time) -> &mut Window {
        self.tidy(now);
        let full = self.by_client.len() >= MOST_CLIENTS && !self.by_client.contains_key(&client);
        let fresh = Window { ends: now + MINUTE, requests: 0 };
        let window = self.by_client.entry(if full { Client::Other } else { client }).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        window
    }

    /// Forgets, once a minute, whose minute is over.
    fn tidy(&mut self, now: Time) {
        if self.tidied + MINUTE <= now {
            self.by_client.retain(|_, window| window.ends > now);
            self.tidied = now;
        }
    }
}

impl Verdict {
    /// Seconds until as much is allowed as ever, at least one.
    fn wait(&self, now: Time) -> u64 {
        seconds_up(self.reset.0 - now.0).max(1)
    }

    /// The first whole second at which as much is allowed as ever: the same all through a minute.
    fn reset_second(&self) -> u64 {
        seconds_up(self.reset.0)
    }
}

/// Microseconds as seconds, a part of one counted as a whole one.
fn seconds_up(microseconds: i64) -> u64 {
    u64::try_from(microseconds).unwrap_or(0).div_ceil(1_000_000)
}

/// The layer that holds requests to the limits.
pub async fn enforce(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(limit) = state.limits.of(request.method(), path) else { return next.run(request).await };
    let client = client(limit.rule.counted, request.headers(), request.extensions(), &state).await;
    let now = state.desk.now();
    let verdict = limit.check(client, now);
    let response = match verdict.allowed {
        true => next.run(request).await,
        false => Fault::RateLimited { retry_after: verdict.wait(now) }.into_response(),
    };
    with_headers(response, verdict)
}

fn with_headers(mut response: Response, verdict: Verdict) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), verdict.limit.into());
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), verdict.remaining.into());
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), verdict.reset_second().into());
    response
}

async fn client(counted: Counted, headers: &HeaderMap, extensions: &Extensions, state: &AppState) -> Client {
    if counted == Counted::Requests
        && let Ok(MaybeCaller(Some(caller))) = caller::identify(headers, extensions, state).await
    {
        return Client::User(caller.user);
    }
    Client::Network(Network::of(headers, extensions, state))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const START: Time = Time::from_millis(1_000_000_000);

    fn at(milliseconds: i64) -> Time {
        Time::from_millis(START.millis() + milliseconds)
    }

    fn limits() -> Limits {
        let rule = |method, path, per_minute| Rule { method, path, per_minute, counted: Counted::Requests };
        Limits::new([rule(Method::POST, "/a", 3), rule(Method::GET, "/list", 3), rule(Method::GET, "/free", 0)])
    }

    fn limit(limits: &Limits) -> &Limit {
        limits.of(&Method::POST, "/a").expect("a rule")
    }

    #[test]
    fn a_minute_has_exactly_as_many_requests_as_the_limit_says_and_then_all_of_them_again() {
        let limits = limits();
        let (limit, client) = (limit(&limits), Client::User(UserId(1)));
        for minute in [0, 60_000, 200_000] {
            for (after, remaining) in [(0, 2), (20_000, 1), (40_000, 0)] {
                let verdict = limit.check(client, at(minute + after));
                assert_eq!((verdict.allowed, verdict.limit, verdict.remaining), (true, 3, remaining));
                assert_eq!(verdict.reset, at(minute + 60_000));
            }
            let refused = limit.check(client, at(minute + 59_999));
            assert_eq!((refused.allowed, refused.remaining, refused.wait(at(minute + 59_999))), (false, 0, 1));
            assert_eq!(refused.wait(at(minute + 15_000)), 45);
        }
    }

    #[test]
    fn the_second_that_is_named_stays_the_same_and_has_all_requests_again() {
        let limits = limits();
        let (limit, client) = (limit(&limits), Client::User(UserId(1)));
        let named = 1_000_061;
        for after in [400, 999, 1_000, 30_000, 60_000, 60_399] {
            let verdict = limit.check(client, at(after));
            assert_eq!((verdict.reset_second(), verdict.reset), (named, at(60_400)), "{after}");
        }
        assert!(!limit.check(client, at(60_399)).allowed);
        let again = limit.check(client, Time::from_millis(1_000_061_000));
        assert_eq!((again.allowed, again.remaining, again.reset_second()), (true, 2, named + 60));
        let whole = limit.check(Client::User(UserId(2)), START);
        assert_eq!(whole.reset_second(), 1_000_060, "a minute that ends with a second");
    }

    #[test]
    fn clients_are_counted_by_themselves() {
        let limits = limits();
        for _ in 0..3 {
            assert!(limit(&limits).check(Client::User(UserId(1)), START).allowed);
        }
        assert!(!limit(&limits).check(Client::User(UserId(1)), START).allowed);
        assert!(limit(&limits).check(Client::User(UserId(2)), START).allowed);
    }

    #[test]
    fn passwords_are_counted_together_whatever_the_path_and_registrations_by_themselves() {
        let usual = &PerMinute { login: 2, register: 1, ..PerMinute::USUAL };
        let rules = [Rule::login("/a", usual), Rule::registration("/b", usual), Rule::login("/c", usual)];
        let limits = Limits::new(rules);
        let client = Client::Network(IpAddr::from([192, 0, 2, 1]).into());
        let allowed = |path| limits.of(&Method::POST, path).expect("a rule").check(client, START).allowed;
        assert!(allowed("/a") && allowed("/c"));
        assert!(!allowed("/a") && !allowed("/c"));
        assert!(allowed("/b"));
        assert!(!allowed("/b"));
    }

    #[test]
    fn what_has_no_rule_or_a_rule_of_none_has_no_limit() {
        let limits = limits();
        let there = |method, path| limits.of(&method, path).is_some();
        assert!(there(Method::GET, "/list") && there(Method::HEAD, "/list"));
        assert!(!there(Method::GET, "/a") && !there(Method::POST, "/c") && !there(Method::GET, "/free"));
    }

    #[test]
    fn clients_that_are_gone_are_forgotten_and_those_for_whom_there_is_no_room_share_a_count() {
        let limits = limits();
        let limit = limit(&limits);
        let known = || limit.windows.lock().by_client.len();
        for user in 0..MOST_CLIENTS as u128 {
            limit.check(Client::User(UserId(user)), START);
        }
        for user in 0..3 {
            assert!(limit.check(Client::User(UserId(user + (1 << 20))), at(1)).allowed);
        }
        assert!(!limit.check(Client::User(UserId(1 << 30)), at(2)).allowed);
        assert!(limit.check(Client::User(UserId(1)), at(2)).allowed, "who is known stays so");
        assert_eq!(known(), MOST_CLIENTS + 1);
        limit.check(Client::User(UserId(1)), at(120_000));
        assert_eq!(known(), 1);
    }
}
