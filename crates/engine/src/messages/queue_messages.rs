use std::collections::BTreeSet;

use super::{Channel, Content, Message, MessageState};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::MessageId;
use crate::jobs::{Errand, Job};
use crate::stream::Advance;
use crate::world::{Key, Row, World};

/// A message to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is about, as an id; `None` for a message like any other.
    pub id: Option<MessageId>,
    /// The way it takes.
    pub channel: Channel,
    /// An address or a telephone number.
    pub recipient: String,
    /// What it says.
    pub content: Content,
}

/// Queues messages, leaving out those that were queued before. Gives whether it was done: with an `advance` only where
/// the cursor is still where the work began.
#[derive(Debug, Clone)]
pub struct QueueMessages {
    /// What of the event stream they are about.
    pub advance: Option<Advance>,
    /// The messages.
    pub drafts: Vec<Draft>,
}

impl Command for QueueMessages {
    type Reply = bool;
    const NAME: &'static str = "QueueMessages";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<bool> {
        let mut decision = Decision::new(true);
        if let Some(advance) = &self.advance {
            let Some(moved) = advance.moved(world)? else { return Ok(Decision::new(false)) };
            decision = decision.put(moved);
        }
        world.need(self.drafts.iter().filter_map(|draft| draft.id).map(Key::Message))?;
        let mut queued = BTreeSet::new();
        for draft in &self.drafts {
            let id = draft.id.unwrap_or_else(|| cx.mint.id());
            if world.messages.get(&id).is_some() || !queued.insert(id) {
                continue;
            }
            let message = Message {
                id,
                channel: draft.channel,
                recipient: draft.recipient.clone(),
                content: draft.content.clone(),
                state: MessageState::Queued,
                created_at: cx.now,
            };
            let job = Job::new(cx, Errand::SendMessage(id));
            decision = decision.put(Row::Message(message)).put(Row::Job(job));
        }
        Ok(decision)
    }
}
