//! Errors of the dialect: the real status, and `{"statusCode","message","error"}`.

use std::borrow::Cow;

use axum::response::Response;
use engine::refusal::Refusal;
use http::StatusCode;
use serde::Serialize;

use crate::envelope;
use crate::fault::Fault;
use crate::problem::{Body, Problem};

/// What is told of an error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// What the status is called.
    #[schema(examples("Conflict"))]
    pub error: &'static str,
    /// For people to read.
    pub message: Cow<'static, str>,
    /// The HTTP status.
    #[schema(examples(409))]
    pub status_code: u16,
}

impl Body for ErrorBody {}

/// An error of this dialect.
pub type ApiError = Problem<ErrorBody>;

impl ApiError {
    /// An error with a status and a message.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let error = status.canonical_reason().unwrap_or("Error");
        let body = ErrorBody { error, message: message.into(), status_code: status.as_u16() };
        Self { status, body, retry_after: None }
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
            R::NotYours | R::PersonLimit { .. } | R::MustWait => StatusCode::FORBIDDEN,
            R::UserUnknown
            | R::EventUnknown
            | R::SeatUnknown
            | R::TicketTypeUnknown
            | R::ReservationUnknown
            | R::PaymentUnknown => StatusCode::NOT_FOUND,
            R::EmailTaken
            | R::EventState { .. }
            | R::SaleNotOpen { .. }
            | R::SeatTaken { .. }
            | R::StockShort { .. }
            | R::StillHolding
            | R::ReservationPaid
            | R::ReservationUnpaid
            | R::PaymentIncomplete
            | R::PaymentMismatch
            | R::PaymentCanceled
            | R::PaymentSucceeded
            | R::RefundNotDue
            | R::TicketUsed { .. }
            | R::KeyReused => StatusCode::CONFLICT,
            R::LaneFull { .. } => StatusCode::TOO_MANY_REQUESTS,
            R::EventNotOnSale | R::SaleClosed | R::ReservationLapsed | R::ReservationCancelled => StatusCode::GONE,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<&Fault> for ApiError {
    fn from(fault: &Fault) -> Self {
        let message: Cow<'static, str> = match fault {
            Fault::Field { field, issue } => return Self::bad_request(format!("{field}: {issue}")),
            Fault::KeyReused => return Refusal::KeyReused.into(),
            Fault::Unauthorized => "an access token is required".into(),
            Fault::NotJson => "the body must be application/json".into(),
            Fault::Malformed(issue) => issue.clone().into(),
            Fault::TooLarge => "the body is too large".into(),
            Fault::BadKey => "Idempotency-Key must be at most 255 bytes long".into(),
            Fault::RateLimited { .. } => "too many requests".into(),
            Fault::UnknownPath => "there is nothing at this path".into(),
            Fault::WrongMethod => "this method is not allowed here".into(),
            Fault::Busy => "the server is busy, try again in a moment".into(),
            Fault::Unavailable => "the service is unavailable".into(),
            Fault::Failed => "internal server error".into(),
        };
        Self { retry_after: fault.retry_after(), ..Self::new(fault.status(), message) }
    }
}

/// The layer that words what was turned away before a handler saw it.
pub fn envelope(response: Response) -> Response {
    envelope::worded(response, |fault| ApiError::from(fault))
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
