//! Errors of the dialect: the real status, and `{"statusCode","message","error"}`.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use desk::{Answer, Stopped, Unavailable};
use engine::command::Command;
use engine::refusal::Refusal;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use serde_json::json;

use crate::envelope;
use crate::fault::{self, Fault};
use crate::once::{self, Attempt};
use crate::state::AppState;

/// An error of this dialect.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<u64>,
}

impl ApiError {
    /// An error with a status and a message.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// 400.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401.
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// The answer to keep.
    pub fn answer(&self) -> Answer {
        let reason = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({"statusCode": self.status.as_u16(), "message": self.message, "error": reason});
        Answer { status: self.status.as_u16(), body: body.to_string().into_bytes(), replayed: false }
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        use Refusal as R;
        let status = match refusal {
            R::EventInvalid { .. }
            | R::TooMany { .. }
            | R::SeatRepeated
            | R::NothingWanted
            | R::TotalDiffers { .. }
            | R::AmountInvalid => StatusCode::BAD_REQUEST,
            R::PaymentDeclined | R::BalanceShort { .. } => StatusCode::PAYMENT_REQUIRED,
            R::NotYours | R::PersonLimit { .. } | R::SaleNotOpen { .. } | R::MustWait => StatusCode::FORBIDDEN,
            R::UserUnknown
            | R::EventUnknown
            | R::SeatUnknown
            | R::TicketTypeUnknown
            | R::ReservationUnknown
            | R::PaymentUnknown => StatusCode::NOT_FOUND,
            R::EmailTaken
            | R::EventState { .. }
            | R::SeatTaken { .. }
            | R::StockShort { .. }
            | R::StillHolding
            | R::ReservationPaid
            | R::ReservationUnpaid
            | R::PaymentIncomplete
            | R::PaymentMismatch
            | R::PaymentCanceled
            | R::PaymentSucceeded
            | R::TicketUsed { .. }
            | R::KeyReused => StatusCode::CONFLICT,
            R::LaneFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            R::EventNotOnSale | R::SaleClosed | R::ReservationLapsed | R::ReservationCancelled => StatusCode::GONE,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl From<&Fault> for ApiError {
    fn from(fault: &Fault) -> Self {
        let (status, message): (_, Cow<'static, str>) = match fault {
            Fault::Unauthorized => (StatusCode::UNAUTHORIZED, "an access token is required".into()),
            Fault::NotJson => (StatusCode::BAD_REQUEST, "the body must be application/json".into()),
            Fault::Malformed(issue) => (StatusCode::BAD_REQUEST, issue.clone().into()),
            Fault::Field { field, issue } => (StatusCode::BAD_REQUEST, format!("{field}: {issue}").into()),
            Fault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large".into()),
            Fault::KeyReused => return Refusal::KeyReused.into(),
            Fault::BadKey => (StatusCode::BAD_REQUEST, "Idempotency-Key must be at most 255 bytes long".into()),
            Fault::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "too many requests".into()),
            Fault::UnknownPath => (StatusCode::NOT_FOUND, "there is nothing at this path".into()),
            Fault::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here".into()),
            Fault::Busy => (StatusCode::SERVICE_UNAVAILABLE, "the server is busy, try again in a moment".into()),
            Fault::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "the service is unavailable".into()),
        };
        Self { retry_after: fault.retry_after(), ..Self::new(status, message) }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::from(&fault)
    }
}

impl From<Stopped> for ApiError {
    fn from(stopped: Stopped) -> Self {
        match fault::without_verdict(stopped) {
            Ok(fault) => fault.into(),
            Err(refusal) => refusal.into(),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(unavailable: Unavailable) -> Self {
        Fault::from(unavailable).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = once::respond(self.answer());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The layer that words what was turned away before a handler saw it.
pub fn envelope(response: Response) -> Response {
    envelope::worded(response, |fault| ApiError::from(fault).answer())
}

/// What answers when a handler panics. The panic itself is logged by the panic hook.
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error").into_response()
}

/// Runs a command under the key of an attempt; the reply becomes JSON by `wire`, with this status, a refusal an error.
///
/// # Errors
/// When the command got no verdict, or the key was used for something else.
pub async fn act<C, W>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    status: StatusCode,
    wire: impl Fn(&C::Reply) -> W + Send + 'static,
) -> Result<Response, ApiError>
where
    C: Command,
    W: Serialize,
{
    let render = move |verdict: Result<&C::Reply, &Refusal>| match verdict {
        Ok(reply) => answer(status, &wire(reply)),
        Err(refusal) => ApiError::from(refusal).answer(),
    };
    Ok(once::run(state, attempt, command, render).await?)
}

/// The answer with this status and body.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("a body of texts and numbers is always JSON");
    Answer { status: status.as_u16(), body, replayed: false }
}

/// An error, for the description of the interface.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The HTTP status.
    #[schema(examples(409))]
    pub status_code: u16,
    /// For people to read.
    pub message: String,
    /// What the status is called.
    #[schema(examples("Conflict"))]
    pub error: String,
}

/// What any request with a token may be answered instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum Problems {
    /// The request is malformed
    #[response(status = 400)]
    BadRequest(#[to_schema] ErrorBody),
    /// No token, or one that does not count
    #[response(status = 401)]
    Unauthorized(#[to_schema] ErrorBody),
    /// Too many requests
    #[response(status = 429)]
    TooManyRequests(#[to_schema] ErrorBody),
    /// Try again in a moment
    #[response(status = 503)]
    Unavailable(#[to_schema] ErrorBody),
}

/// What a POST or PATCH may be answered besides [`Problems`].
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum WriteProblems {
    /// It clashes with what is there, or the idempotency key was used for another request
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorBody),
    /// The body is longer than 1 MiB
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorBody),
}

/// There is no such thing.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum Unknown {
    /// There is no such thing
    #[response(status = 404)]
    NotFound(#[to_schema] ErrorBody),
}

/// Not allowed, to this person or now.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum Forbidden {
    /// Not allowed to this person, or not now
    #[response(status = 403)]
    Forbidden(#[to_schema] ErrorBody),
}
