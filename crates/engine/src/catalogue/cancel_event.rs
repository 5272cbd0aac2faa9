use std::sync::Arc;

use super::{Editor, Event, EventStatus};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::EventId;
use crate::jobs::{Errand, Job};
use crate::refusal::Refusal;
use crate::world::{Row, World};

/// Calls an event off. Nothing of it is sold from then on; a job gives back what was paid.
#[derive(Debug, Clone)]
pub struct CancelEvent {
    /// Who calls it off.
    pub editor: Editor,
    /// The event.
    pub event: EventId,
}

impl Command for CancelEvent {
    type Reply = Arc<Event>;
    const NAME: &'static str = "CancelEvent";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Arc<Event>> {
        let event = self.editor.event(self.event, world)?;
        if event.status.is_off() {
            return Err(Refusal::EventState { state: "cancelled" }.into());
        }
        let status = if event.status.is_public() { EventStatus::Cancelled } else { EventStatus::Withdrawn };
        let event = Arc::new(Event { status, ..event.changed(cx.now) });
        let sweep = Job::new(cx, Errand::SweepEvent(self.event));
        Ok(Decision::new(event.clone())
            .put(Row::Event(event))
            .put(Row::Job(sweep))
            .fact(Fact::EventChanged(self.event)))
    }
}
