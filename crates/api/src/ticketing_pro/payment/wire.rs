//! Payments as they go over the wire.

use engine::money::Won;
use engine::payments::{Gateway, Payment, PaymentState, Refund, SandboxOutcome, Step};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::money::Amount;
use crate::ticketing_pro::ApiError;
use crate::{clock, gateway, ids};

/// The longest name of a payment method, in characters.
const LONGEST_METHOD: usize = 100;

/// What is to be paid.
#[derive(Deserialize, ToSchema)]
pub struct NewIntent {
    /// For which booking.
    pub booking_id: String,
    /// Its total, in won.
    pub amount: Amount,
    /// `krw`.
    #[schema(examples("krw"))]
    pub currency: Option<String>,
    /// Ignored: the server knows what the booking is.
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the interface; a client's word on these decides nothing")]
    metadata: Option<Value>,
}

/// An opened payment.
#[derive(Serialize, ToSchema)]
pub struct Intent {
    payment_intent_id: String,
    /// What the buyer's browser shows the gateway.
    client_secret: String,
    /// In won.
    amount: i64,
    currency: &'static str,
    status: &'static str,
}

/// Where a payment stands.
#[derive(Serialize, ToSchema)]
pub struct PaymentView {
    payment_intent_id: String,
    booking_id: String,
    /// `requires_payment_method`, `requires_action`, `processing`, `succeeded` or `canceled`.
    #[schema(examples("succeeded"))]
    status: &'static str,
    /// In won.
    amount: i64,
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    canceled_at: Option<String>,
    /// `processing`, `succeeded` or `failed`, where the money goes or went back, or could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_status: Option<&'static str>,
}

/// A payment that was called off.
#[derive(Serialize, ToSchema)]
pub struct CanceledIntent {
    payment_intent_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    canceled_at: String,
}

/// A card for the sandbox.
#[derive(Deserialize, ToSchema)]
pub struct SandboxCard {
    /// `card_visa_4242` and the like succeed, `card_declined` fails, `card_3ds` wants a second call.
    #[schema(examples("card_visa_4242"))]
    pub payment_method: String,
}

/// A webhook was taken.
#[derive(Serialize, ToSchema)]
pub struct Received {
    pub status: &'static str,
}

/// The amount a client states.
///
/// # Errors
/// 400 when it is not a whole number of won.
pub fn whole(amount: Amount) -> Result<Won, ApiError> {
    let error = || ApiError::bad_request("amount must be a whole number of won");
    amount.won().ok_or_else(|| error().details(serde_json::json!({"field": "amount"})))
}

/// What the sandbox's bank says to a card.
///
/// # Errors
/// 422 for what is not the name of a test card.
pub fn outcome(method: &str) -> Result<SandboxOutcome, ApiError> {
    let name = ["card_", "pm_card_"].iter().find_map(|prefix| method.strip_prefix(prefix));
    let named = name.is_some_and(|name| !name.trim().is_empty());
    if !named || method.chars().count() > LONGEST_METHOD {
        return Err(ApiError::field("payment_method", "must be the name of a test card, such as card_visa_4242"));
    }
    Ok(gateway::sandbox_outcome(method))
}

fn status(payment: &Payment) -> &'static str {
    match payment.state {
        PaymentState::Open(Step::Method) => "requires_payment_method",
        PaymentState::Open(Step::Action) => "requires_action",
        PaymentState::Open(Step::Processing) => "processing",
        PaymentState::Succeeded { .. } => "succeeded",
        PaymentState::Canceled { .. } => "canceled",
    }
}

/// A payment as it was just opened.
pub fn intent(payment: &Payment) -> Intent {
    let shown = gateway::shown(payment);
    let secret = payment.client_secret.clone().unwrap_or_default();
    let client_secret = match payment.gateway {
        Gateway::Sandbox => format!("{shown}_secret_{secret}"),
        Gateway::Stripe => secret,
    };
    let (amount, status) = (payment.amount.0, status(payment));
    Intent { payment_intent_id: shown, client_secret, amount, currency: "krw", status }
}

/// A payment as it stands.
pub fn view(payment: &Payment) -> PaymentView {
    let (method, confirmed_at, refund_status) = match &payment.state {
        PaymentState::Succeeded { at, method, refund } => (Some(method.clone()), Some(*at), refund_word(*refund)),
        _ => (None, None, None),
    };
    let canceled_at = match payment.state {
        PaymentState::Canceled { at } => Some(at),
        _ => None,
    };
    PaymentView {
        payment_intent_id: gateway::shown(payment),
        booking_id: ids::booking(payment.reservation),
        status: status(payment),
        amount: payment.amount.0,
        currency: "krw",
        payment_method: method,
        created_at: clock::rfc3339(payment.created_at),
        confirmed_at: confirmed_at.map(clock::rfc3339),
        canceled_at: canceled_at.map(clock::rfc3339),
        refund_status,
    }
}

fn refund_word(refund: Refund) -> Option<&'static str> {
    match refund {
        Refund::None => None,
        Refund::Requested => Some("processing"),
        Refund::Done { .. } => Some("succeeded"),
        Refund::Failed { .. } => Some("failed"),
    }
}

/// What calling a payment off answers.
pub fn canceled(payment: &Payment) -> CanceledIntent {
    let at = match payment.state {
        PaymentState::Canceled { at } => at,
        _ => payment.created_at,
    };
    CanceledIntent { payment_intent_id: gateway::shown(payment), status: "canceled", canceled_at: clock::rfc3339(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_knows_its_cards() {
        let of = |method: &str| outcome(method).ok();
        assert_eq!(of("card_visa_4242"), Some(SandboxOutcome::Approve));
        assert_eq!(of("pm_card_mastercard"), Some(SandboxOutcome::Approve));
        assert_eq!(of("card_declined"), Some(SandboxOutcome::Decline));
        assert_eq!(of("card_3ds"), Some(SandboxOutcome::Challenge));
        for wrong in ["", "cash", "CARD_VISA", "card_", "pm_card_", "card_ ", &format!("card_{}", "x".repeat(100))] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
