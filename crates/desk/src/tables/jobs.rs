use engine::command::Fact;
use engine::holds::Reservation;
use engine::id::JobId;
use engine::jobs::{Errand, Job};
use engine::messages::Lead;
use engine::payments::News;
use engine::time::Time;
use engine::world::World;

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

fn errand_values(errand: &Errand) -> (&'static str, u128, Option<&'static str>, Option<&str>) {
    match errand {
        Errand::SandboxWebhook(payment, news) => {
            let (news, method) = news_values(news);
            ("sandbox_webhook", payment.0, Some(news), method)
        }
        Errand::Refund(payment) => ("refund", payment.0, None, None),
        Errand::CancelIntent(payment) => ("cancel_intent", payment.0, None, None),
        Errand::SweepEvent(event) => ("sweep_event", event.0, None, None),
        Errand::SendMessages(batch) => ("send_messages", batch.0, None, None),
        Errand::Remind(event, Lead::Week) => ("remind_week", event.0, None, None),
        Errand::Remind(event, Lead::Day) => ("remind_day", event.0, None, None),
        Errand::DeliverWebhook(delivery) => ("deliver_webhook", delivery.0, None, None),
    }
}

fn news_values(news: &News) -> (&'static str, Option<&str>) {
    match news {
        News::Succeeded { method } => ("succeeded", Some(method)),
        News::Failed => ("failed", None),
        News::ActionRequired => ("action", None),
        News::Processing => ("processing", None),
        News::Canceled => ("canceled", None),
        News::Refunded => ("refunded", None),
        News::RefundFailed => ("refund_failed", None),
    }
}

fn news_of(word: Option<&str>, method: Option<String>) -> Result<News, Corrupt> {
    match (word, method) {
        (Some("succeeded"), Some(method)) => Ok(News::Succeeded { method }),
        (Some("failed"), _) => Ok(News::Failed),
        (Some("action"), _) => Ok(News::ActionRequired),
        (Some("processing"), _) => Ok(News::Processing),
        (Some("canceled"), _) => Ok(News::Canceled),
        (Some("refunded"), _) => Ok(News::Refunded),
        (Some("refund_failed"), _) => Ok(News::RefundFailed),
        _ => Err(Corrupt("a job's news")),
    }
}

impl Table for Job {
    type Key = JobId;
    const NAME: &'static str = "jobs";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("errand", Kind::Text),
        ("subject", Kind::Bytes),
        ("news", Kind::Text),
        ("method", Kind::Text),
        ("run_at", Kind::Int),
        ("attempts", Kind::Int),
        ("created_at", Kind::Int),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &JobId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> JobId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (errand, subject, news, method) = errand_values(&self.errand);
        values![self.id.0, errand, subject, news, method, self.run_at.0, self.attempts, self.created_at.0,]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let id = columns.id()?;
        let (word, subject) = (columns.text()?, columns.id::<u128>()?);
        let (news, method) = (columns.text_or()?, columns.text_or()?);
        let errand = match word.as_str() {
            "sandbox_webhook" => Errand::SandboxWebhook(subject.into(), news_of(news.as_deref(), method)?),
            "refund" => Errand::Refund(subject.into()),
            "cancel_intent" => Errand::CancelIntent(subject.into()),
            "sweep_event" => Errand::SweepEvent(subject.into()),
            "send_messages" => Errand::SendMessages(subject.into()),
            "remind_week" => Errand::Remind(subject.into(), Lead::Week),
            "remind_day" => Errand::Remind(subject.into(), Lead::Day),
            "deliver_webhook" => Errand::DeliverWebhook(subject.into()),
            _ => return Err(Corrupt("a job's errand")),
        };
        Ok(Self {
            id,
            errand,
            run_at: Time(columns.int()?),
            attempts: columns.count()?,
            created_at: Time(columns.int()?),
        })
    }
}

