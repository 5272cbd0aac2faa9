//! Requests that must happen once: the `Idempotency-Key` header, and the answers kept under it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use desk::{Answer, Once, Stopped};
use engine::command::{Command, Context, Decision, Verdict};
use engine::id::UserId;
use engine::refusal::Refusal;
use engine::world::World;
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit, Mac};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::body;
use crate::caller::{self, MaybeCaller};
use crate::fault::Fault;
use crate::state::AppState;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// How long a body may take to arrive: who sends slower than this holds a connection for nothing.
const LONGEST_BODY: Duration = Duration::from_secs(10);

/// How much of a body that is too long is taken in and forgotten, in bytes: who is still sending does not see an answer.
const MOST_IGNORED: usize = 32 * 1024 * 1024;

/// A POST or PATCH: its body, and what makes it one of its kind.
pub struct Posted<T> {
    /// The body, read.
    pub body: T,
    /// Which attempt it is.
    pub attempt: Attempt,
}

/// A POST or PATCH whose body says nothing. What is sent anyway must be JSON.
pub type Bare = Posted<serde::de::IgnoredAny>;

/// One request to change something.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Under which key it happens once, where it has one.
    pub once: Option<Once>,
    /// The path it was sent to.
    pub path: String,
    /// The body as it was sent.
    pub bytes: Bytes,
}

impl Attempt {
    /// The same attempt of a person whom no access token named: the keys of different people never meet.
    #[must_use]
    pub fn of(mut self, user: UserId) -> Self {
        if let Some(once) = &mut self.once {
            once.key.insert_str(0, &format!("{:x} of ", user.0));
        }
        self
    }

    /// The same attempt where there are no accounts: whoever sends it, and by whichever of its names the route, here by
    /// the first, is called, a key stands for one request.
    #[must_use]
    pub fn of_anybody(mut self, route: &str) -> Self {
        if let Some(once) = &mut self.once
            && let [_, method, _, key] = once.key.splitn(4, ' ').collect::<Vec<_>>()[..]
        {
            once.key = format!("anybody {method} {route} {key}");
        }
        self
    }

    /// The same attempt, told apart by what it asks for instead of by the bytes in which it does: requests that mean
    /// the same are then the same request under their key, however each is written.
    #[must_use]
    pub fn meaning(mut self, state: &AppState, meaning: &impl Serialize) -> Self {
        if let (Some(once), Ok(text)) = (&mut self.once, serde_json::to_vec(meaning)) {
            once.request = digest(&state.settings.jwt_secret, &text);
        }
        self
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Posted<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Fault> {
        let json = is_json(request.headers());
        let attempt = Attempt::from_request(request, state).await?;
        if !json && !attempt.bytes.is_empty() {
            return Err(Fault::NotJson);
        }
        Ok(Self { body: body::parse(&attempt.bytes)?, attempt })
    }
}

impl FromRequest<AppState> for Attempt {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Fault> {
        let key = key(request.headers())?;
        let path = caller::path(request.extensions(), request.uri()).to_owned();
        let Some(key) = key else {
            return Ok(Self { once: None, path, bytes: read(request).await? });
        };
        let (parts, body) = request.into_parts();
        // A bad token is the handler's to refuse; here it only means that nobody is signed in.
        let caller = caller::of(&parts, state).await.unwrap_or(MaybeCaller(None)).0;
        let caller = caller.map_or(0, |caller| caller.user.0);
        let key = format!("{caller:x} {} {path} {key}", parts.method);
        let bytes = read(Request::from_parts(parts, body)).await?;
        let request = digest(&state.settings.jwt_secret, &bytes);
        Ok(Self { once: Some(Once { key, request }), path, bytes })
    }
}

/// The key a request carries; an empty one counts as none.
fn key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.as_bytes().trim_ascii();
    match key.len() {
        0 => Ok(None),
        // Whatever its bytes mean to who sent them: each is one character, so that no two keys become the same.
        1..=LONGEST_KEY => Ok(Some(key.iter().copied().map(char::from).collect())),
        _ => Err(Fault::BadKey),
    }
}

