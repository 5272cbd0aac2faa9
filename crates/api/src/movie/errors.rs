//! Errors of this dialect: `{"detail": …}`, a text, or for input that does not pass a list of what is wrong where.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::response::{IntoResponse, Response};
use engine::command::Command;
use engine::refusal::Refusal;
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;

use crate::fault::Fault;
use crate::observe::Count;
use crate::once::{self, Attempt};
use crate::problem::{self, Body, Problem};
use crate::state::AppState;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Issue {
    /// Where: `body`, `query` or `header`, the field, and in a list the place of the item.
    #[schema(examples(json!(["body", "price_krw"])))]
    pub loc: Vec<Step>,
    /// What is wrong, for people to read.
    #[schema(examples("Input should be a valid integer"))]
    pub msg: Cow<'static, str>,
    /// What is wrong, for programs.
    #[serde(rename = "type")]
    #[schema(examples("int_type"))]
    pub kind: &'static str,
}

/// A step on the way to what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Step {
    /// A name.
    Name(Cow<'static, str>),
    /// A place in a list, from zero.
    Place(usize),
}

impl From<&'static str> for Step {
    fn from(name: &'static str) -> Self {
        Self::Name(name.into())
    }
}

impl Issue {
    /// Something wrong with a field of the `body`, the `query` or a `header`.
    pub(super) fn new(
        part: &'static str,
        field: &'static str,
        kind: &'static str,
        msg: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { loc: vec![part.into(), field.into()], msg: msg.into(), kind }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ErrorDetail {
    /// For people to read.
    Text(Cow<'static, str>),
    /// Everything that did not pass.
    Issues(Vec<Issue>),
}

/// The body of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// A text, or for status 400 a list.
    pub detail: ErrorDetail,
}

impl Body for ErrorBody {}

/// An error of this dialect.
pub(super) type ApiError = Problem<ErrorBody>;

impl ApiError {
    fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, body: ErrorBody { detail: ErrorDetail::Text(text.into()) }, retry_after: None }
    }

    /// 400 with everything that did not pass.
    pub(super) fn invalid(issues: Vec<Issue>) -> Self {
        let body = ErrorBody { detail: ErrorDetail::Issues(issues) };
        Self { status: StatusCode::BAD_REQUEST, body, retry_after: None }
    }

