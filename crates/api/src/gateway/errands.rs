//! What the engine wants done at a gateway, done. Each errand may be done again: the second time changes nothing.

use super::receive::{deliver_of, note_refund, poll, shown, webhook_secret};
use super::stripe::GivenBack;
use super::webhook;
use crate::errands::ErrandFailed;
use crate::state::AppState;
use engine::id::{JobId, PaymentId};
use engine::payments::{CompleteRefund, Gateway, News, Payment, PaymentState, Refund};

/// Brings the sandbox's word of a payment.
///
/// # Errors
/// Where that is to be tried again.
pub async fn tell(state: &AppState, job: JobId, payment: PaymentId, news: &News) -> Result<(), ErrandFailed> {
    match state.desk.payment(payment).await? {
        Some(payment) => send_webhook(state, job, &payment, news).await,
        None => Ok(()),
    }
}

/// Tells the server what the sandbox's bank did, by the way a gateway's word comes in. The event has the
/// job's id, so that a second one is a duplicate.
async fn send_webhook(state: &AppState, job: JobId, payment: &Payment, news: &News) -> Result<(), ErrandFailed> {
    let now = state.desk.now();
    let body = webhook::write(&format!("evt_{:032x}", job.0), &shown(payment), payment, news, now);
    let signature = webhook_secret(state, payment.gateway).sign(&body, now)?;
    Ok(deliver_of(state, payment, &signature, &body).await?)
}

/// Gives a payment back through its gateway.
///
/// # Errors
/// Where that is to be tried again.
pub async fn refund(state: &AppState, job: JobId, id: PaymentId) -> Result<(), ErrandFailed> {
    let Some(payment) = state.desk.payment(id).await? else { return Ok(()) };
    if !matches!(payment.state, PaymentState::Succeeded { refund: Refund::Requested, .. }) {
        return Ok(());
    }
    match payment.gateway {
        Gateway::Sandbox => {
            state.desk.run(CompleteRefund { payment: id }).await?;
            send_webhook(state, job, &payment, &News::Refunded).await
        }
        Gateway::Stripe => {
            let reference = payment.reference.as_deref().unwrap_or_default();
            match state.gateway.stripe()?.refund(id, reference, payment.amount).await? {
                // Its end is told by a webhook; should that get lost, the next attempt finds out.
                GivenBack::UnderWay(_) => Err(ErrandFailed::UnderWay),
                standing => Ok(note_refund(state, &payment, standing).await?),
            }
        }
    }
}

/// Tells the gateway that nobody will pay this any more.
///
/// # Errors
/// Where that is to be tried again.
pub async fn cancel_intent(state: &AppState, id: PaymentId) -> Result<(), ErrandFailed> {
    let Some(payment) = state.desk.payment(id).await? else { return Ok(()) };
    // Without a reference nobody was told how to pay it.
    let (Gateway::Stripe, Some(reference)) = (payment.gateway, &payment.reference) else { return Ok(()) };
    match state.gateway.stripe()?.cancel(id, reference).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_unknown() => Ok(()),
        // Perhaps it was paid in the meantime: then the money has to be dealt with.
        Err(error) if error.is_over() => Ok(poll(state, &payment).await?),
        Err(error) => Err(error.into()),
    }
}
