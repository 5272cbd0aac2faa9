//! Payments: from the wallet, or by card through the configured gateway; paid in one answer.

use axum::extract::State;
use axum::response::Response;
use engine::holds::{Reservation, Standing};
use engine::id::{ReservationId, UserId};
use engine::money::Won;
use engine::payments::{ChargeSandbox, ConfirmReservation, Gateway, Payment, PaymentState, Refund, Settlement, Step};
use engine::refusal::Refusal;
use engine::time::Time;
use engine::wallet::{PayFromWallet, WalletPayment};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_room::Door;

use super::errors::{ApiError, ErrorEnvelope, ReadProblems, WriteProblems, keep};
use super::reservations::wire::number;
use super::wire::reservation_id;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::gateway::{self, GatewayError, NotCharged};
use crate::once::{self, Posted};
use crate::problem::act;
use crate::state::AppState;
use crate::{clock, ids};

/// Pays from the wallet.
const POINT: &str = "point";
/// Ways to pay that go through the gateway, besides the names of cards.
const THROUGH_GATEWAY: [&str; 6] = ["card", "credit_card", "naver_pay", "kakao_pay", "toss_payments", "bank_transfer"];
/// The code of a hold that has lapsed.
const EXPIRED: &str = "RESERVATION_EXPIRED";
/// The longest name of a payment method, in characters.
const LONGEST_METHOD: usize = 100;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(process))
}

/// What is to be paid, and how.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewPayment {
    reservation_id: String,
    /// `point` pays from the wallet; `card`, the name of a card (`card_visa_4242`, `pm_card_visa`), `naver_pay`,
    /// `kakao_pay`, `toss_payments` and `bank_transfer` through the payment gateway.
    #[schema(examples("point"))]
    payment_method: String,
}

/// A payment that was made.
#[derive(Serialize, utoipa::ToSchema)]
struct Paid {
    success: bool,
    payment: PaymentBody,
}

/// What was paid.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentBody {
    #[schema(format = "uuid")]
    reservation_id: String,
    reservation_number: String,
    payment_method: String,
    /// In won.
    total_amount: i64,
    #[schema(format = DateTime)]
    paid_at: String,
}

fn paid(own: &Reservation, method: &str) -> Paid {
    let at = match own.standing {
        Standing::Confirmed { at, .. } => at,
        _ => own.created_at,
    };
    paid_for(own.id, own.total, at, method)
}

fn paid_for(reservation: ReservationId, total: Won, at: Time, method: &str) -> Paid {
    Paid {
        success: true,
        payment: PaymentBody {
            reservation_id: ids::uuid(reservation.0),
            reservation_number: number(reservation),
            payment_method: method.to_owned(),
            total_amount: total.0,
            paid_at: clock::rfc3339(at),
        },
    }
}

/// Pay for a held reservation.
#[utoipa::path(
    post, path = "/api/v1/payments/process", operation_id = "process_payment",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewPayment,
    responses(
        (status = 200, description = "It is paid", body = Paid),
        ReadProblems,
        WriteProblems,
        (status = 402, description = "Too few points, or declined", body = ErrorEnvelope),
        (status = 410, description = "The hold has lapsed", body = ErrorEnvelope),
    )
)]
async fn process(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewPayment>,
) -> Result<Response, ApiError> {
    let id = reservation_id(&body.reservation_id)?;
    let method = body.payment_method;
    check_method(&method)?;
    alive(&state, &caller, id).await?;
    if method == POINT {
        let command = PayFromWallet { user: caller.user, reservations: vec![id], stated_total: None };
        let word = move |made: Result<&WalletPayment, &Refusal>| {
            Ok(made.map_err(unpaid)?.reservations.first().map(|own| paid(own, &method)))
        };
        return act(&state, &attempt, command, StatusCode::OK, word).await;
    }
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let payment = match open(&state, caller.user, id).await {
        Ok(payment) => payment,
        Err(error) => return keep(&state, &attempt, error).await,
    };
    if payment.gateway == Gateway::Sandbox && !payment.is_taken() {
        let outcome = gateway::sandbox_outcome(&method);
        let command = ChargeSandbox { user: caller.user, payment: payment.id, method, outcome };
        return act(&state, &attempt, command, StatusCode::OK, |payment| charged(payment.map_err(unpaid)?)).await;
    }
    let payment = match taken(&state, payment, &method).await {
        Ok(payment) => payment.id,
        Err(error) => return keep(&state, &attempt, error).await,
    };
    let command = ConfirmReservation { user: caller.user, reservation: id, payment };
    act(&state, &attempt, command, StatusCode::OK, move |settled| match settled.map_err(unpaid)? {
        Settlement::Confirmed(own) => Ok(paid(own, &method)),
        Settlement::Returned(why) => Err(returned(why)),
    })
    .await
}

/// Opens the payment of a held reservation.
async fn open(state: &AppState, user: UserId, id: ReservationId) -> Result<Payment, ApiError> {
    let reservation = state.desk.reservation(id).await?.ok_or(Refusal::ReservationUnknown)?;
    gateway::open(state, user, &reservation).await.map_err(not_charged)
}

