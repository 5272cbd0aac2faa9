//! An error as it is answered: what the dialects have in common. What a refusal or a fault is called, and what the body
//! looks like, is each dialect's own.

use axum::response::{IntoResponse, Response};
use desk::{Answer, Stopped, Unavailable};
use engine::command::Command;
use engine::refusal::Refusal;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;

use crate::envelope;
use crate::fault::{self, Fault};
use crate::once::{self, Attempt};
use crate::state::AppState;

/// An error of the dialect whose errors have such a body. A dialect says what it makes of a `&Refusal` and of a
/// `&Fault`; everything else that goes wrong is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem<B> {
    /// Its status.
    pub status: StatusCode,
    /// What is told of it.
    pub body: B,
    /// Seconds to wait before trying again, where that helps.
    pub retry_after: Option<u64>,
}

/// A body that is all there is to tell, so that it can be written where the error is made.
pub trait Body: Serialize {}

impl<B> Problem<B> {
    /// Its answer in the place of a response, whose other headers stay.
    pub fn instead<R>(&self, response: Response<R>, answer: Answer) -> Response {
        let mut told = envelope::instead(response, answer);
        if let Some(seconds) = self.retry_after {
            told.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        told
    }
}

impl<B: Body> Problem<B> {
    /// The answer to keep.
    #[must_use]
    pub fn answer(&self) -> Answer {
        once::answer(self.status, &self.body)
    }
}

impl<B: Body> IntoResponse for Problem<B> {
    fn into_response(self) -> Response {
        self.instead(Response::new(()), self.answer())
    }
}

impl<B> From<Refusal> for Problem<B>
where
    Self: for<'a> From<&'a Refusal>,
{
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl<B> From<Fault> for Problem<B>
where
    Self: for<'a> From<&'a Fault>,
{
    fn from(fault: Fault) -> Self {
        Self::from(&fault)
    }
}

impl<B> From<Unavailable> for Problem<B>
where
    Self: From<Fault>,
{
    fn from(unavailable: Unavailable) -> Self {
        Fault::from(unavailable).into()
    }
}

impl<B> From<Stopped> for Problem<B>
where
    Self: From<Fault> + From<Refusal>,
{
    fn from(stopped: Stopped) -> Self {
        match fault::without_verdict(stopped) {
            Ok(fault) => fault.into(),
            Err(refusal) => refusal.into(),
        }
    }
}

/// Runs a command under the key of an attempt. What `word` makes of the verdict is answered: a body, as JSON with this
/// status, or an error.
///
/// # Errors
/// When the command got no verdict, or the key was used for something else.
pub async fn act<C: Command, W: Serialize, B: Body>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    status: StatusCode,
    word: impl Fn(Result<&C::Reply, &Refusal>) -> Result<W, Problem<B>> + Send + 'static,
) -> Result<Response, Problem<B>>
where
    Problem<B>: From<Stopped>,
{
    let render = move |verdict: Result<&C::Reply, &Refusal>| match word(verdict) {
        Ok(body) => once::answer(status, &body),
        Err(problem) => problem.answer(),
    };
    Ok(once::run(state, attempt, command, render).await?)
}
