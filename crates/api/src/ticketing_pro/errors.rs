//! Errors of the house dialect: one envelope, `{"error":{code,message,details?},"timestamp","path"}`.

use std::borrow::Cow;

use axum::extract::{OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use desk::{Answer, Stopped, Time};
use engine::command::Command;
use engine::refusal::Refusal;
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};

use crate::around::Around;
use crate::clock;
use crate::fault::Fault;
use crate::once::{self, Attempt};
use crate::problem::Problem;
use crate::state::AppState;

/// The codes of the dialect.
pub mod code {
    /// Malformed, or against a rule.
    pub const INVALID_REQUEST: &str = "INVALID_REQUEST";
    /// Nobody is signed in.
    pub const UNAUTHORIZED: &str = "UNAUTHORIZED";
    /// Somebody else's, or for other roles.
    pub const FORBIDDEN: &str = "FORBIDDEN";
    /// There is no such thing.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// It is there already.
    pub const ALREADY_EXISTS: &str = "ALREADY_EXISTS";
    /// Somebody has the seat, or none are left.
    pub const SEAT_NOT_AVAILABLE: &str = "SEAT_NOT_AVAILABLE";
    /// The money did not come.
    pub const PAYMENT_FAILED: &str = "PAYMENT_FAILED";
    /// The hold ran out.
    pub const BOOKING_EXPIRED: &str = "BOOKING_EXPIRED";
    /// It is not in the state for this.
    pub const CONFLICT: &str = "CONFLICT";
    /// Too many requests.
    pub const RATE_LIMIT_EXCEEDED: &str = "RATE_LIMIT_EXCEEDED";
    /// Try again in a moment.
    pub const SERVICE_UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
    /// A fault of this server.
    pub const INTERNAL_ERROR: &str = "INTERNAL_ERROR";
}

/// What is wrong with a request.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// One of the codes.
    #[schema(examples("INVALID_REQUEST"))]
    pub code: &'static str,
    /// Which field, or what else helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Box<Value>>,
    /// For people to read.
    pub message: Cow<'static, str>,
    /// Seconds to wait, for `RATE_LIMIT_EXCEEDED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// The envelope.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorEnvelope {
    /// What is wrong.
    pub error: ErrorBody,
    /// The path that was asked for.
    pub path: String,
    /// When, RFC 3339 in UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
}

/// An error of this dialect. Its envelope tells path and time, of which nobody knows where it is made: as a response it
/// carries itself as an extension, and [`Envelope`] writes the body.
pub type ApiError = Problem<ErrorBody>;

