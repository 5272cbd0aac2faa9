use engine::id::JobId;
use engine::jobs::{Duty, Errand, Job};
use engine::messages::Lead;
use engine::payments::News;
use engine::time::Time;

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

/// What finds due jobs of a duty.
pub(crate) fn due_of(duty: Duty) -> &'static str {
    match duty {
        Duty::Till => {
            "SELECT id FROM jobs WHERE run_at <= ?1 \
             AND errand IN ('sandbox_webhook', 'refund', 'cancel_intent', 'sweep_event') ORDER BY run_at LIMIT ?2"
        }
        Duty::Mail => {
            "SELECT id FROM jobs WHERE run_at <= ?1 \
             AND errand IN ('send_messages', 'remind_week', 'remind_day') ORDER BY run_at LIMIT ?2"
        }
        Duty::Webhooks => {
            "SELECT id FROM jobs WHERE run_at <= ?1 AND errand = 'deliver_webhook' ORDER BY run_at LIMIT ?2"
        }
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
    const FIXED: &'static [&'static str] = &["errand", "subject", "news", "method", "created_at"];

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
