//! Errors of this dialect: `{"success":false,"error","message","code"}` with a real status.

use std::borrow::Cow;

use axum::response::Response;
use engine::refusal::Refusal;
use http::StatusCode;
use serde::Serialize;

use crate::envelope;
use crate::fault::Fault;
use crate::once::{self, Attempt};
use crate::problem::{Body, Problem};
use crate::state::AppState;

/// What is told of an error.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ErrorEnvelope {
    /// In upper snake case.
    #[schema(examples("SEAT_ALREADY_RESERVED"))]
    pub(super) code: &'static str,
    /// What is wrong.
    error: Cow<'static, str>,
    /// The same.
    pub(super) message: Cow<'static, str>,
    /// Always false.
    success: bool,
}

impl Body for ErrorEnvelope {}

/// An error of this dialect.
pub type ApiError = Problem<ErrorEnvelope>;

impl ApiError {
    /// An error with a status, a code in upper snake case and a message.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let body = ErrorEnvelope { code, error: message.clone(), message, success: false };
        Self { status, body, retry_after: None }
    }

    /// 400 `INVALID_REQUEST`.
    #[must_use]
    pub fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        use Refusal as R;
        let (status, code, message): (u16, _, &str) = match refusal {
            R::EmailTaken => (409, "EMAIL_TAKEN", "이미 사용 중인 이메일입니다."),
            R::UserUnknown => (404, "USER_NOT_FOUND", "사용자를 찾을 수 없습니다."),
            R::EventUnknown => (404, "EVENT_NOT_FOUND", "이벤트를 찾을 수 없습니다."),
            R::SeatUnknown => (404, "SEAT_NOT_FOUND", "좌석을 찾을 수 없습니다."),
            R::TicketTypeUnknown => (404, "TICKET_TYPE_NOT_FOUND", "티켓 타입을 찾을 수 없습니다."),
            // Whose it is, is nobody else's business.
            R::ReservationUnknown | R::NotYours => (404, "RESERVATION_NOT_FOUND", "예매를 찾을 수 없습니다."),
            R::PaymentUnknown => (404, "PAYMENT_NOT_FOUND", "결제를 찾을 수 없습니다."),
            R::PersonLimit { limit } => {
                let message = format!("이 이벤트는 1인당 최대 {limit}매까지 예매할 수 있습니다.");
                return Self::new(StatusCode::FORBIDDEN, "PERSON_LIMIT_EXCEEDED", message);
            }
            R::EventNotOnSale => (409, "NOT_ON_SALE", "판매 중인 이벤트가 아닙니다."),
            R::SaleNotOpen { .. } => (409, "SALE_NOT_STARTED", "아직 판매가 시작되지 않았습니다."),
            R::SaleClosed => (409, "SALE_ENDED", "판매가 종료되었습니다."),
            R::EventState { .. } => (409, "EVENT_STATE", "현재 이벤트 상태에서는 할 수 없습니다."),
            R::EventInvalid { field, issue } => return Self::malformed(format!("{field}: {issue}")),
            R::SeatTaken { label } => {
                let message = format!("이미 예약된 좌석입니다. ({label})");
                return Self::new(StatusCode::CONFLICT, "SEAT_ALREADY_RESERVED", message);
            }
            R::StillHolding => (409, "STILL_HOLDING", "결제하지 않은 예매가 이미 있습니다."),
            R::TooMany { limit } => {
                return Self::malformed(format!("한 번에 최대 {limit}매까지 예매할 수 있습니다."));
            }
            R::SeatRepeated => (400, "INVALID_REQUEST", "같은 항목이 두 번 들어 있습니다."),
            R::NothingWanted => (400, "INVALID_REQUEST", "하나 이상 선택해야 합니다."),
            R::TotalDiffers { .. } => (400, "INVALID_REQUEST", "금액이 맞지 않습니다."),
            R::AmountInvalid => (400, "INVALID_REQUEST", "금액이 올바르지 않습니다."),
            R::StockShort { left } => {
                let message = format!("티켓 재고가 부족합니다. (남은 수량: {left})");
                return Self::new(StatusCode::CONFLICT, "INSUFFICIENT_STOCK", message);
            }
            R::ReservationLapsed => (409, "RESERVATION_EXPIRED", "만료된 예매입니다."),
            R::ReservationCancelled => (409, "RESERVATION_CANCELLED", "이미 취소된 예매입니다."),
            R::ReservationPaid => (409, "ALREADY_PAID", "이미 결제된 예매입니다."),
            R::ReservationUnpaid => (409, "NOT_PAID", "결제되지 않은 예매입니다."),
            R::PaymentIncomplete => (402, "PAYMENT_FAILED", "결제가 완료되지 않았습니다."),
            R::PaymentMismatch | R::PaymentCanceled | R::PaymentSucceeded | R::RefundNotDue => {
                (409, "PAYMENT_CONFLICT", "결제 상태가 맞지 않습니다.")
            }
            R::PaymentDeclined => (402, "PAYMENT_FAILED", "결제에 실패했습니다."),
            R::BalanceShort { .. } => (402, "INSUFFICIENT_POINTS", "포인트가 부족합니다."),
            R::TicketUsed { .. } => (409, "TICKET_USED", "이미 사용된 티켓입니다."),
            R::LaneFull { .. } => (429, "QUEUE_FULL", "대기열이 가득 찼습니다. 잠시 후 다시 시도해 주세요."),
            R::MustWait => (403, "QUEUE_REQUIRED", "대기열에서 차례를 기다려 주세요."),
            R::KeyReused => (409, "IDEMPOTENCY_KEY_REUSED", "다른 요청에 사용된 Idempotency-Key입니다."),
        };
        let status = StatusCode::from_u16(status).expect("the statuses above are statuses");
        Self::new(status, code, message.to_owned())
    }
}

