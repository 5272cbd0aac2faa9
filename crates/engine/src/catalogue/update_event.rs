use std::sync::Arc;

use super::create_event::NewOffer;
use super::{Billing, Editor, Event};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::EventId;
use crate::refusal::Refusal;
use crate::world::{Change, Key, Row, World};

/// Changes what people read about an event, and while it is a draft what is for sale.
#[derive(Debug, Clone)]
pub struct UpdateEvent {
    /// Who changes it.
    pub editor: Editor,
    /// The event.
    pub event: EventId,
    /// The version the change was made from: another one in the meantime is refused.
    pub version: i64,
    /// What people read.
    pub billing: Billing,
    /// What is to be for sale, where that changes.
    pub offer: Option<NewOffer>,
}

impl UpdateEvent {
    /// The refusal of a change that was made from another version than the one there is.
    pub const OUTDATED: Refusal = Refusal::EventState { state: "changed by someone else meanwhile" };
}

impl Command for UpdateEvent {
    type Reply = Arc<Event>;
    const NAME: &'static str = "UpdateEvent";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Arc<Event>> {
        let event = self.editor.event(self.event, world)?;
        if event.status.is_off() {
            return Err(Refusal::EventState { state: "cancelled" }.into());
        }
        if event.version != self.version {
            return Err(Self::OUTDATED.into());
        }
        self.billing.check_change(&event.billing)?;
        let mut changed = event.changed(cx.now);
        changed.billing = self.billing.clone();
        let mut decision = Decision::new(());
        if let Some(offer) = &self.offer {
            if event.status.is_public() {
                return Err(Refusal::EventState { state: "published" }.into());
            }
            changed.offer = offer.build(cx)?;
            let old = event.offer.types.iter().map(|own| Change::Delete(Key::Stock(own.id)));
            world.need(event.offer.types.iter().map(|own| Key::Stock(own.id)))?;
            decision = decision.change(old.collect());
            decision = decision.put_all(changed.offer.stocks(event.id).map(Row::Stock));
        }
        let changed = Arc::new(changed);
        let Decision { changes, .. } = decision.put(Row::Event(changed.clone()));
        Ok(Decision::new(changed).change(changes).fact(Fact::EventChanged(self.event)))
    }

    fn is_final(refusal: &Refusal) -> bool {
        *refusal != Self::OUTDATED
    }
}
