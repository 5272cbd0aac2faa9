use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Delivery, DeliveryState, Kind, line_up, tail};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::{DeliveryId, EventId, WebhookId};
use crate::stream::Advance;
use crate::world::World;

/// Something to be told to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// To whom.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventId,
    /// Of what.
    pub kind: Kind,
    /// What is told, as it goes over the wire.
    pub body: String,
}

/// Queues what is to be told of a part of the event stream, in its order. Gives whether it was done: only where the
/// cursor is still where the work began.
#[derive(Debug, Clone)]
pub struct QueueDeliveries {
    /// What of the event stream it is about.
    pub advance: Advance,
    /// What is to be told, oldest first.
    pub new: Vec<NewDelivery>,
}

impl Command for QueueDeliveries {
    type Reply = bool;
    const NAME: &'static str = "QueueDeliveries";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<bool> {
        let Some(moved) = self.advance.moved(world)? else { return Ok(Decision::new(false)) };
        let mut tails = BTreeMap::new();
        for new in &self.new {
            let of = (new.webhook, new.event);
            if let Entry::Vacant(unknown) = tails.entry(of) {
                unknown.insert(tail(of, world)?);
            }
        }
        let mut decision = Decision::new(()).put(moved);
        // Ids of one moment are in no order; these are, since deliveries are listed by them.
        let mut ids: Vec<DeliveryId> = self.new.iter().map(|_| cx.mint.id()).collect();
        ids.sort_unstable();
        for (new, id) in self.new.iter().zip(ids) {
            let delivery = Delivery {
                id,
                webhook: new.webhook,
                event: new.event,
                kind: new.kind,
                body: new.body.clone(),
                state: DeliveryState::Waiting { since: cx.now },
                attempts: 0,
                last: None,
                next: None,
                made_at: cx.now,
            };
            let last = tails.entry((new.webhook, new.event)).or_default();
            let (queued, delivery) = line_up(decision, delivery, last.take(), cx);
            decision = queued;
            *last = Some(delivery);
        }
        Ok(Decision { reply: true, changes: decision.changes, facts: Vec::new() })
    }
}
