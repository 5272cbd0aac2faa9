use super::{Delivery, DeliveryState, GIVE_UP_AFTER};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::DeliveryId;
use crate::jobs::{Errand, Job};
use crate::world::{Change, Key, Row, World};

/// What came of an attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The receiver answered with this HTTP status.
    Answered(u16),
    /// There was no answer.
    Failed(String),
    /// There is nobody to tell any more.
    Gone,
}

impl Tried {
    /// Whether the receiver has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }
}

/// Notes what came of an attempt to deliver; once that is over, the next of its sequence may go out. Gives whether it is
/// over.
#[derive(Debug, Clone)]
pub struct SettleDelivery {
    /// The delivery.
    pub delivery: DeliveryId,
    /// What came of it.
    pub tried: Tried,
}

impl Command for SettleDelivery {
    type Reply = bool;
    const NAME: &'static str = "SettleDelivery";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<bool> {
        world.need([Key::Delivery(self.delivery)])?;
        let Some(delivery) = world.deliveries.get(&self.delivery) else { return Ok(Decision::new(true)) };
        let DeliveryState::Waiting { since } = delivery.state else { return Ok(Decision::new(true)) };
        let given_up = self.tried == Tried::Gone || cx.now >= since + GIVE_UP_AFTER;
        let state = match self.tried.is_taken() {
            true => DeliveryState::Delivered { at: cx.now },
            false if given_up => DeliveryState::Failed { at: cx.now },
            false => delivery.state,
        };
        let attempts = delivery.attempts.saturating_add(1);
        let last = Some((cx.now, self.tried.clone()));
        let mut tried = Delivery { state, attempts, last, ..delivery.clone() };
        let over = state != delivery.state;
        if !over {
            return Ok(Decision::new(false).put(Row::Delivery(tried)));
        }
        let sequence = Key::Sequence((delivery.webhook, delivery.event));
        world.need([sequence.clone()])?;
        let decision = match tried.next.take() {
            Some(next) => Decision::new(true).put(Row::Job(Job::new(cx, Errand::DeliverWebhook(next)))),
            None => Decision::new(true).change(vec![Change::Delete(sequence)]),
        };
        Ok(decision.put(Row::Delivery(tried)))
    }
}
