use super::{GIVE_UP_AFTER, Message, MessageState};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::MessageId;
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

/// Notes what became of an attempt to send a message. Gives whether there is nothing more to do about it.
#[derive(Debug, Clone)]
pub struct SettleMessage {
    /// The message.
    pub message: MessageId,
    /// What became of it.
    pub settled: Settled,
}

impl Command for SettleMessage {
    type Reply = bool;
    const NAME: &'static str = "SettleMessage";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<bool> {
        world.need([Key::Message(self.message)])?;
        let queued = world.messages.get(&self.message).filter(|own| own.state == MessageState::Queued);
        let Some(message) = queued else { return Ok(Decision::new(true)) };
        let state = match &self.settled {
            Settled::Sent => MessageState::Sent { at: cx.now },
            Settled::Failed(_) if cx.now < message.created_at + GIVE_UP_AFTER => return Ok(Decision::new(false)),
            Settled::Failed(why) | Settled::Refused(why) => MessageState::Failed { at: cx.now, why: why.clone() },
        };
        Ok(Decision::new(true).put(Row::Message(Message { state, ..message.clone() })))
    }
}