impl ApiError {
    /// An error with a status, a code of [`code`] and a message.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let body = ErrorBody { code, details: None, message: message.into(), retry_after: None };
        Self { status, body, retry_after: None }
    }

    /// 400 `INVALID_REQUEST`.
    #[must_use]
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, message)
    }

    /// 401 `UNAUTHORIZED`.
    #[must_use]
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED, message)
    }

    /// 403 `FORBIDDEN`.
    #[must_use]
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code::FORBIDDEN, message)
    }

    /// 404 `NOT_FOUND`: there is no such event, booking, …
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, format!("{what} not found"))
    }

    /// 422 `INVALID_REQUEST` with `details.field` and `details.issue`.
    #[must_use]
    pub fn field(field: &str, issue: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::INVALID_REQUEST, "Invalid request parameters");
        error.details(json!({"field": field, "issue": issue.into()}))
    }

    /// 400 `PAYMENT_FAILED`.
    #[must_use]
    pub fn payment_failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::PAYMENT_FAILED, message)
    }

    /// The same with details.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.body.details = Some(Box::new(details));
        self
    }

    /// The answer to keep for a request to `path` at `at`.
    #[must_use]
    pub fn answer(&self, path: &str, at: Time) -> Answer {
        let envelope = ErrorEnvelope { error: self.body.clone(), path: path.to_owned(), timestamp: clock::rfc3339(at) };
        once::answer(self.status, &envelope)
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        use Refusal as R;
        let (status, code) = match refusal {
            R::EmailTaken => (400, code::ALREADY_EXISTS),
            R::UserUnknown
            | R::EventUnknown
            | R::SeatUnknown
            | R::TicketTypeUnknown
            | R::ReservationUnknown
            | R::PaymentUnknown => (404, code::NOT_FOUND),
            R::NotYours | R::PersonLimit { .. } | R::MustWait => (403, code::FORBIDDEN),
            R::LaneFull { .. } => (429, code::RATE_LIMIT_EXCEEDED),
            R::EventNotOnSale
            | R::SaleNotOpen { .. }
            | R::SaleClosed
            | R::TooMany { .. }
            | R::SeatRepeated
            | R::NothingWanted
            | R::TotalDiffers { .. }
            | R::ReservationCancelled
            | R::ReservationPaid
            | R::ReservationUnpaid
            | R::AmountInvalid => (400, code::INVALID_REQUEST),
            R::SeatTaken { .. } | R::StockShort { .. } => (400, code::SEAT_NOT_AVAILABLE),
            R::ReservationLapsed => (400, code::BOOKING_EXPIRED),
            R::PaymentIncomplete | R::PaymentMismatch | R::PaymentCanceled | R::PaymentSucceeded => {
                (400, code::PAYMENT_FAILED)
            }
            R::PaymentDeclined | R::BalanceShort { .. } => (402, code::PAYMENT_FAILED),
            R::EventState { .. } | R::StillHolding | R::RefundNotDue | R::TicketUsed { .. } | R::KeyReused => {
                (409, code::CONFLICT)
            }
            R::EventInvalid { field, issue } => return Self::field(field, issue.as_str()),
        };
        let status = StatusCode::from_u16(status).expect("the statuses above are statuses");
        let error = Self::new(status, code, refusal.to_string());
        match details(refusal) {
            Some(details) => error.details(details),
            None => error,
        }
    }
}

/// What a client can make use of besides the message.
fn details(refusal: &Refusal) -> Option<Value> {
    Some(match refusal {
        Refusal::SeatTaken { label } => json!({"seat_id": label}),
        Refusal::StockShort { left } => json!({"left": left}),
        Refusal::TooMany { limit } | Refusal::PersonLimit { limit } | Refusal::LaneFull { limit } => {
            json!({"limit": limit})
        }
        Refusal::TotalDiffers { expected } => json!({"field": "total_amount", "expected": expected}),
        Refusal::SaleNotOpen { opens } => json!({"sale_start": clock::rfc3339(*opens)}),
        Refusal::TicketUsed { at } => json!({"used_at": clock::rfc3339(*at)}),
        _ => return None,
    })
}

