//! Refusals found before a command was asked, by extractors and handlers: they too are answered once under a key.
//!
//! A command looks its key up in its own transaction. What is refused before that is looked up here, on the way out, so
//! that requests which are granted, and those without a key, pay nothing for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use desk::{Answer, Stopped};
use futures_util::future::Either;
use http::StatusCode;
use http::header::RETRY_AFTER;
use http::response::Parts;
use tower::{Layer, Service};

use crate::around::{Around, AroundLayer, Surrounded};
use crate::envelope;
use crate::fault::{self, Fault};
use crate::once::{HEADER, Key, Keys, Slot};
use crate::state::AppState;

/// The layer around a dialect: its envelope, and its idempotency keys.
#[derive(Clone)]
pub struct Settle<A> {
    /// What is at hand.
    pub state: AppState,
    /// How the dialect tells keys apart.
    pub keys: Keys,
    /// How it words errors.
    pub envelope: A,
}

impl<A: Around, S> Layer<S> for Settle<A> {
    type Service = Settled<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Settled { settle: self.clone(), inner: AroundLayer(self.envelope.clone()).layer(inner) }
    }
}

/// A dialect's routes with their envelope and their keys.
#[derive(Clone)]
pub struct Settled<A, S> {
    settle: Settle<A>,
    inner: Surrounded<A, S>,
}

impl<A, S> Service<Request> for Settled<A, S>
where
    A: Around,
    S: Service<Request, Error = Infallible, Response: IntoResponse, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<
        <Surrounded<A, S> as Service<Request>>::Future,
        Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if !request.headers().contains_key(HEADER) {
            return Either::Left(self.inner.call(request));
        }
        let (settle, slot) = (self.settle.clone(), Slot::new(self.settle.keys));
        request.extensions_mut().insert(slot.clone());
        let kept = settle.envelope.arrives(&mut request);
        let answered = self.inner.call(request);
        Either::Right(Box::pin(async move {
            let Ok(response) = answered.await;
            Ok(match slot.unasked().filter(|_| may_be_settled(response.status())) {
                Some(key) => settle.settle(key, kept, response).await,
                None => response,
            })
        }))
    }
}

impl<A: Around> Settle<A> {
    /// What a refusal becomes under the key of its request.
    async fn settle(&self, key: &Key, kept: A::Kept, refusal: Response) -> Response {
        let (mut parts, body) = refusal.into_parts();
        match answer(&self.state, key, &parts, body).await {
            Ok(answer) => envelope::instead(Response::from_parts(parts, ()), answer),
            Err(stopped) => {
                let mut response = fault::without_verdict(stopped).unwrap_or(Fault::KeyReused).into_response();
                parts.headers.remove(RETRY_AFTER);
                *response.headers_mut() = parts.headers;
                self.envelope.leaves(kept, response)
            }
        }
    }
}

/// The answer that is kept under a key: this refusal, or what was answered before.
async fn answer(state: &AppState, key: &Key, refusal: &Parts, body: Body) -> Result<Answer, Stopped> {
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    let answer = Answer { status: refusal.status.as_u16(), body, replayed: false };
    match is_kept(refusal.status) {
        true => key.keep(state, answer).await,
        false => Ok(key.replay(state).await?.unwrap_or(answer)),
    }
}

/// Whether an answer given before may stand in for a response: to whoever shows a token that does not count, nothing is
/// told again.
fn may_be_settled(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::UNAUTHORIZED
}

/// Whether a refusal uses its key up: one that says how things stand does. One that says what is wrong with the request
/// does not, that will be sent corrected; nor does one for who has to pay, to wait or to be somebody else first.
fn is_kept(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::GONE)
}