impl From<&Fault> for ApiError {
    fn from(fault: &Fault) -> Self {
        let (code, message) = match fault {
            Fault::Unauthorized => ("UNAUTHORIZED", "인증이 필요합니다."),
            Fault::NotJson => return Self::malformed("요청 본문은 application/json이어야 합니다."),
            Fault::Malformed(issue) => return Self::malformed(format!("잘못된 요청입니다: {issue}")),
            Fault::Field { field, issue } => return Self::malformed(format!("잘못된 요청입니다: {field} {issue}")),
            Fault::KeyReused => return Refusal::KeyReused.into(),
            Fault::BadKey => return Self::malformed("Idempotency-Key가 올바르지 않습니다."),
            Fault::TooLarge => ("PAYLOAD_TOO_LARGE", "요청 본문이 너무 큽니다."),
            Fault::RateLimited { .. } => ("RATE_LIMIT_EXCEEDED", "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요."),
            Fault::UnknownPath => ("NOT_FOUND", "없는 경로입니다."),
            Fault::WrongMethod => ("METHOD_NOT_ALLOWED", "허용되지 않는 메서드입니다."),
            Fault::Busy => ("SERVICE_BUSY", "요청이 몰리고 있습니다. 잠시 후 다시 시도해 주세요."),
            Fault::Unavailable => ("SERVICE_UNAVAILABLE", "서비스를 이용할 수 없습니다."),
            Fault::Failed => ("INTERNAL_ERROR", "서버 오류가 발생했습니다."),
        };
        Self { retry_after: fault.retry_after(), ..Self::new(fault.status(), code, message) }
    }
}

/// The layer that words what others turned away.
pub(crate) fn envelope(response: Response) -> Response {
    envelope::worded(response, |fault| ApiError::from(fault))
}

/// Keeps an error that no command gave under the key of an attempt. One of the server's own is not final, so it is not
/// kept.
///
/// # Errors
/// That error, and as [`act`].
pub(super) async fn keep(state: &AppState, attempt: &Attempt, error: ApiError) -> Result<Response, ApiError> {
    if error.status.is_server_error() {
        return Err(error);
    }
    Ok(once::keep(state, attempt, error.answer()).await?)
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
    /// There is no such thing
    #[response(status = 404)]
    NotFound(#[to_schema] ErrorEnvelope),
    /// Try again in a moment
    #[response(status = 503)]
    Unavailable(#[to_schema] ErrorEnvelope),
}

/// What a request that changes something may be answered besides [`ReadProblems`].
#[derive(utoipa::IntoResponses)]
pub enum WriteProblems {
    /// Not admitted by the waiting room, or not allowed
    #[response(status = 403)]
    Forbidden(#[to_schema] ErrorEnvelope),
    /// Not in the state for this, or the idempotency key was used for another request
    #[response(status = 409)]
    Conflict(#[to_schema] ErrorEnvelope),
    /// The body is longer than 1 MiB
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorEnvelope),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_the_same_twice_with_a_code() {
        let error = ApiError::from(Refusal::SeatTaken { label: "A-1".to_owned() });
        let body: serde_json::Value = serde_json::from_slice(&error.answer().body).expect("JSON");
        let message = "이미 예약된 좌석입니다. (A-1)";
        assert_eq!(
            body,
            serde_json::json!({"success": false, "error": message, "message": message, "code": "SEAT_ALREADY_RESERVED"})
        );
        assert_eq!(error.answer().status, 409);
    }

    #[test]
    fn what_is_wrong_with_a_field_is_400_here() {
        assert_eq!(ApiError::from(Fault::field("eventId", "is required")).answer().status, 400);
    }
}
