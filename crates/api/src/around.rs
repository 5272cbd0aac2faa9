//! A layer that looks at a request on its way in and at the response on its way out, and waits for nothing itself.
//!
//! `axum::middleware::from_fn` can do that too, and can also wait; for that it boxes a future and copies the rest of the
//! stack for every request. What every request passes is written with this instead.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// What is done around every request.
pub trait Around: Clone + Send + Sync + 'static {
    /// What is remembered of a request until its response comes.
    type Kept: Send;

    /// Looks at a request before anybody else.
    fn arrives(&self, request: &mut Request) -> Self::Kept;

    /// Looks at its response after everybody else.
    fn leaves(&self, kept: Self::Kept, response: Response) -> Response;
}

/// What only looks at responses.
impl<L: Fn(Response) -> Response + Clone + Send + Sync + 'static> Around for L {
    type Kept = ();

    fn arrives(&self, _: &mut Request) {}

    fn leaves(&self, (): (), response: Response) -> Response {
        self(response)
    }
}

/// The layer of something that is done around every request.
#[derive(Debug, Clone)]
pub struct AroundLayer<A>(pub A);

impl<A: Around, S> Layer<S> for AroundLayer<A> {
    type Service = Surrounded<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Surrounded { around: self.0.clone(), inner }
    }
}

/// A service with something done around every request.
#[derive(Debug, Clone)]
pub struct Surrounded<A, S> {
    around: A,
    inner: S,
}

impl<A, S> Service<Request> for Surrounded<A, S>
where
    A: Around,
    S: Service<Request, Error = Infallible, Response: IntoResponse>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Surrounding<A, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let kept = Some(self.around.arrives(&mut request));
        Surrounding { around: self.around.clone(), kept, inner: self.inner.call(request) }
    }
}

pin_project! {
    /// A response that is looked at when it comes.
    pub struct Surrounding<A: Around, F> {
        around: A,
        kept: Option<A::Kept>,
        #[pin]
        inner: F,
    }
}

impl<A, F, R> Future for Surrounding<A, F>
where
    A: Around,
    F: Future<Output = Result<R, Infallible>>,
    R: IntoResponse,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(Ok(response)) = this.inner.poll(cx) else { return Poll::Pending };
        let response = match this.kept.take() {
            Some(kept) => this.around.leaves(kept, response.into_response()),
            None => response.into_response(),
        };
        Poll::Ready(Ok(response))
    }
}
