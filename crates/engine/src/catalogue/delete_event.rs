use super::Editor;
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::EventId;
use crate::refusal::Refusal;
use crate::world::{Change, Key, World};

/// Deletes a draft, also one that was called off. It was never on sale, so nobody has anything of it.
#[derive(Debug, Clone)]
pub struct DeleteEvent {
    /// Who deletes it.
    pub editor: Editor,
    /// The event.
    pub event: EventId,
}

impl Command for DeleteEvent {
    type Reply = ();
    const NAME: &'static str = "DeleteEvent";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<()> {
        let event = self.editor.event(self.event, world)?;
        if event.status.is_public() {
            return Err(Refusal::EventState { state: event.status.word() }.into());
        }
        let stocks = || event.offer.types.iter().map(|own| Key::Stock(own.id));
        world.need(stocks())?;
        let gone = stocks().chain([Key::Event(self.event)]).map(Change::Delete);
        Ok(Decision::new(()).change(gone.collect()).fact(Fact::EventDeleted(self.event)))
    }
}
