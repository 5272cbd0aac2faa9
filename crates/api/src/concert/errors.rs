//! Errors of the dialect: `{"error":"…"}`, the texts as its clients know them.

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use desk::{Stopped, Unavailable};
use engine::command::Command;
use engine::refusal::Refusal;
use http::StatusCode;
use serde::Serialize;

use super::route;
use crate::around::Around;
use crate::envelope;
use crate::fault::{self, Fault};
use crate::once::{self, Attempt};
use crate::problem::{Body, Problem};
use crate::state::AppState;

/// The texts.
pub mod text {
    /// Nobody has this id.
    pub const USER: &str = "잘못된 사용자 ID";
    /// A token that does not count.
    pub const TOKEN: &str = "잘못되었거나 이미 만료된 토큰입니다.";
    /// A date that is none.
    pub const DATE: &str = "잘못된 형식의 날짜입니다.";
    /// Nothing is played on a date.
    pub const NO_SEATS: &str = "찾을 수 없는 좌석 번호입니다.";
    /// A reservation that cannot be made.
    pub const RESERVATION: &str = "잘못된 형식의 요청 파라미터입니다.";
    /// A seat that somebody has.
    pub const TAKEN: &str = "이미 예약된 좌석입니다.";
    /// A payment or recharge that cannot be made.
    pub const MONEY: &str = "잘못된 요청 파라미터 입니다.";
    /// Too little money.
    pub const BALANCE: &str = "잘못된 잔액 표시 형식이거나 잔액이 부족합니다.";
    /// Nobody's balance.
    pub const NO_USER: &str = "찾을 수 없는 사용자입니다.";
    /// The line is full.
    pub const FULL: &str = "대기열이 가득 찼습니다. 잠시 후 다시 시도해 주세요.";
    /// It is somebody else's turn.
    pub const NOT_YET: &str = "아직 순서가 아닙니다. 잠시 후 다시 시도해 주세요.";
    /// Money only comes in through payments.
    pub const NO_RECHARGE: &str = "이 서버에서는 잔액을 직접 충전할 수 없습니다.";
    /// An idempotency key that was used for something else.
    pub const KEY_REUSED: &str = "이미 다른 요청에 사용된 Idempotency-Key입니다.";
    /// The body is too long.
    pub const TOO_LARGE: &str = "요청 본문이 너무 큽니다.";
    /// There is no such path.
    pub const UNKNOWN_PATH: &str = "찾을 수 없는 경로입니다.";
    /// The path has another method.
    pub const WRONG_METHOD: &str = "허용되지 않는 메서드입니다.";
    /// Too many requests.
    pub const RATE_LIMITED: &str = "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.";
    /// The server cannot answer now.
    pub const UNAVAILABLE: &str = "서버가 혼잡합니다. 잠시 후 다시 시도해 주세요.";
    /// The server failed.
    pub const INTERNAL: &str = "서버 오류가 발생했습니다.";
}

/// What is told of an error.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// For people to read.
    #[schema(examples("잘못된 형식의 요청 파라미터입니다."))]
    pub error: &'static str,
}

impl Body for ErrorBody {}

/// An error of this dialect. What is malformed or refused is called by another text at every path, so that it takes one
/// to make an error of a fault or a refusal.
pub type ApiError = Problem<ErrorBody>;

