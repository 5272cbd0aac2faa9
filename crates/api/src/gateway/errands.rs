//! What the engine wants done outside the store, done. Each errand may be done again: the second time
//! changes nothing.

use super::receive::{NotReceived, deliver, note_refund, poll, shown, webhook_secret};
use super::signature::BadSignature;
use super::stripe::{GatewayError, GivenBack};
use super::webhook;
use crate::state::AppState;
use desk::{Stopped, Unavailable};
use engine::holds::{CancelReservation, Canceller};
use engine::id::{EventId, JobId, PaymentId, ReservationId};
use engine::jobs::{Errand, Job};
use engine::payments::{CompleteRefund, Gateway, News, Payment, PaymentState, Refund, Step};
use futures_util::future::join_all;

/// How many reservations of a cancelled event are given back at once.
const SWEEP_PAGE: i64 = 500;

/// Why an errand is not done yet. It is to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ErrandFailed {
    /// The gateway did not do it.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store did not take what came of it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The sandbox's own webhook was turned away.
    #[error(transparent)]
    NotReceived(#[from] NotReceived),
    /// The gateway has begun to give the money back, and may still fail.
    #[error("the gateway is still giving the money back")]
    UnderWay,
    /// Reservations of a cancelled event are left that cannot be given back yet.
    #[error("some reservations of the event are still live")]
    Unswept,
}

impl From<Unavailable> for ErrandFailed {
    fn from(error: Unavailable) -> Self {
        Self::Stopped(Stopped::Unavailable(error.0))
    }
}

impl From<BadSignature> for ErrandFailed {
    fn from(error: BadSignature) -> Self {
        Self::NotReceived(error.into())
    }
}

/// Does what a job asks for. What turns out to be done already counts as done.
///
/// # Errors
/// [`ErrandFailed`].
pub async fn perform(state: &AppState, job: Job) -> Result<(), ErrandFailed> {
    match job.errand {
        Errand::SandboxWebhook(payment, news) => match state.desk.payment(payment).await? {
            Some(payment) if !is_outdated(&payment, &news) => send_webhook(state, job.id, &payment, &news).await,
            Some(_) | None => Ok(()),
        },
        Errand::Refund(payment) => refund(state, job.id, payment).await,
        Errand::CancelIntent(payment) => cancel_intent(state, payment).await,
        Errand::SweepEvent(event) => sweep(state, event).await,
    }
}

/// Whether the buyer has gone on since: word of a card that was declined must not undo the proof asked for the next.
fn is_outdated(payment: &Payment, news: &News) -> bool {
    matches!(news, News::Failed) && payment.state != PaymentState::Open(Step::Method)
}

/// Tells the server what the sandbox's bank did, by the way a gateway's word comes in. The event has the
/// job's id, so that a second one is a duplicate.
async fn send_webhook(state: &AppState, job: JobId, payment: &Payment, news: &News) -> Result<(), ErrandFailed> {
    let now = state.desk.now();
    let body = webhook::write(&format!("evt_{:032x}", job.0), &shown(payment), payment, news, now);
    let signature = webhook_secret(state).sign(&body, now)?;
    Ok(deliver(state, &signature, &body).await?)
}

async fn refund(state: &AppState, job: JobId, id: PaymentId) -> Result<(), ErrandFailed> {
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
                standing => Ok(note_refund(state, id, standing).await?),
            }
        }
    }
}

async fn cancel_intent(state: &AppState, id: PaymentId) -> Result<(), ErrandFailed> {
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

async fn sweep(state: &AppState, event: EventId) -> Result<(), ErrandFailed> {
    loop {
        let live = state.desk.live_reservations(event, SWEEP_PAGE).await?;
        if live.is_empty() {
            return Ok(());
        }
        let mut given_back = 0;
        for done in join_all(live.into_iter().map(|reservation| give_back(state, reservation))).await {
            given_back += u32::from(done?);
        }
        if given_back == 0 {
            return Err(ErrandFailed::Unswept);
        }
    }
}

/// Whether this gave it back; a refusal means that somebody else has, or that it lapsed.
async fn give_back(state: &AppState, reservation: ReservationId) -> Result<bool, Stopped> {
    match state.desk.run(CancelReservation { reservation, by: Canceller::House }).await {
        Ok(_) => Ok(true),
        Err(Stopped::Refused(_)) => Ok(false),
        Err(stopped) => Err(stopped),
    }
}