/// An answer kept under an idempotency key.
#[derive(Debug, Clone)]
pub(crate) struct StoredAnswer {
    pub key: String,
    pub request: Vec<u8>,
    pub status: u16,
    pub body: Vec<u8>,
    pub given_at: Time,
}

impl Table for StoredAnswer {
    type Key = String;
    const NAME: &'static str = "answers";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("key", Kind::Text),
        ("request", Kind::Bytes),
        ("status", Kind::Int),
        ("body", Kind::Bytes),
        ("given_at", Kind::Int),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &String) -> Vec<Value> {
        values![key.as_str()]
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn values(&self) -> Vec<Value> {
        values![
            self.key.as_str(),
            self.request.as_slice(),
            i64::from(self.status),
            self.body.as_slice(),
            self.given_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            key: columns.text()?,
            request: columns.bytes()?,
            status: u16::try_from(columns.int()?).map_err(|_| Corrupt("an answer's status"))?,
            body: columns.bytes()?,
            given_at: Time(columns.int()?),
        })
    }
}

/// A fact as the outbox keeps it. Its position is given by the database: it is what orders the stream.
#[derive(Debug, Clone)]
pub(crate) struct OutboxRow {
    pub made_at: Time,
    pub node: i64,
    pub fact: &'static str,
    pub event: u128,
    pub subject: u128,
    pub body: String,
}

impl OutboxRow {
    /// The columns besides the position.
    pub(crate) const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("made_at", Kind::Int),
        ("node", Kind::Int),
        ("fact", Kind::Text),
        ("event_id", Kind::Bytes),
        ("subject", Kind::Bytes),
        ("body", Kind::Text),
    ];

    /// The row of a fact; its seats as the world leaves them, so that other nodes need not read them again.
    pub(crate) fn new(fact: &Fact, world: &World, made_at: Time, node: i64) -> Self {
        let row = |fact, event, subject, body| Self { made_at, node, fact, event, subject, body };
        let told = |fact, own: &Reservation, freed: Option<&[u32]>| {
            row(fact, own.event.0, own.id.0, reservation_text(own, freed, world))
        };
        match fact {
            Fact::Held(own) => told("held", own, None),
            Fact::Confirmed(own) => told("confirmed", own, None),
            Fact::Cancelled { reservation, freed } => told("cancelled", reservation, Some(freed)),
            Fact::Expired { reservation, freed } => told("expired", reservation, Some(freed)),
            Fact::PaymentReturned(payment) => row("payment_returned", payment.event.0, payment.id.0, "{}".to_owned()),
            Fact::EventChanged(event) => row("event_changed", event.0, event.0, "{}".to_owned()),
            Fact::EventDeleted(event) => row("event_deleted", event.0, event.0, "{}".to_owned()),
        }
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        values![self.made_at.0, self.node, self.fact, self.event, self.subject, self.body.as_str()]
    }
}

fn reservation_text(own: &Reservation, freed: Option<&[u32]>, world: &World) -> String {
    let claim = |ordinal: u32| {
        let claim = world.claims.get(&(own.event, ordinal))?;
        Some((ordinal, claim.version, claim.until.0))
    };
    let seats: Vec<_> = own.seats.iter().filter_map(|seat| claim(seat.ordinal)).collect();
    let items: Vec<_> = own.items.iter().map(|item| (format!("{:032x}", item.ticket_type.0), item.quantity)).collect();
    let told = ToldReservation {
        user: format!("{:032x}", own.user.0),
        seats,
        freed: freed.unwrap_or_default(),
        items,
        total: own.total.0,
        expires_at: own.expires_at.0,
    };
    serde_json::to_string(&told).expect("strings and numbers always have a JSON form")
}

/// What the event stream tells of a reservation.
#[derive(serde::Serialize)]
struct ToldReservation<'a> {
    user: String,
    seats: Vec<(u32, i64, i64)>,
    freed: &'a [u32],
    items: Vec<(String, u32)>,
    total: i64,
    expires_at: i64,
}
