//! Errors of the house dialect: one envelope, `{"error":{code,message,details?},"timestamp","path"}`.

use std::borrow::Cow;

use axum::extract::{OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use desk::{Answer, Stopped, Time, Unavailable};
use engine::refusal::Refusal;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};

use crate::around::Around;
use crate::clock;
use crate::fault::{self, Fault};
use crate::once::{self, Attempt};
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

/// An error of this dialect. As a response it carries itself as an extension; [`Envelope`] writes the body.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Option<Box<Value>>,
    retry_after: Option<u64>,
}

impl ApiError {
    /// An error with a status, a code of [`code`] and a message.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: None, retry_after: None }
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

    /// 500 `INTERNAL_ERROR`. What went wrong belongs in the log, not in the message.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "Internal server error")
    }

    /// The same with details.
    #[must_use]
    pub fn details(self, details: Value) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The envelope, for a request to `path` at `at`.
    #[must_use]
    pub fn body(&self, path: &str, at: Time) -> Vec<u8> {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(details) = &self.details {
            error["details"] = (**details).clone();
        }
        if let Some(seconds) = self.retry_after.filter(|_| self.status == StatusCode::TOO_MANY_REQUESTS) {
            error["retry_after"] = seconds.into();
        }
        json!({"error": error, "timestamp": clock::rfc3339(at), "path": path}).to_string().into_bytes()
    }

    /// The answer to keep for a request to `path` at `at`.
    #[must_use]
    pub fn answer(&self, path: &str, at: Time) -> Answer {
        Answer { status: self.status.as_u16(), body: self.body(path, at), replayed: false }
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
            R::EventState { .. } | R::StillHolding | R::TicketUsed { .. } | R::KeyReused => (409, code::CONFLICT),
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

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let (code, message): (_, Cow<'static, str>) = match &fault {
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
        };
        Self { retry_after: fault.retry_after(), ..Self::new(fault.status(), code, message) }
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
            Some(error) => written(response, &error, uri.path(), self.0.desk.now()),
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
        status if status.is_server_error() => Some(ApiError::internal()),
        _ => None,
    }
}

/// The response with the envelope as its body; its other headers stay.
fn written(response: Response, error: &ApiError, path: &str, at: Time) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = error.status;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after {
        parts.headers.insert(RETRY_AFTER, seconds.into());
    }
    Response::from_parts(parts, error.body(path, at).into())
}

/// What answers when a handler panics. The panic itself is logged by the panic hook.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::internal().into_response()
}

/// Runs a command under the key of an attempt; the reply becomes JSON by `wire`, a refusal the envelope.
///
/// # Errors
/// When the command got no verdict, or the key was used for something else.
pub async fn act<C, W>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    wire: impl Fn(&C::Reply) -> W + Send + 'static,
) -> Result<Response, ApiError>
where
    C: engine::command::Command,
    W: Serialize,
{
    Ok(act_anew(state, attempt, command, wire).await?)
}

/// As [`act`], for those who make a command anew where a refusal is not the last word.
///
/// # Errors
/// As [`act`], and such a refusal.
pub async fn act_anew<C, W>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    wire: impl Fn(&C::Reply) -> W + Send + 'static,
) -> Result<Response, Stopped>
where
    C: engine::command::Command,
    W: Serialize,
{
    let (path, at) = (attempt.path.clone(), state.desk.now());
    let render = move |verdict: Result<&C::Reply, &Refusal>| match verdict {
        Ok(reply) => ok(&wire(reply)),
        Err(refusal) => ApiError::from(refusal).answer(&path, at),
    };
    once::run(state, attempt, command, render).await
}

/// The answer 200 with this body.
pub fn ok(body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(body) => Answer { status: 200, body, replayed: false },
        Err(_) => Answer { status: 500, body: Vec::new(), replayed: false },
    }
}

/// The envelope, for the description of the interface.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorEnvelope {
    /// What is wrong.
    pub error: ErrorBody,
    /// When, RFC 3339 in UTC.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// The path that was asked for.
    pub path: String,
}

/// What is wrong with a request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// One of the codes.
    #[schema(examples("INVALID_REQUEST"))]
    pub code: String,
    /// For people to read.
    pub message: String,
    /// Which field, or what else helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
    /// Seconds to wait, for `RATE_LIMIT_EXCEEDED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
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
