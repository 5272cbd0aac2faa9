//! What those who tell others look up: messages, reminders, webhooks and their deliveries.

use engine::id::{BatchId, DeliveryId, EventId, ReservationId, UserId, WebhookId};
use engine::messages::{Lead, Message};
use engine::webhooks::{Delivery, Webhook};

use crate::Unavailable;
use crate::desk::Desk;
use crate::value::IntoValue as _;

/// Published events that start in a span and of which nobody was reminded so long before that start.
pub(crate) const TO_REMIND: &str = "SELECT id FROM events WHERE starts_at > ?1 AND starts_at <= ?2 \
     AND status = 'published' AND NOT EXISTS (SELECT 1 FROM reminders \
     WHERE reminders.event_id = events.id AND reminders.days = ?3 AND reminders.starts_at = events.starts_at) \
     ORDER BY starts_at LIMIT ?4";
pub(crate) const SOLD: &str = "SELECT reservation_id FROM claims \
     WHERE event_id = ?1 AND claimed_until = 9223372036854775807 \
     UNION SELECT portions.reservation_id FROM portions \
     JOIN stocks ON stocks.ticket_type_id = portions.ticket_type_id \
     WHERE stocks.event_id = ?1 AND portions.claimed_until = 9223372036854775807";

/// Which deliveries of a webhook to list; newest first.
#[derive(Debug, Clone)]
pub struct DeliveryQuery {
    /// Whose.
    pub webhook: WebhookId,
    /// Only those standing so: waiting, delivered or failed.
    pub status: Option<&'static str>,
    /// How many to skip.
    pub offset: i64,
    /// How many to give.
    pub limit: i64,
}

impl Desk {
    /// The messages of a batch that are still to be sent.
    ///
    /// # Errors
    /// Where the store cannot be reached; so with every read.
    pub async fn queued_messages(&self, batch: BatchId) -> Result<Vec<Message>, Unavailable> {
        self.0.reads.select("WHERE batch = ?1 AND status = 'queued'", vec![batch.0.value()]).await
    }

    /// Published events of which people may have to be reminded now.
    ///
    /// # Errors
    /// As [`Desk::queued_messages`].
    pub async fn events_to_remind(&self, lead: Lead, limit: i64) -> Result<Vec<EventId>, Unavailable> {
        let (after, up_to) = lead.starts(self.now());
        self.ids(TO_REMIND, vec![after.0.value(), up_to.0.value(), lead.days().value(), limit.value()]).await
    }

    /// The reservations of an event that are paid.
    ///
    /// # Errors
    /// As [`Desk::queued_messages`].
    pub async fn sold(&self, event: EventId) -> Result<Vec<ReservationId>, Unavailable> {
        self.ids(SOLD, vec![event.0.value()]).await
    }

    /// Every webhook, or those of one person, oldest first.
    ///
    /// # Errors
    /// As [`Desk::queued_messages`].
    pub async fn webhooks(&self, owner: Option<UserId>) -> Result<Vec<Webhook>, Unavailable> {
        match owner {
            Some(owner) => self.0.reads.select("WHERE owner = ?1 ORDER BY id", vec![owner.0.value()]).await,
            None => self.0.reads.select("ORDER BY id", Vec::new()).await,
        }
    }

    /// The webhook with an id.
    ///
    /// # Errors
    /// As [`Desk::queued_messages`].
    pub async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// The delivery with an id.
    ///
    /// # Errors
    /// As [`Desk::queued_messages`].
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// A page of the deliveries of a webhook, and how many there are in all.
    ///
    /// # Errors
    /// As [`Desk::queued_messages`].
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<(Vec<Delivery>, i64), Unavailable> {
        let wanted = "WHERE webhook_id = ?1 AND (?2 = '' OR status = ?2)";
        let params = vec![query.webhook.0.value(), query.status.unwrap_or_default().value()];
        let total = self.0.reads.number(&format!("SELECT COUNT(*) FROM deliveries {wanted}"), params.clone()).await?;
        let page = [query.limit.value(), query.offset.value()];
        let rest = format!("{wanted} ORDER BY id DESC LIMIT ?3 OFFSET ?4");
        let rows = self.0.reads.select(&rest, params.into_iter().chain(page).collect()).await?;
        Ok((rows, total))
    }
}
