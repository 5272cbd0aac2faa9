use std::sync::Arc;

use super::{Editor, Event, EventStatus};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::EventId;
use crate::refusal::Refusal;
use crate::world::{Row, World};

/// Puts a draft on sale. Publishing what is published changes nothing.
#[derive(Debug, Clone)]
pub struct PublishEvent {
    /// Who publishes it.
    pub editor: Editor,
    /// The event.
    pub event: EventId,
}

impl Command for PublishEvent {
    type Reply = Arc<Event>;
    const NAME: &'static str = "PublishEvent";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Arc<Event>> {
        let event = self.editor.event(self.event, world)?;
        match event.status {
            EventStatus::Published => return Ok(Decision::new(event.clone())),
            EventStatus::Cancelled | EventStatus::Withdrawn => {
                return Err(Refusal::EventState { state: "cancelled" }.into());
            }
            EventStatus::Draft => {}
        }
        let event = Arc::new(Event { status: EventStatus::Published, ..event.changed(cx.now) });
        Ok(Decision::new(event.clone()).put(Row::Event(event)).fact(Fact::EventChanged(self.event)))
    }
}