impl ApiError {
    /// An error with a status and one of the texts.
    pub const fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, body: ErrorBody { error: text }, retry_after: None }
    }

    /// 400.
    pub const fn bad(text: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 401.
    pub const fn token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text::TOKEN)
    }

    /// 429: in a moment it may be allowed.
    pub const fn wait(text: &'static str) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, text) }
    }

    /// What a refusal is where everything that is wrong with a request is called by one text.
    pub fn refused(refusal: &Refusal, text: &'static str) -> Self {
        use Refusal as R;
        match refusal {
            R::SeatTaken { .. } | R::StockShort { .. } => Self::bad(text::TAKEN),
            R::BalanceShort { .. } => Self::bad(text::BALANCE),
            R::LaneFull { .. } => Self::wait(text::FULL),
            R::MustWait => Self::wait(text::NOT_YET),
            R::KeyReused => Self::new(StatusCode::CONFLICT, text::KEY_REUSED),
            R::EmailTaken
            | R::UserUnknown
            | R::NotYours
            | R::EventUnknown
            | R::EventNotOnSale
            | R::SaleNotOpen { .. }
            | R::SaleClosed
            | R::EventState { .. }
            | R::EventInvalid { .. }
            | R::SeatUnknown
            | R::TooMany { .. }
            | R::SeatRepeated
            | R::NothingWanted
            | R::TotalDiffers { .. }
            | R::PersonLimit { .. }
            | R::StillHolding
            | R::TicketTypeUnknown
            | R::ReservationUnknown
            | R::ReservationLapsed
            | R::ReservationCancelled
            | R::ReservationPaid
            | R::ReservationUnpaid
            | R::PaymentUnknown
            | R::PaymentIncomplete
            | R::PaymentMismatch
            | R::PaymentCanceled
            | R::PaymentSucceeded
            | R::PaymentDeclined
            | R::RefundNotDue
            | R::AmountInvalid
            | R::TicketUsed { .. } => Self::bad(text),
        }
    }

    /// What is wrong with a request, where a malformed one is called by one text.
    pub fn fault(fault: &Fault, text: &'static str) -> Self {
        let text = match fault {
            Fault::Field { .. } => return Self::bad(text),
            Fault::NotJson | Fault::Malformed(_) | Fault::BadKey => text,
            Fault::Unauthorized => text::TOKEN,
            Fault::KeyReused => text::KEY_REUSED,
            Fault::TooLarge => text::TOO_LARGE,
            Fault::RateLimited { .. } => text::RATE_LIMITED,
            Fault::UnknownPath => text::UNKNOWN_PATH,
            Fault::WrongMethod => text::WRONG_METHOD,
            Fault::Busy | Fault::Unavailable => text::UNAVAILABLE,
            Fault::Failed => text::INTERNAL,
        };
        Self { retry_after: fault.retry_after(), ..Self::new(fault.status(), text) }
    }

    /// Why a command got no answer, where a refusal is called by one text.
    pub fn stopped(stopped: Stopped, text: &'static str) -> Self {
        match fault::without_verdict(stopped) {
            Ok(fault) => Self::fault(&fault, text),
            Err(refusal) => Self::refused(&refusal, text),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(unavailable: Unavailable) -> Self {
        Self::fault(&unavailable.into(), text::UNAVAILABLE)
    }
}

/// What is said of a malformed request to a path.
fn malformed(path: &str) -> &'static str {
    match route(path) {
        "/api/token" => text::USER,
        "/api/concert/seat" => text::DATE,
        "/api/payment" | "/api/payment/recharge" | "/api/balance" => text::MONEY,
        _ => text::RESERVATION,
    }
}

/// The layer that words what was turned away before a handler saw it.
#[derive(Clone)]
pub struct Envelope;

impl Around for Envelope {
    /// What a malformed request of the path is told.
    type Kept = &'static str;

    fn arrives(&self, request: &mut Request) -> Self::Kept {
        malformed(request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str))
    }

    fn leaves(&self, text: Self::Kept, response: Response) -> Response {
        envelope::worded(response, |fault| ApiError::fault(fault, text))
    }
}

/// Runs a command under the key of an attempt; the reply becomes JSON by `wire`, a refusal an error of this text.
///
/// # Errors
/// When the command got no verdict, or the key was used for something else.
pub async fn act<C: Command, W: Serialize>(
    state: &AppState,
    attempt: &Attempt,
    command: C,
    text: &'static str,
    wire: impl Fn(&C::Reply) -> W + Send + 'static,
) -> Result<Response, ApiError> {
    let render = move |verdict: Result<&C::Reply, &Refusal>| match verdict {
        Ok(reply) => once::answer(StatusCode::OK, &wire(reply)),
        Err(refusal) => ApiError::refused(refusal, text).answer(),
    };
    once::run(state, attempt, command, render).await.map_err(|stopped| ApiError::stopped(stopped, text))
}

/// The answer that was given under the key of an attempt before.
///
/// # Errors
/// As [`act`].
pub async fn replayed(state: &AppState, attempt: &Attempt, text: &'static str) -> Result<Option<Response>, ApiError> {
    once::replayed(state, attempt).await.map_err(|stopped| ApiError::stopped(stopped, text))
}

/// What any request may be answered instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum Problems {
    /// The request cannot be granted
    #[response(status = 400)]
    BadRequest(#[to_schema] ErrorBody),
    /// Try again in a moment
    #[response(status = 503)]
    Unavailable(#[to_schema] ErrorBody),
}

/// What a POST may be answered besides [`Problems`].
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum WriteProblems {
    /// The idempotency key was used for another request
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorBody),
    /// The body is longer than 1 MiB
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorBody),
}

/// No token, or one that does not count.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "it is described, never made")]
pub enum BadToken {
    /// The token is missing, unknown, expired or another user's
    #[response(status = 401)]
    Unauthorized(#[to_schema] ErrorBody),
}