/// Takes the money of a payment, where it is not taken yet.
async fn taken(state: &AppState, payment: Payment, method: &str) -> Result<Payment, ApiError> {
    if payment.is_taken() {
        return Ok(payment);
    }
    gateway::charge_at_stripe(state, payment, method).await.map_err(not_charged)
}

/// What the sandbox's charge came to. It has settled the reservation with it.
fn charged(payment: &Payment) -> Result<Paid, ApiError> {
    match &payment.state {
        PaymentState::Succeeded { at, method, refund: Refund::None } => {
            Ok(paid_for(payment.reservation, payment.amount, *at, method))
        }
        PaymentState::Succeeded { .. } => Err(returned(&Refusal::ReservationLapsed)),
        PaymentState::Open(Step::Action | Step::Processing) => Err(proof_wanted()),
        PaymentState::Open(Step::Method) => Err(Refusal::PaymentDeclined.into()),
        PaymentState::Canceled { .. } => Err(Refusal::PaymentCanceled.into()),
    }
}

fn proof_wanted() -> ApiError {
    ApiError::new(StatusCode::PAYMENT_REQUIRED, "AUTHENTICATION_REQUIRED", "카드사의 추가 인증이 필요합니다.")
}

/// Paying is a sign of life, too; it needs no pass, since what is paid is held already.
async fn alive(state: &AppState, caller: &Caller, id: ReservationId) -> Result<(), ApiError> {
    if let Some(own) = state.desk.reservation(id).await?.filter(|own| own.user == caller.user) {
        state.rooms.look_alive(Door::Tiketi, Some(own.event), caller.user).await?;
    }
    Ok(())
}

fn check_method(method: &str) -> Result<(), ApiError> {
    let card = ["card_", "pm_"].iter().any(|prefix| method.starts_with(prefix));
    let plain = method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let known = method == POINT || THROUGH_GATEWAY.contains(&method) || card && plain && method.len() <= LONGEST_METHOD;
    known.then_some(()).ok_or_else(|| ApiError::malformed("유효하지 않은 결제 수단입니다."))
}

/// A refusal to pay: a hold that has lapsed is gone.
fn unpaid(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::ReservationLapsed => lapsed(),
        other => other.into(),
    }
}

fn lapsed() -> ApiError {
    ApiError::new(StatusCode::GONE, EXPIRED, "예매가 만료되었습니다.")
}

/// Why a reservation could not be had whose money was taken already: it goes back.
fn returned(why: &Refusal) -> ApiError {
    match why {
        Refusal::EventNotOnSale => {
            let message = "취소된 이벤트입니다. 결제하신 금액은 환불됩니다.";
            ApiError::new(StatusCode::CONFLICT, "NOT_ON_SALE", message)
        }
        Refusal::SeatTaken { .. } | Refusal::StockShort { .. } => {
            let message = "예매가 만료된 사이에 다른 고객이 예매했습니다. 결제하신 금액은 환불됩니다.";
            ApiError::new(StatusCode::GONE, EXPIRED, message)
        }
        _ => ApiError::new(StatusCode::GONE, EXPIRED, "예매가 만료되었습니다. 결제하신 금액은 환불됩니다."),
    }
}

fn not_charged(error: NotCharged) -> ApiError {
    match error {
        NotCharged::Declined => Refusal::PaymentDeclined.into(),
        NotCharged::ProofWanted => proof_wanted(),
        NotCharged::Gateway(GatewayError::Rejected { status: 400 | 404, .. }) => {
            ApiError::malformed("결제 수단을 사용할 수 없습니다.")
        }
        NotCharged::Gateway(error) => {
            tracing::warn!(%error, "the gateway failed");
            Fault::Unavailable.into()
        }
        NotCharged::Stopped(desk::Stopped::Refused(refusal)) => unpaid(&refusal),
        NotCharged::Stopped(stopped) => stopped.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_had_says_why_and_that_the_money_goes_back() {
        let taken = Refusal::SeatTaken { label: "A-1-1".to_owned() };
        for (why, status, word) in [
            (Refusal::EventNotOnSale, 409, "취소된"),
            (taken, 410, "다른 고객"),
            (Refusal::PersonLimit { limit: 1 }, 410, "만료"),
        ] {
            let error = returned(&why);
            assert_eq!(error.answer().status, status, "{why}");
            let message = error.body.message;
            assert!(message.contains(word) && message.contains("환불"), "{why}: {message}");
        }
    }

    #[test]
    fn only_known_ways_to_pay_are_taken() {
        for good in ["point", "card", "card_visa_4242", "pm_card_visa", "kakao_pay"] {
            assert_eq!(check_method(good), Ok(()), "{good}");
        }
        let long = format!("card_{}", "x".repeat(100));
        for wrong in ["", "cash", "POINT", "card_ x", "card_한", &long] {
            assert!(check_method(wrong).is_err(), "{wrong}");
        }
    }
}