/// Keyed, so that nobody who reads the store can guess passwords from the digests of bodies.
fn digest(secret: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")
}

async fn read(request: Request) -> Result<Bytes, Fault> {
    let arrived = tokio::time::timeout(LONGEST_BODY, collect(request.into_body())).await;
    arrived.map_err(|_| Fault::Malformed("the body did not arrive in time".to_owned()))?
}

async fn collect(body: Body) -> Result<Bytes, Fault> {
    let mut chunks = body.into_data_stream();
    let (mut all, mut length) = (BytesMut::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Fault::Malformed("the body could not be read".to_owned()))?;
        length += chunk.len();
        if length <= body::MOST_BYTES {
            all.extend_from_slice(&chunk);
        } else if length > MOST_IGNORED {
            break;
        }
    }
    if length > body::MOST_BYTES { Err(Fault::TooLarge) } else { Ok(all.freeze()) }
}

/// Runs a command under the key of an attempt and answers as `render` says, or as it was answered before.
///
/// # Errors
/// [`Stopped`], never for a refusal: `render` answers those. A reused key is [`Refusal::KeyReused`].
pub async fn run<C: Command>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    render: impl Fn(Result<&C::Reply, &Refusal>) -> Answer + Send + 'static,
) -> Result<Response, Stopped> {
    let answer = state.desk.run_once(command, attempt.once.clone(), render).await?;
    Ok(respond(answer))
}

/// Keeps an answer that no command gave under the key of an attempt, where it has one.
///
/// # Errors
/// As [`run`].
pub async fn keep(state: &AppState, attempt: &Attempt, answer: Answer) -> Result<Response, Stopped> {
    match attempt.once {
        None => Ok(respond(answer)),
        Some(_) => run(state, attempt, Keep, move |_| answer.clone()).await,
    }
}

/// Changes nothing: what is kept is the answer.
struct Keep;

impl Command for Keep {
    type Reply = ();
    const NAME: &'static str = "Keep";

    fn decide(&self, _: &World, _: &mut Context) -> Verdict<()> {
        Ok(Decision::new(()))
    }
}

/// The answer this attempt was given before, for handlers of more than one step.
///
/// # Errors
/// [`Refusal::KeyReused`] when the key was used with another body.
pub async fn replayed(state: &AppState, attempt: &Attempt) -> Result<Option<Response>, Stopped> {
    let Some(once) = &attempt.once else { return Ok(None) };
    Ok(state.desk.replay(once).await?.map(respond))
}

/// Says of an answer that it was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Whether a response is an answer that was given before.
#[must_use]
pub fn is_replayed(response: &Response) -> bool {
    response.headers().contains_key(REPLAYED)
}

/// The response of an answer.
#[must_use]
pub fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (status, json, answer.body).into_response();
    if answer.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))])
    }

    #[test]
    fn an_empty_key_is_none_and_a_long_one_is_refused() {
        assert_eq!(key(&HeaderMap::new()), Ok(None));
        assert_eq!(key(&headers("idempotency-key", "  ")), Ok(None));
        assert_eq!(key(&headers("idempotency-key", " a ")), Ok(Some("a".to_owned())));
        assert_eq!(key(&headers("idempotency-key", &"k".repeat(255))), Ok(Some("k".repeat(255))));
        assert_eq!(key(&headers("idempotency-key", &"k".repeat(256))), Err(Fault::BadKey));
    }

    #[test]
    fn a_key_may_be_of_any_bytes_and_each_is_another() {
        let keys = [&b"\xc3\xa9"[..], b"\xe9", b"e", "주문".as_bytes()].map(|bytes| {
            let value = HeaderValue::from_bytes(bytes).expect("a header");
            key(&HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value)])).expect("a key")
        });
        let distinct: std::collections::BTreeSet<_> = keys.iter().flatten().collect();
        assert_eq!(distinct.len(), 4, "{keys:?}");
    }

    #[test]
    fn only_json_is_taken() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(&headers("content-type", good)), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert!(!is_json(&headers("content-type", bad)), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
