use super::{Delivery, DeliveryState, line_up, tail};
use crate::catalogue::Editor;
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::DeliveryId;
use crate::world::{Key, World};

/// Delivers something once more, after what waits for the same webhook and event. What still waits stays as it is.
/// Gives the delivery; `None` where it or its webhook is gone.
#[derive(Debug, Clone)]
pub struct ReplayDelivery {
    /// Who wants it.
    pub editor: Editor,
    /// Which.
    pub delivery: DeliveryId,
}

impl Command for ReplayDelivery {
    type Reply = Option<Delivery>;
    const NAME: &'static str = "ReplayDelivery";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Option<Delivery>> {
        world.need([Key::Delivery(self.delivery)])?;
        let Some(delivery) = world.deliveries.get(&self.delivery) else { return Ok(Decision::new(None)) };
        world.need([Key::Webhook(delivery.webhook)])?;
        let Some(webhook) = world.webhooks.get(&delivery.webhook) else { return Ok(Decision::new(None)) };
        webhook.may_be_changed_by(self.editor)?;
        if matches!(delivery.state, DeliveryState::Waiting { .. }) {
            return Ok(Decision::new(Some(delivery.clone())));
        }
        let tail = tail((delivery.webhook, delivery.event), world)?;
        let state = DeliveryState::Waiting { since: cx.now };
        let again = Delivery { state, attempts: 0, next: None, ..delivery.clone() };
        let (decision, again) = line_up(Decision::new(()), again, tail, cx);
        Ok(Decision { reply: Some(again), changes: decision.changes, facts: Vec::new() })
    }
}
