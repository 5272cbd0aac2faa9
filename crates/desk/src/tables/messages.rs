use engine::id::{EventId, MessageId};
use engine::messages::{Channel, Content, Lead, Message, MessageState, Reminder};
use engine::time::Time;

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

impl Table for Message {
    type Key = MessageId;
    const NAME: &'static str = "messages";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("batch", Kind::Bytes),
        ("channel", Kind::Text),
        ("recipient", Kind::Text),
        ("status", Kind::Text),
        ("status_at", Kind::Int),
        ("failure", Kind::Text),
        ("created_at", Kind::Int),
        ("subject", Kind::Text),
        ("text", Kind::Text),
        ("html", Kind::Text),
    ];
    const KEYS: usize = 1;
    const FIXED: &'static [&'static str] = &["batch", "channel", "recipient", "created_at"];

    fn key_values(key: &MessageId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> MessageId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (status, at, failure) = match &self.state {
            MessageState::Queued => ("queued", None, None),
            MessageState::Sent { at } => ("sent", Some(at.0), None),
            MessageState::Failed { at, why } => ("failed", Some(at.0), Some(why.as_str())),
        };
        values![
            self.id.0,
            self.batch.0,
            self.channel.word(),
            self.recipient.as_str(),
            status,
            at,
            failure,
            self.created_at.0,
            self.content.subject.as_str(),
            self.content.text.as_str(),
            self.content.html.as_deref(),
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let (id, batch) = (columns.id()?, columns.id()?);
        let channel = Channel::from_word(&columns.text()?).ok_or(Corrupt("a message's channel"))?;
        let recipient = columns.text()?;
        let state = match (columns.text()?.as_str(), columns.int_or()?, columns.text_or()?) {
            ("queued", _, _) => MessageState::Queued,
            ("sent", Some(at), _) => MessageState::Sent { at: Time(at) },
            ("failed", Some(at), Some(why)) => MessageState::Failed { at: Time(at), why },
            _ => return Err(Corrupt("a message's status")),
        };
        let created_at = Time(columns.int()?);
        let content = Content { subject: columns.text()?, text: columns.text()?, html: columns.text_or()? };
        Ok(Self { id, batch, channel, recipient, content, state, created_at })
    }
}

impl Table for Reminder {
    type Key = (EventId, Lead);
    const NAME: &'static str = "reminders";
    const COLUMNS: &'static [(&'static str, Kind)] =
        &[("event_id", Kind::Bytes), ("days", Kind::Int), ("starts_at", Kind::Int)];
    const KEYS: usize = 2;

    fn key_values(key: &(EventId, Lead)) -> Vec<Value> {
        values![key.0.0, key.1.days()]
    }

    fn key(&self) -> (EventId, Lead) {
        self.of
    }

    fn values(&self) -> Vec<Value> {
        values![self.of.0.0, self.of.1.days(), self.starts_at.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let event = columns.id()?;
        let lead = Lead::of_days(columns.count()?).ok_or(Corrupt("a reminder's days"))?;
        Ok(Self { of: (event, lead), starts_at: Time(columns.int()?) })
    }
}
