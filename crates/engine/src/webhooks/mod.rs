//! Webhooks: who is told of bookings, and what was told.
//!
//! What is told of one event to one webhook goes out in turn. Each delivery that waits names the next one, a sequence
//! names the last, and only the first has a job.

mod change_webhook;
mod queue_deliveries;
mod replay_delivery;
mod settle_delivery;

pub use change_webhook::{CreateWebhook, DeleteWebhook};
pub use queue_deliveries::{NewDelivery, QueueDeliveries};
pub use replay_delivery::ReplayDelivery;
pub use settle_delivery::{SettleDelivery, Tried};

use crate::command::{Context, Decision, Stop};
use crate::id::{DeliveryId, EventId, UserId, WebhookId};
use crate::jobs::{Errand, Job};
use crate::time::{Span, Time};
use crate::world::{Key, Row, World};

/// How long delivering is tried before it is given up.
pub const GIVE_UP_AFTER: Span = Span::seconds(3 * 24 * 3_600);

/// What can be told of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was made.
    Created,
    /// It was paid.
    Confirmed,
    /// It was given up.
    Cancelled,
    /// Its hold ran out.
    Expired,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Created, Self::Confirmed, Self::Cancelled, Self::Expired];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The kind a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Somebody's wish to be told.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Who made it.
    pub owner: UserId,
    /// Whether it is told of all events, not only of its owner's.
    pub of_all: bool,
    /// Where to.
    pub url: String,
    /// Of what.
    pub kinds: Vec<Kind>,
    /// Signs what is told.
    pub secret: String,
    /// When it was made.
    pub created_at: Time,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be delivered.
    Waiting {
        /// Since when.
        since: Time,
    },
    /// The receiver has it.
    Delivered {
        /// When.
        at: Time,
    },
    /// It was given up.
    Failed {
        /// When.
        at: Time,
    },
}

/// One thing told to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventId,
    /// Of what.
    pub kind: Kind,
    /// What is told, as it goes over the wire.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last, and what came of it.
    pub last: Option<(Time, Tried)>,
    /// What goes out after it.
    pub next: Option<DeliveryId>,
    /// When it was made.
    pub made_at: Time,
}

/// What waits to be told to a webhook of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The webhook and the event.
    pub of: (WebhookId, EventId),
    /// The last that waits.
    pub tail: DeliveryId,
}

/// Puts a delivery at the end of its sequence; the first in a sequence has a job.
fn line_up(
    decision: Decision<()>,
    delivery: Delivery,
    tail: Option<Delivery>,
    cx: &mut Context,
) -> (Decision<()>, Delivery) {
    let sequence = Sequence { of: (delivery.webhook, delivery.event), tail: delivery.id };
    let decision = match tail {
        Some(tail) => decision.put(Row::Delivery(Delivery { next: Some(delivery.id), ..tail })),
        None => decision.put(Row::Job(Job::new(cx, Errand::DeliverWebhook(delivery.id)))),
    };
    (decision.put(Row::Delivery(delivery.clone())).put(Row::Sequence(sequence)), delivery)
}

/// The last delivery that waits in a sequence.
fn tail(of: (WebhookId, EventId), world: &World) -> Result<Option<Delivery>, Stop> {
    world.need([Key::Sequence(of)])?;
    let Some(sequence) = world.sequences.get(&of) else { return Ok(None) };
    world.need([Key::Delivery(sequence.tail)])?;
    Ok(world.deliveries.get(&sequence.tail).cloned())
}
