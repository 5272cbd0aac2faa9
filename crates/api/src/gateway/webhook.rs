//! Webhook events as Stripe writes them: read, and written for the sandbox.

use super::stripe::method_name;
use crate::body::Named;
use engine::payments::{News, Payment};
use engine::time::Time;
use serde::Deserialize;
use serde_json::{Value, json};

/// What an event says of which payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of the event.
    pub event: String,
    /// Which payment.
    pub subject: Subject,
    /// What became of it.
    pub news: News,
    /// What it is an event of.
    pub object: Kind,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The payment itself.
    Intent,
    /// The money that was taken for it.
    Charge,
    /// Money that goes back.
    Refund,
}

/// What an event tells of the payment it is about.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The gateway's id of the payment.
    pub reference: Option<String>,
    /// Our id of it, as it was given to the gateway.
    pub payment_id: Option<String>,
    /// What the buyer's browser shows the gateway.
    pub client_secret: Option<String>,
    /// How much it is about: what was received, where something was; what goes back, where it is about a refund.
    pub amount: Option<i64>,
    /// In which currency, where that is said.
    pub currency: Option<String>,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// The body is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a webhook event")]
pub struct NoEvent;

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

/// A PaymentIntent, a Charge or a Refund: the fields of each that are used.
#[derive(Deserialize)]
struct Object {
    id: Option<String>,
    payment_intent: Option<Value>,
    client_secret: Option<String>,
    amount: Option<i64>,
    amount_received: Option<i64>,
    currency: Option<String>,
    status: Option<String>,
    amount_refunded: Option<i64>,
    refunded: Option<bool>,
    payment_method: Option<Value>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    payment_id: Option<String>,
}

/// Reads an event; `None` when it is of no interest.
///
/// # Errors
/// [`NoEvent`] when it is not of the form of one.
pub fn read(body: &[u8]) -> Result<Option<Notice>, NoEvent> {
    let event: Value = serde_json::from_slice(body).map_err(|_| NoEvent)?;
    let event = Event::deserialize(Named(event)).map_err(|_| NoEvent)?;
    if event.id.is_empty() || event.id.len() > 255 || event.id.contains('\0') {
        return Err(NoEvent);
    }
    let Some(kind) = kind(&event.kind) else { return Ok(None) };
    let object = event.data.get("object").cloned().ok_or(NoEvent)?;
    let object = Object::deserialize(Named(object)).map_err(|_| NoEvent)?;
    let Some(news) = news(&event.kind, &object) else { return Ok(None) };
    Ok(Some(Notice { event: event.id, subject: subject(object, kind, &news), news, object: kind }))
}

/// What an event of this type is about; `None` for a type that does not matter.
fn kind(of: &str) -> Option<Kind> {
    match of.split_once('.')? {
        ("payment_intent", _) => Some(Kind::Intent),
        ("charge", "refunded") => Some(Kind::Charge),
        ("charge", "refund.updated") | ("refund", "created" | "updated" | "failed") => Some(Kind::Refund),
        _ => None,
    }
}

fn news(kind: &str, object: &Object) -> Option<News> {
    match kind {
        "payment_intent.succeeded" => Some(News::Succeeded { method: method_name(object.payment_method.as_ref()) }),
        "payment_intent.payment_failed" => Some(News::Failed),
        "payment_intent.canceled" => Some(News::Canceled),
        "payment_intent.processing" => Some(News::Processing),
        "payment_intent.requires_action" => Some(News::ActionRequired),
        "charge.refunded" => is_whole(object).then_some(News::Refunded),
        "refund.failed" => Some(News::RefundFailed),
        "charge.refund.updated" | "refund.created" | "refund.updated" => match object.status.as_deref() {
            Some("succeeded") => Some(News::Refunded),
            Some("failed" | "canceled") => Some(News::RefundFailed),
            _ => None,
        },
        _ => None,
    }
}

/// Stripe tells of partial refunds by the same event; they end no booking.
fn is_whole(charge: &Object) -> bool {
    let part = matches!((charge.amount, charge.amount_refunded), (Some(all), Some(back)) if back < all);
    charge.refunded.unwrap_or(!part)
}

