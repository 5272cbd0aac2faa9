//! Requests that must happen once: the `Idempotency-Key` header, and the answers kept under it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use desk::{Answer, Once, Render, Stopped};
use engine::command::{Command, KeepAnswer};
use engine::id::UserId;
use engine::refusal::Refusal;
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit, Mac};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::body;
use crate::caller::{self, MaybeCaller};
use crate::envelope;
use crate::fault::Fault;
use crate::state::AppState;

/// The header that carries a key.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

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
    key: Option<Arc<Key>>,
    /// The path it was sent to.
    pub path: String,
    /// The body as it was sent.
    pub bytes: Bytes,
}

impl Attempt {
    /// The same attempt of a person whom no access token named: the keys of different people never meet.
    #[must_use]
    pub fn of(mut self, user: UserId) -> Self {
        if let Some(key) = &mut self.key {
            Arc::make_mut(key).owner = Owner::Caller(Some(user));
        }
        self
    }

    /// The same attempt, told apart by what it asks for instead of by the bytes in which it does: requests that mean
    /// the same are then the same request under their key, however each is written.
    #[must_use]
    pub fn meaning(mut self, state: &AppState, meaning: &impl Serialize) -> Self {
        if let (Some(key), Ok(text)) = (&mut self.key, serde_json::to_vec(meaning)) {
            Arc::make_mut(key).request = digest(&state.settings.jwt_secret, &text);
        }
        self
    }
}

/// How a dialect tells keys apart.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Whether a key is everybody's, where there are no accounts, instead of whoever sends it.
    pub anybody: bool,
    /// The route that a path leads to, where a route has more names than one.
    pub route: fn(&str) -> &str,
}

impl Keys {
    /// A key is whoever sends it.
    pub const OF_CALLERS: Self = Self { anybody: false, route: |path| path };
    /// A key stands for one request, whoever sends it.
    pub const OF_ANYBODY: Self = Self { anybody: true, route: |path| path };
}

/// Whose a key is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Anybody,
    Caller(Option<UserId>),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("anybody"),
            Self::Caller(user) => write!(f, "{:x}", user.map_or(0, |user| user.0)),
        }
    }
}

/// An idempotency key and what it stands for.
#[derive(Debug, Clone)]
pub struct Key {
    owner: Owner,
    method: Method,
    route: String,
    word: String,
    request: [u8; 32],
    /// Whether what is answered has been looked up or kept under it.
    asked: Arc<AtomicBool>,
}

impl Key {
    fn once(&self) -> Once {
        let Self { owner, method, route, word, .. } = self;
        Once { key: format!("{owner} {method} {route} {word}"), request: self.request }
    }

    /// Runs a command under it; the answer is sealed while it is kept.
    async fn run<C: Command>(&self, state: &AppState, command: C, render: Render<C::Reply>) -> Result<Answer, Stopped> {
        self.asked.store(true, Ordering::Relaxed);
        let seal = state.seal.clone();
        let render = move |verdict: Result<&C::Reply, &Refusal>| {
            let answer = render(verdict);
            Answer { body: seal.seal(answer.body), ..answer }
        };
        opened(state, state.desk.run_once(command, Some(self.once()), Box::new(render)).await?)
    }

    /// Keeps an answer that no command gave, unless there is one.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn keep(&self, state: &AppState, answer: Answer) -> Result<Answer, Stopped> {
        self.run(state, KeepAnswer, Box::new(move |_| answer.clone())).await
    }

    /// The answer that was given before.
    ///
    /// # Errors
    /// As [`replayed`].
    pub async fn replay(&self, state: &AppState) -> Result<Option<Answer>, Stopped> {
        let found = state.desk.replay(&self.once()).await;
        self.asked.store(!matches!(found, Ok(None)), Ordering::Relaxed);
        found?.map(|answer| opened(state, answer)).transpose()
    }
}

fn opened(state: &AppState, answer: Answer) -> Result<Answer, Stopped> {
    let body = state.seal.open(&answer.body);
    let body = body.ok_or_else(|| Stopped::Unavailable("a kept answer cannot be opened".to_owned()))?;
    Ok(Answer { body, ..answer })
}

/// Where the key of a request is left for the layer around its handler.
#[derive(Clone)]
pub struct Slot {
    keys: Keys,
    key: Arc<OnceLock<Arc<Key>>>,
}

