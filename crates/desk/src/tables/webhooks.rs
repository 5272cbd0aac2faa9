use engine::id::{DeliveryId, EventId, WebhookId};
use engine::time::Time;
use engine::webhooks::{Delivery, DeliveryState, Kind as BookingKind, Sequence, Tried, Webhook};

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

/// What stands for [`Tried::Gone`] where an error would.
const GONE: &str = "gone";

fn kind_of(word: &str) -> Result<BookingKind, Corrupt> {
    BookingKind::from_word(word).ok_or(Corrupt("what a webhook tells"))
}

impl Table for Webhook {
    type Key = WebhookId;
    const NAME: &'static str = "webhooks";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("owner", Kind::Bytes),
        ("of_all", Kind::Int),
        ("url", Kind::Text),
        ("kinds", Kind::Text),
        ("secret", Kind::Text),
        ("created_at", Kind::Int),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &WebhookId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> WebhookId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.word()).collect();
        values![
            self.id.0,
            self.owner.0,
            i64::from(self.of_all),
            self.url.as_str(),
            kinds.join(","),
            self.secret.as_str(),
            self.created_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            id: columns.id()?,
            owner: columns.id()?,
            of_all: columns.int()? != 0,
            url: columns.text()?,
            kinds: columns.text()?.split(',').map(kind_of).collect::<Result<_, _>>()?,
            secret: columns.text()?,
            created_at: Time(columns.int()?),
        })
    }
}

impl Table for Delivery {
    type Key = DeliveryId;
    const NAME: &'static str = "deliveries";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("webhook_id", Kind::Bytes),
        ("event_id", Kind::Bytes),
        ("kind", Kind::Text),
        ("status", Kind::Text),
        ("since", Kind::Int),
        ("attempts", Kind::Int),
        ("tried_at", Kind::Int),
        ("answer", Kind::Int),
        ("failure", Kind::Text),
        ("next_id", Kind::Bytes),
        ("made_at", Kind::Int),
        ("body", Kind::Text),
    ];
    const KEYS: usize = 1;
    const FIXED: &'static [&'static str] = &["webhook_id", "event_id", "kind", "made_at", "body"];

    fn key_values(key: &DeliveryId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> DeliveryId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (status, since) = match self.state {
            DeliveryState::Waiting { since } => ("waiting", since),
            DeliveryState::Delivered { at } => ("delivered", at),
            DeliveryState::Failed { at } => ("failed", at),
        };
        let (answer, failure) = match self.last.as_ref().map(|(_, tried)| tried) {
            Some(Tried::Answered(status)) => (Some(i64::from(*status)), None),
            Some(Tried::Failed(why)) => (None, Some(why.as_str())),
            Some(Tried::Gone) => (None, Some(GONE)),
            None => (None, None),
        };
        values![
            self.id.0,
            self.webhook.0,
            self.event.0,
            self.kind.word(),
            status,
            since.0,
            self.attempts,
            self.last.as_ref().map(|(at, _)| at.0),
            answer,
            failure,
            self.next.map(|id| id.0),
            self.made_at.0,
            self.body.as_str(),
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let (id, webhook, event) = (columns.id()?, columns.id()?, columns.id()?);
        let kind = kind_of(&columns.text()?)?;
        let state = match (columns.text()?.as_str(), Time(columns.int()?)) {
            ("waiting", since) => DeliveryState::Waiting { since },
            ("delivered", at) => DeliveryState::Delivered { at },
            ("failed", at) => DeliveryState::Failed { at },
            _ => return Err(Corrupt("a delivery's status")),
        };
        let attempts = columns.count()?;
        let (tried_at, answer, failure) = (columns.int_or()?, columns.int_or()?, columns.text_or()?);
        let tried = match (answer, failure) {
            (Some(status), _) => {
                Some(Tried::Answered(u16::try_from(status).map_err(|_| Corrupt("a delivery's answer"))?))
            }
            (None, Some(gone)) if gone == GONE => Some(Tried::Gone),
            (None, Some(why)) => Some(Tried::Failed(why)),
            (None, None) => None,
        };
        Ok(Self {
            id,
            webhook,
            event,
            kind,
            state,
            attempts,
            last: tried_at.map(Time).zip(tried),
            next: columns.id_or()?,
            made_at: Time(columns.int()?),
            body: columns.text()?,
        })
    }
}

impl Table for Sequence {
    type Key = (WebhookId, EventId);
    const NAME: &'static str = "sequences";
    const COLUMNS: &'static [(&'static str, Kind)] =
        &[("webhook_id", Kind::Bytes), ("event_id", Kind::Bytes), ("tail", Kind::Bytes)];
    const KEYS: usize = 2;

    fn key_values(key: &(WebhookId, EventId)) -> Vec<Value> {
        values![key.0.0, key.1.0]
    }

    fn key(&self) -> (WebhookId, EventId) {
        self.of
    }

    fn values(&self) -> Vec<Value> {
        values![self.of.0.0, self.of.1.0, self.tail.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { of: (columns.id()?, columns.id()?), tail: columns.id()? })
    }
}
