use std::collections::BTreeSet;

use super::{BATCH, Channel, Content, Message, MessageState};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::{BatchId, MessageId};
use crate::jobs::{Errand, Job};
use crate::stream::Advance;
use crate::time::Time;
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

impl Draft {
    fn message(&self, id: MessageId, batch: BatchId, now: Time) -> Message {
        Message {
            id,
            batch,
            channel: self.channel,
            recipient: self.recipient.clone(),
            content: self.content.clone(),
            state: MessageState::Queued,
            created_at: now,
        }
    }
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
        let mut named = BTreeSet::new();
        let ids = self.drafts.iter().map(|draft| draft.id.unwrap_or_else(|| cx.mint.id()));
        let new: Vec<(MessageId, &Draft)> =
            ids.zip(&self.drafts).filter(|(id, _)| world.messages.get(id).is_none() && named.insert(*id)).collect();
        for together in new.chunks(BATCH) {
            let batch = cx.mint.id();
            let messages = together.iter().map(|(id, draft)| Row::Message(draft.message(*id, batch, cx.now)));
            decision = decision.put_all(messages.collect::<Vec<_>>());
            decision = decision.put(Row::Job(Job::new(cx, Errand::SendMessages(batch))));
        }
        Ok(decision)
    }
}