impl Slot {
    /// For a request with a key.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self { keys, key: Arc::default() }
    }

    /// The key, where the request was read and nothing has been answered under it.
    #[must_use]
    pub fn unasked(&self) -> Option<&Key> {
        self.key.get().map(|key| &**key).filter(|key| !key.asked.load(Ordering::Relaxed))
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
        let word = word(request.headers())?;
        let path = caller::path(request.extensions(), request.uri()).to_owned();
        let Some(word) = word else {
            return Ok(Self { key: None, path, bytes: read(request).await? });
        };
        let (parts, body) = request.into_parts();
        let slot = parts.extensions.get::<Slot>().cloned().unwrap_or_else(|| Slot::new(Keys::OF_CALLERS));
        let owner = owner(&parts, slot.keys, state).await;
        let (method, route) = (parts.method.clone(), (slot.keys.route)(parts.uri.path()).to_owned());
        let bytes = read(Request::from_parts(parts, body)).await?;
        let request = digest(&state.settings.jwt_secret, &bytes);
        let key = Arc::new(Key { owner, method, route, word, request, asked: Arc::default() });
        let _ = slot.key.set(key.clone());
        Ok(Self { key: Some(key), path, bytes })
    }
}

async fn owner(parts: &Parts, keys: Keys, state: &AppState) -> Owner {
    if keys.anybody {
        return Owner::Anybody;
    }
    // A bad token is the handler's to refuse; here it only means that nobody is signed in.
    let caller = caller::of(parts, state).await.unwrap_or(MaybeCaller(None)).0;
    Owner::Caller(caller.map(|caller| caller.user))
}

/// The key a request carries; an empty one counts as none.
fn word(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let word = value.as_bytes().trim_ascii();
    match word.len() {
        0 => Ok(None),
        // Whatever its bytes mean to who sent them: each is one character, so that no two keys become the same.
        1..=LONGEST_KEY => Ok(Some(word.iter().copied().map(char::from).collect())),
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
pub fn run<C: Command>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    render: impl Fn(Result<&C::Reply, &Refusal>) -> Answer + Send + 'static,
) -> impl Future<Output = Result<Response, Stopped>> {
    run_boxed(state, attempt, command, Box::new(render))
}

async fn run_boxed<C: Command>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    render: Render<C::Reply>,
) -> Result<Response, Stopped> {
    let answer = match &attempt.key {
        Some(key) => key.run(state, command, render).await?,
        None => state.desk.run_once(command, None, render).await?,
    };
    Ok(respond(answer))
}

/// Keeps an answer that no command gave under the key of an attempt, where it has one.
///
/// # Errors
/// As [`run`].
pub async fn keep(state: &AppState, attempt: &Attempt, answer: Answer) -> Result<Response, Stopped> {
    match &attempt.key {
        Some(key) => key.keep(state, answer).await.map(respond),
        None => Ok(respond(answer)),
    }
}

/// The answer this attempt was given before, for handlers of more than one step.
///
/// # Errors
/// [`Refusal::KeyReused`] when the key was used with another body.
pub async fn replayed(state: &AppState, attempt: &Attempt) -> Result<Option<Response>, Stopped> {
    match &attempt.key {
        Some(key) => Ok(key.replay(state).await?.map(respond)),
        None => Ok(None),
    }
}

/// Says of an answer that it was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Whether a response is an answer that was given before.
#[must_use]
pub fn is_replayed(response: &Response) -> bool {
    response.headers().contains_key(REPLAYED)
}

/// The answer with this status and body.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("texts, numbers and lists are always JSON");
    Answer { status: status.as_u16(), body, replayed: false }
}

/// The response of an answer.
#[must_use]
pub fn respond(answer: Answer) -> Response {
    envelope::instead(Response::new(()), answer)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))])
    }

    #[test]
    fn an_empty_key_is_none_and_a_long_one_is_refused() {
        assert_eq!(word(&HeaderMap::new()), Ok(None));
        assert_eq!(word(&headers("idempotency-key", "  ")), Ok(None));
        assert_eq!(word(&headers("idempotency-key", " a ")), Ok(Some("a".to_owned())));
        assert_eq!(word(&headers("idempotency-key", &"k".repeat(255))), Ok(Some("k".repeat(255))));
        assert_eq!(word(&headers("idempotency-key", &"k".repeat(256))), Err(Fault::BadKey));
    }

    #[test]
    fn a_key_may_be_of_any_bytes_and_each_is_another() {
        let keys = [&b"\xc3\xa9"[..], b"\xe9", b"e", "주문".as_bytes()].map(|bytes| {
            let value = HeaderValue::from_bytes(bytes).expect("a header");
            word(&HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value)])).expect("a key")
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