impl From<&Fault> for ApiError {
    fn from(fault: &Fault) -> Self {
        let (code, message): (_, Cow<'static, str>) = match fault {
            Fault::Field { field, issue } => return Self::field(field, issue.as_str()),
            Fault::KeyReused => return Refusal::KeyReused.into(),
            Fault::Unauthorized => (code::UNAUTHORIZED, "Authentication is required".into()),
            Fault::NotJson => (code::INVALID_REQUEST, "The body must be application/json".into()),
            Fault::Malformed(issue) => (code::INVALID_REQUEST, issue.clone().into()),
            Fault::TooLarge => (code::INVALID_REQUEST, "The body is too large".into()),
            Fault::BadKey => (code::INVALID_REQUEST, "Idempotency-Key must be at most 255 bytes long".into()),
            Fault::RateLimited { .. } => {
                (code::RATE_LIMIT_EXCEEDED, "Too many requests. Please try again later.".into())
            }
            Fault::UnknownPath => (code::NOT_FOUND, "There is nothing at this path".into()),
            Fault::WrongMethod => (code::INVALID_REQUEST, "This method is not allowed here".into()),
            Fault::Busy => (code::SERVICE_UNAVAILABLE, "The server is busy. Please try again in a moment.".into()),
            Fault::Unavailable => (code::SERVICE_UNAVAILABLE, "The service is unavailable".into()),
            Fault::Failed => (code::INTERNAL_ERROR, "Internal server error".into()),
        };
        let mut error = Self { retry_after: fault.retry_after(), ..Self::new(fault.status(), code, message) };
        if let Fault::RateLimited { retry_after } = fault {
            error.body.retry_after = Some(*retry_after);
        }
        error
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The layer that writes the envelope of every error.
#[derive(Clone)]
pub struct Envelope(pub AppState);

impl Around for Envelope {
    type Kept = Uri;

    fn arrives(&self, request: &mut Request) -> Uri {
        request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0).clone()
    }

    fn leaves(&self, uri: Uri, mut response: Response) -> Response {
        let fault = response.extensions_mut().remove::<Fault>().map(ApiError::from);
        let error = fault.or_else(|| response.extensions_mut().remove::<ApiError>()).or_else(|| foreign(&response));
        match error {
            Some(error) => error.instead(response, error.answer(uri.path(), self.0.desk.now())),
            None => response,
        }
    }
}

/// The error of a response that a library made, as for a path that is not UTF-8.
fn foreign(response: &Response) -> Option<ApiError> {
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|own| own == "application/json");
    match status {
        _ if json => None,
        StatusCode::NOT_FOUND => Some(Fault::UnknownPath.into()),
        status if status.is_client_error() => {
            let reason = status.canonical_reason().unwrap_or("The request is malformed");
            Some(ApiError::new(status, code::INVALID_REQUEST, reason))
        }
        status if status.is_server_error() => Some(Fault::Failed.into()),
        _ => None,
    }
}

/// Runs a command under the key of an attempt. What `word` makes of the verdict is answered: a body, as JSON, or an
/// error.
///
/// # Errors
/// When the command got no verdict, or the key was used for something else.
pub async fn act<C: Command, W: Serialize>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    word: impl Fn(Result<&C::Reply, &Refusal>) -> Result<W, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    Ok(act_anew(state, attempt, command, word).await?)
}

/// As [`act`], for those who make a command anew where a refusal is not the last word.
///
/// # Errors
/// As [`act`], and such a refusal.
pub async fn act_anew<C: Command, W: Serialize>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    word: impl Fn(Result<&C::Reply, &Refusal>) -> Result<W, ApiError> + Send + 'static,
) -> Result<Response, Stopped> {
    let (path, at) = (attempt.path.clone(), state.desk.now());
    let render = move |verdict: Result<&C::Reply, &Refusal>| match word(verdict) {
        Ok(body) => once::answer(StatusCode::OK, &body),
        Err(error) => error.answer(&path, at),
    };
    once::run(state, attempt, command, render).await
}

/// What a request that changes nothing may be answered instead.
#[derive(utoipa::IntoResponses)]
pub enum ReadProblems {
    /// The request is malformed
    #[response(status = 400)]
    BadRequest(#[to_schema] ErrorEnvelope),
    /// No token, or one that does not count
    #[response(status = 401)]
    Unauthorized(#[to_schema] ErrorEnvelope),
    /// Somebody else's, or for other roles
    #[response(status = 403)]
    Forbidden(#[to_schema] ErrorEnvelope),
    /// There is no such thing
    #[response(status = 404)]
    NotFound(#[to_schema] ErrorEnvelope),
    /// A value is not allowed; `details` names the field
    #[response(status = 422)]
    Unprocessable(#[to_schema] ErrorEnvelope),
    /// Too many requests
    #[response(status = 429)]
    TooManyRequests(#[to_schema] ErrorEnvelope),
    /// Try again in a moment
    #[response(status = 503)]
    Unavailable(#[to_schema] ErrorEnvelope),
}

/// What a request that changes something may be answered besides [`ReadProblems`].
#[derive(utoipa::IntoResponses)]
pub enum WriteProblems {
    /// Not in the state for this, or the idempotency key was used for another request
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorEnvelope),
    /// The body is longer than 1 MiB
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorEnvelope),
}
