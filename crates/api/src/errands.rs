//! What the engine wants done outside the store, done. Each errand may be done again: the second time
//! changes nothing, or tells somebody the same under the same id.

use desk::{Stopped, Unavailable};
use engine::holds::{CancelReservation, Canceller};
use engine::id::{EventId, ReservationId};
use engine::jobs::{Errand, Job};
use futures_util::future::join_all;

use crate::gateway::{BadSignature, GatewayError, NotReceived};
use crate::state::AppState;
use crate::{gateway, messages, webhooks};

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
    /// Nobody took some messages.
    #[error("{left} of {of} messages were not taken: {why}")]
    NotTaken {
        /// How many are still to be sent.
        left: usize,
        /// Of how many.
        of: usize,
        /// What was said of one of them.
        why: String,
    },
    /// A webhook's receiver did not take what it was told.
    #[error("the receiver did not take it: {0}")]
    NotDelivered(String),
    /// As much is told to the same person already as may be at once.
    #[error("other receivers of the same person have not answered yet")]
    Crowded,
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
        Errand::SandboxWebhook(payment, news) => gateway::tell(state, job.id, payment, &news).await,
        Errand::Refund(payment) => gateway::refund(state, job.id, payment).await,
        Errand::CancelIntent(payment) => gateway::cancel_intent(state, payment).await,
        Errand::SweepEvent(event) => sweep(state, event).await,
        Errand::SendMessages(batch) => messages::send(state, batch).await,
        Errand::Remind(event, lead) => messages::remind(state, event, lead).await,
        Errand::DeliverWebhook(delivery) => webhooks::deliver(state, delivery).await,
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
