//! What is wrong with a request before any dialect's rule is asked.

use axum::response::{IntoResponse, Response};
use desk::{Stopped, Unavailable};
use http::StatusCode;

/// A request that is turned away at the edge. Each dialect words it in its own shape: the response carries the
/// fault as an extension, and the dialect's layer writes the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No token, or one that does not count.
    Unauthorized,
    /// The body is not said to be JSON.
    NotJson,
    /// The body is not JSON, or no object.
    Malformed(String),
    /// A field is missing, of a wrong type, or its value is not allowed.
    Field {
        /// The field.
        field: String,
        /// What is wrong with it.
        issue: String,
    },
    /// The body is longer than allowed.
    TooLarge,
    /// The idempotency key is too long.
    BadKey,
    /// The idempotency key was used for another request.
    KeyReused,
    /// Too many requests in a minute.
    RateLimited {
        /// Seconds after which the next one is let through.
        retry_after: u64,
    },
    /// There is nothing at this path.
    UnknownPath,
    /// The path is there, the method is not.
    WrongMethod,
    /// Too much is waiting: try again in a moment.
    Busy,
    /// The store cannot be reached.
    Unavailable,
    /// This server failed. What went wrong belongs in the log, not in the answer.
    Failed,
}

impl Fault {
    /// The status it has in every dialect.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotJson | Self::Malformed(_) | Self::BadKey => StatusCode::BAD_REQUEST,
            Self::Field { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused => StatusCode::CONFLICT,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds to wait before trying again, where that helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            Self::Busy | Self::Unavailable => Some(1),
            _ => None,
        }
    }

    /// A field that is missing or not allowed.
    pub fn field(field: impl Into<String>, issue: impl Into<String>) -> Self {
        Self::Field { field: field.into(), issue: issue.into() }
    }
}

impl From<Unavailable> for Fault {
    fn from(Unavailable(reason): Unavailable) -> Self {
        tracing::error!(%reason, "the store is unavailable");
        Self::Unavailable
    }
}

/// What answers where there is nothing; the dialect's layer writes the body.
pub(crate) async fn unknown_path() -> Fault {
    Fault::UnknownPath
}

/// What answers a method that a path does not have; the dialect's layer writes the body.
pub(crate) async fn wrong_method() -> Fault {
    Fault::WrongMethod
}

/// What answers when a handler panics; the dialect's layer writes the body. The panic itself is logged by the panic
/// hook.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Fault::Failed.into_response()
}

/// A command that got no verdict. The refusal, which is a verdict, is handed back.
///
/// # Errors
/// The refusal.
pub fn without_verdict(stopped: Stopped) -> Result<Fault, engine::refusal::Refusal> {
    match stopped {
        Stopped::Refused(refusal) => Err(refusal),
        Stopped::Busy => Ok(Fault::Busy),
        Stopped::Unavailable(reason) => Ok(Unavailable(reason).into()),
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