    /// 404: there is no such ticket.
    pub(super) fn no_ticket() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Ticket not found")
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        use Refusal as R;
        let status = match refusal {
            R::StillHolding | R::KeyReused | R::EventState { .. } | R::TicketUsed { .. } | R::EmailTaken => {
                StatusCode::CONFLICT
            }
            R::UserUnknown
            | R::EventUnknown
            | R::SeatUnknown
            | R::TicketTypeUnknown
            | R::ReservationUnknown
            | R::PaymentUnknown => StatusCode::NOT_FOUND,
            R::NotYours | R::PersonLimit { .. } | R::MustWait => StatusCode::FORBIDDEN,
            R::LaneFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            R::AmountInvalid
            | R::NothingWanted
            | R::TooMany { .. }
            | R::EventNotOnSale
            | R::SaleNotOpen { .. }
            | R::SaleClosed
            | R::EventInvalid { .. }
            | R::SeatTaken { .. }
            | R::SeatRepeated
            | R::TotalDiffers { .. }
            | R::StockShort { .. }
            | R::ReservationLapsed
            | R::ReservationCancelled
            | R::ReservationPaid
            | R::ReservationUnpaid
            | R::PaymentIncomplete
            | R::PaymentMismatch
            | R::PaymentCanceled
            | R::PaymentSucceeded
            | R::PaymentDeclined
            | R::RefundNotDue
            | R::BalanceShort { .. } => StatusCode::BAD_REQUEST,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<&Fault> for ApiError {
    fn from(fault: &Fault) -> Self {
        let of_body = |kind, msg: Cow<'static, str>| Self::invalid(vec![Issue { loc: vec!["body".into()], msg, kind }]);
        let text: Cow<'static, str> = match fault {
            Fault::NotJson => return of_body("json_invalid", "The content type should be application/json".into()),
            Fault::Malformed(issue) => return of_body("json_invalid", format!("JSON decode error: {issue}").into()),
            Fault::Field { field, issue } => {
                let loc = vec!["body".into(), Step::Name(field.clone().into())];
                return Self::invalid(vec![Issue { loc, msg: issue.clone().into(), kind: "value_error" }]);
            }
            Fault::KeyReused => return Refusal::KeyReused.into(),
            Fault::BadKey => {
                let msg = "Should be at most 255 bytes long";
                return Self::invalid(vec![Issue::new("header", "idempotency-key", "string_too_long", msg)]);
            }
            // The interface promises a 500 where its store fails.
            Fault::Unavailable => return Fault::Failed.into(),
            Fault::Unauthorized => "Invalid authentication credentials".into(),
            Fault::TooLarge => "Request body too large".into(),
            Fault::RateLimited { .. } => "Too many requests".into(),
            Fault::UnknownPath => "Not Found".into(),
            Fault::WrongMethod => "Method Not Allowed".into(),
            Fault::Busy => "The server is busy, try again in a moment".into(),
            Fault::Failed => "Internal server error".into(),
        };
        Self { retry_after: fault.retry_after(), ..Self::new(fault.status(), text) }
    }
}

/// The layer that words what was turned away before a handler of this dialect was asked.
pub(crate) fn worded(mut response: Response) -> Response {
    let fault = response.extensions_mut().remove::<Fault>().map(ApiError::from);
    let Some(error) = fault.or_else(|| foreign(&response)) else { return response };
    let mut worded = error.into_response();
    worded.headers_mut().extend(response.headers_mut().remove(ALLOW).map(|methods| (ALLOW, methods)));
    worded
}

/// The error of a response that a library made.
fn foreign(response: &Response) -> Option<ApiError> {
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|own| own == "application/json");
    let reason = status.canonical_reason().unwrap_or("The request is malformed");
    let failed = status.is_client_error() || status.is_server_error();
    (failed && !json).then(|| ApiError::new(status, reason))
}

/// Runs a command under the key of an attempt. `wire` makes the answer of the reply, and says how many tickets it
/// issued or gave back, which is written into the log.
///
/// # Errors
/// When the command got no verdict, or the key was used for something else.
pub(super) async fn act<C: Command, W: Serialize>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    status: StatusCode,
    wire: impl Fn(&C::Reply) -> (W, usize) + Send + 'static,
) -> Result<Response, ApiError> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let word = move |verdict: Result<&C::Reply, &Refusal>| {
        let (body, count) = wire(verdict?);
        counted.store(count as u64, Ordering::Relaxed);
        Ok(body)
    };
    let mut response = problem::act(state, attempt, command, status, word).await?;
    // An answer that is given again has done nothing, whatever was rendered before that was found out.
    let count = if once::is_replayed(&response) { 0 } else { count.load(Ordering::Relaxed) };
    response.extensions_mut().insert(Count(count));
    Ok(response)
}

/// What any request may be answered instead.
#[derive(utoipa::IntoResponses)]
pub enum Problems {
    /// A value is not allowed, or the body is no JSON object: `detail` lists everything that is wrong
    #[response(status = 400)]
    Invalid(#[to_schema] ErrorBody),
    /// The Authorization header does not hold a valid token
    #[response(status = 401)]
    Unauthorized(#[to_schema] ErrorBody),
    /// The path is there, the method is not
    #[response(status = 405)]
    WrongMethod(#[to_schema] ErrorBody),
    /// The store failed: whether it was done is not known
    #[response(status = 500)]
    Failed(#[to_schema] ErrorBody),
    /// Too much is waiting: nothing was done, try again in a moment
    #[response(status = 503)]
    Busy(#[to_schema] ErrorBody),
}

/// What a request that changes something may be answered besides [`Problems`].
#[derive(utoipa::IntoResponses)]
pub enum WriteProblems {
    /// The idempotency key was used for another request
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorBody),
    /// The body is longer than 1 MiB
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorBody),
}
