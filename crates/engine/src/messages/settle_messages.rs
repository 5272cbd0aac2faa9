use super::{Content, GIVE_UP_AFTER, Message, MessageState};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::MessageId;
use crate::time::Time;
use crate::world::{Key, Row, World};

/// What became of an attempt to send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was handed on.
    Sent,
    /// It will never be taken.
    Refused(String),
    /// It was not taken this time.
    Failed(String),
}

/// Notes what became of attempts to send messages. Gives those that are still to be sent.
#[derive(Debug, Clone)]
pub struct SettleMessages {
    /// The messages, and what became of each.
    pub settled: Vec<(MessageId, Settled)>,
}

impl Command for SettleMessages {
    type Reply = Vec<MessageId>;
    const NAME: &'static str = "SettleMessages";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Vec<MessageId>> {
        world.need(self.settled.iter().map(|(id, _)| Key::Message(*id)))?;
        let mut decision = Decision::new(Vec::new());
        for (id, settled) in &self.settled {
            let queued = world.messages.get(id).filter(|own| own.state == MessageState::Queued);
            let Some(message) = queued else { continue };
            match after(message, settled, cx.now) {
                Some(over) => decision = decision.put(Row::Message(over)),
                None => decision.reply.push(*id),
            }
        }
        Ok(decision)
    }
}

/// The message as the attempt leaves it; `None` where there is to be another. What it said goes with whoever took it.
fn after(message: &Message, settled: &Settled, now: Time) -> Option<Message> {
    let over = |state, content| Message { state, content, ..message.clone() };
    match settled {
        Settled::Sent => Some(over(MessageState::Sent { at: now }, Content::default())),
        Settled::Failed(_) if now < message.created_at + GIVE_UP_AFTER => None,
        Settled::Failed(why) | Settled::Refused(why) => {
            let state = MessageState::Failed { at: now, why: why.clone() };
            Some(over(state, message.content.clone()))
        }
    }
}
