//! Messages to people: queued in the transaction that calls for them, sent after it, each one once.
//!
//! What a message says is written outside the engine; here is when there is one, and that there is no second.

mod call_reminder;
mod queue_messages;
mod settle_messages;

pub use call_reminder::{CallReminder, Lead, Reminder};
pub use queue_messages::{Draft, QueueMessages};
pub use settle_messages::{SettleMessages, Settled};

use crate::id::{BatchId, MessageId};
use crate::time::{Span, Time};

/// How long sending is tried before it is given up.
pub const GIVE_UP_AFTER: Span = Span::seconds(3 * 24 * 3_600);
/// The most messages of a batch: what one job sends.
pub const BATCH: usize = 50;

/// The way a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// E-mail.
    Email,
    /// A text to a telephone.
    Sms,
}

impl Channel {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The channel a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Email, Self::Sms].into_iter().find(|channel| channel.word() == word)
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// Its subject; a text to a telephone has none.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same, for those who read HTML.
    pub html: Option<String>,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageState {
    /// To be sent.
    Queued,
    /// Handed on.
    Sent {
        /// When.
        at: Time,
    },
    /// Nobody took it.
    Failed {
        /// When that was clear.
        at: Time,
        /// Why.
        why: String,
    },
}

/// A message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id. That of a message about something follows from what it is about, so that there is one.
    pub id: MessageId,
    /// With which others it is sent.
    pub batch: BatchId,
    /// The way it takes.
    pub channel: Channel,
    /// An address or a telephone number.
    pub recipient: String,
    /// What it says; nothing any more once it was handed on.
    pub content: Content,
    /// Where it stands.
    pub state: MessageState,
    /// When it was queued.
    pub created_at: Time,
}
