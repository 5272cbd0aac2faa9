//! Paying by card in one go: opened, announced to the gateway, charged.

use desk::Stopped;
use engine::holds::Reservation;
use engine::id::UserId;
use engine::payments::{AttachIntent, Gateway, OpenPayment, Payment, PaymentState, SandboxOutcome};

use super::receive::{NotReceived, poll};
use super::stripe::GatewayError;
use crate::state::AppState;

/// Why a payment was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotCharged {
    /// The bank said no.
    #[error("the payment was declined")]
    Declined,
    /// The bank wants proof from the buyer, which cannot be had in one go.
    #[error("the bank wants proof from the buyer")]
    ProofWanted,
    /// The gateway gave no answer, or refused.
    #[error(transparent)]
    Gateway(GatewayError),
    /// The store did not take it, or a rule forbids it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<GatewayError> for NotCharged {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Declined(_) => Self::Declined,
            other => Self::Gateway(other),
        }
    }
}

impl From<NotReceived> for NotCharged {
    fn from(error: NotReceived) -> Self {
        match error {
            NotReceived::Stopped(stopped) => Self::Stopped(stopped),
            NotReceived::Gateway(error) => error.into(),
            NotReceived::BadSignature(error) => Self::Stopped(Stopped::Unavailable(error.to_string())),
            NotReceived::NoEvent(error) => Self::Stopped(Stopped::Unavailable(error.to_string())),
        }
    }
}

/// What the sandbox's bank says to a card of this name: ours, and what the test cards of Stripe are called
/// (`pm_card_chargeDeclined`, `pm_card_authenticationRequired` and the like).
#[must_use]
pub fn sandbox_outcome(method: &str) -> SandboxOutcome {
    let method = method.to_ascii_lowercase();
    if method.contains("declined") {
        SandboxOutcome::Decline
    } else if ["3ds", "threedsecure", "authenticationrequired"].iter().any(|word| method.contains(word)) {
        SandboxOutcome::Challenge
    } else {
        SandboxOutcome::Approve
    }
}

/// Opens the payment of a held reservation, and sees to it that its gateway knows of it.
///
/// # Errors
/// [`NotCharged`].
pub async fn open(state: &AppState, user: UserId, reservation: &Reservation) -> Result<Payment, NotCharged> {
    let open = OpenPayment {
        user,
        reservation: reservation.id,
        amount: reservation.total,
        gateway: state.gateway.kind(),
        client_secret: None,
    };
    announce(state, state.desk.run(open).await?).await
}

/// Makes sure that the gateway knows of a payment. Every step may be repeated, so that a lost answer does no harm.
///
/// # Errors
/// [`NotCharged`].
pub(crate) async fn announce(state: &AppState, payment: Payment) -> Result<Payment, NotCharged> {
    if payment.gateway != Gateway::Stripe || payment.reference.is_some() {
        return Ok(payment);
    }
    let intent = state.gateway.stripe()?.create(&payment).await?;
    if !intent.pays(&payment) {
        tracing::error!(intent = intent.id, "the gateway opened the payment for another amount");
        let why = "the gateway opened the payment for another amount".to_owned();
        return Err(NotCharged::Gateway(GatewayError::Unavailable(why)));
    }
    let client_secret = intent.client_secret.unwrap_or_default();
    Ok(state.desk.run(AttachIntent { payment: payment.id, reference: intent.id, client_secret }).await?)
}

/// Takes the money of an open payment at Stripe: gives the payment, whose money was taken.
///
/// # Errors
/// [`NotCharged`]. The payment stays open where another method may be tried.
pub async fn charge_at_stripe(state: &AppState, payment: Payment, method: &str) -> Result<Payment, NotCharged> {
    let reference = payment.reference.clone().unwrap_or_default();
    let stripe = state.gateway.stripe()?;
    match stripe.confirm(payment.id, &reference, method, &state.settings.base_url, state.desk.now()).await {
        // Paid or called off already: what became of it, asking tells.
        Err(error) if !error.is_over() => return Err(error.into()),
        _ => {}
    }
    poll(state, &payment).await?;
    let known = state.desk.payment(payment.id).await.map_err(|error| Stopped::Unavailable(error.0))?;
    match known {
        Some(payment) if matches!(payment.state, PaymentState::Open(_)) => Err(NotCharged::ProofWanted),
        Some(payment) => Ok(payment),
        None => Err(Stopped::from(engine::refusal::Refusal::PaymentUnknown).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_cards_do_what_they_are_called() {
        for (card, outcome) in [
            ("card_visa_4242", SandboxOutcome::Approve),
            ("pm_card_visa", SandboxOutcome::Approve),
            ("card_declined", SandboxOutcome::Decline),
            ("pm_card_visa_chargeDeclined", SandboxOutcome::Decline),
            ("pm_card_chargeDeclinedInsufficientFunds", SandboxOutcome::Decline),
            ("card_3ds", SandboxOutcome::Challenge),
            ("pm_card_authenticationRequired", SandboxOutcome::Challenge),
        ] {
            assert_eq!(sandbox_outcome(card), outcome, "{card}");
        }
    }
}