fn subject(object: Object, kind: Kind, news: &News) -> Subject {
    let of_intent = kind == Kind::Intent;
    let received = matches!(news, News::Succeeded { .. });
    let expanded = |intent: Value| intent.as_str().or_else(|| intent.get("id")?.as_str()).map(str::to_owned);
    let reference = if of_intent { object.id } else { object.payment_intent.and_then(expanded) };
    Subject {
        reference,
        payment_id: object.metadata.and_then(|own| own.payment_id),
        client_secret: object.client_secret.filter(|_| of_intent),
        amount: object.amount_received.filter(|_| received).or(object.amount),
        currency: object.currency,
    }
}

/// The event by which the sandbox tells what became of a payment that was given back. `intent` is what clients call the payment.
#[must_use]
pub fn write(event: &str, intent: &str, payment: &Payment, news: &News, at: Time) -> Vec<u8> {
    let (kind, status, method) = match news {
        News::Succeeded { method } => ("payment_intent.succeeded", "succeeded", Some(method)),
        News::Failed => ("payment_intent.payment_failed", "requires_payment_method", None),
        News::ActionRequired => ("payment_intent.requires_action", "requires_action", None),
        News::Processing => ("payment_intent.processing", "processing", None),
        News::Canceled => ("payment_intent.canceled", "canceled", None),
        News::Refunded => ("charge.refunded", "succeeded", None),
        News::RefundFailed => ("refund.failed", "failed", None),
    };
    let amount = payment.amount.0;
    let metadata = json!({ "payment_id": intent });
    let object = if matches!(news, News::RefundFailed) {
        json!({
            "id": intent.replacen("pi_", "re_", 1), "object": "refund", "payment_intent": intent, "amount": amount,
            "currency": "krw", "status": status, "metadata": metadata,
        })
    } else if matches!(news, News::Refunded) {
        json!({
            "id": intent.replacen("pi_", "ch_", 1), "object": "charge", "payment_intent": intent, "amount": amount,
            "amount_refunded": amount, "currency": "krw", "refunded": true, "status": status, "metadata": metadata,
        })
    } else {
        json!({
            "id": intent, "object": "payment_intent", "amount": amount, "currency": "krw", "status": status,
            "payment_method": method, "metadata": metadata,
        })
    };
    let event = json!({
        "id": event, "object": "event", "type": kind, "created": at.seconds(), "livemode": false,
        "data": { "object": object },
    });
    event.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::id::{EventId, PaymentId, ReservationId, UserId};
    use engine::money::Won;
    use engine::payments::{Gateway, PaymentState, Step};

    fn payment() -> Payment {
        Payment {
            id: PaymentId(7),
            reservation: ReservationId(8),
            event: EventId(9 << 20),
            user: UserId(10),
            amount: Won(300_000),
            gateway: Gateway::Sandbox,
            reference: None,
            client_secret: None,
            state: PaymentState::Open(Step::Method),
            created_at: Time::NEVER,
        }
    }

    #[test]
    fn what_the_sandbox_writes_is_read_as_it_was_meant() {
        for news in [
            News::Succeeded { method: "card_visa_4242".to_owned() },
            News::Failed,
            News::ActionRequired,
            News::Processing,
            News::Canceled,
            News::Refunded,
            News::RefundFailed,
        ] {
            let body = write("evt_1", "pi_7", &payment(), &news, Time::from_millis(5_000));
            let notice = read(&body).expect("an event").expect("of interest");
            assert_eq!((notice.event.as_str(), notice.news), ("evt_1", news));
            assert_eq!(notice.subject.reference.as_deref(), Some("pi_7"));
            assert_eq!(notice.subject.payment_id.as_deref(), Some("pi_7"));
            assert_eq!(notice.subject.amount, Some(300_000));
        }
    }

    #[test]
    fn stripes_own_shapes_are_read() {
        let body = json!({"id": "evt_2", "type": "payment_intent.succeeded", "api_version": "2025-03-31.basil",
            "data": {"object": {"id": "pi_3Mt", "client_secret": "pi_3Mt_secret_x", "amount": 1000,
                "payment_method": {"id": "pm_1", "type": "card"}, "metadata": {"other": "x"}, "next_action": null}}});
        let notice = read(body.to_string().as_bytes()).expect("an event").expect("of interest");
        assert_eq!(notice.news, News::Succeeded { method: "pm_1".to_owned() });
        assert_eq!(notice.subject.client_secret.as_deref(), Some("pi_3Mt_secret_x"));
        assert_eq!(notice.subject.payment_id, None);
    }

    fn read_of(kind: &str, object: Value) -> Option<Notice> {
        let event = json!({"id": "evt_3", "type": kind, "data": {"object": object}});
        read(event.to_string().as_bytes()).expect("an event")
    }

    #[test]
    fn what_was_received_counts_where_something_was() {
        let intent =
            |received: Value| json!({"id": "pi_1", "amount": 1000, "amount_received": received, "currency": "usd"});
        let amount = |kind: &str, received| read_of(kind, intent(received)).expect("of interest").subject.amount;
        assert_eq!(amount("payment_intent.succeeded", json!(400)), Some(400));
        assert_eq!(amount("payment_intent.succeeded", Value::Null), Some(1000));
        assert_eq!(amount("payment_intent.processing", json!(0)), Some(1000));
        let subject = read_of("payment_intent.succeeded", json!({"id": "pi_1"})).expect("of interest").subject;
        assert_eq!((subject.amount, subject.currency), (None, None));
    }

    #[test]
    fn a_refund_is_told_by_how_it_stands() {
        let told = |kind: &str, status: &str| {
            let refund = json!({"id": "re_1", "payment_intent": "pi_1", "amount": 10, "status": status});
            read_of(kind, refund).map(|notice| {
                assert_eq!((notice.subject.reference.as_deref(), notice.object), (Some("pi_1"), Kind::Refund));
                notice.news
            })
        };
        for kind in ["refund.created", "refund.updated", "charge.refund.updated"] {
            assert_eq!(told(kind, "succeeded"), Some(News::Refunded), "{kind}");
            assert_eq!(told(kind, "failed"), Some(News::RefundFailed), "{kind}");
            assert_eq!(told(kind, "canceled"), Some(News::RefundFailed), "{kind}");
            assert_eq!(told(kind, "pending"), None, "{kind}");
        }
        assert_eq!(told("refund.failed", "failed"), Some(News::RefundFailed));
    }

    #[test]
    fn a_partial_refund_and_other_types_are_of_no_interest() {
        let event = |kind: &str, object: Value| {
            read(json!({"id": "evt_3", "type": kind, "data": {"object": object}}).to_string().as_bytes())
        };
        let part =
            json!({"id": "ch_1", "payment_intent": "pi_1", "amount": 10, "amount_refunded": 4, "refunded": false});
        assert_eq!(event("charge.refunded", part), Ok(None));
        let unsaid = json!({"id": "ch_1", "payment_intent": "pi_1", "amount": 10, "amount_refunded": 4});
        assert_eq!(event("charge.refunded", unsaid), Ok(None));
        for kind in ["customer.created", "payment_intent.created", "charge.succeeded", "nonsense", ""] {
            assert_eq!(event(kind, json!(["any", "shape"])).ok().flatten(), None, "{kind}");
        }
        let whole = event("charge.refunded", json!({"id": "ch_1", "payment_intent": {"id": "pi_1"}}));
        let whole = whole.expect("an event").expect("of interest");
        assert_eq!((whole.subject.reference.as_deref(), whole.news), (Some("pi_1"), News::Refunded));
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        for wrong in [
            "",
            "[]",
            r#"["evt_1","ping"]"#,
            "{}",
            r#"{"id":"evt_1"}"#,
            r#"{"id":"","type":"x"}"#,
            r#"{"id":"\u0000","type":"x"}"#,
            r#"{"id":1,"type":"x"}"#,
        ] {
            assert_eq!(read(wrong.as_bytes()), Err(NoEvent), "{wrong}");
        }
        let headless = r#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;
        assert_eq!(read(headless.as_bytes()), Err(NoEvent));
    }
}
