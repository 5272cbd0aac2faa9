//! The Stripe client against a stand-in that checks what it is sent and misbehaves as networks do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use api::gateway::{GatewayError, STRIPE_VERSION, Stripe};
use api::ids;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use engine::id::{EventId, PaymentId, ReservationId, UserId};
use engine::money::Won;
use engine::payments::{Gateway, News, Payment, PaymentState, Step};
use engine::time::Time;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

const KEY: &str = "sk_test_not_for_logs";

/// What the stand-in does instead of answering as it should.
#[derive(Clone)]
enum Trouble {
    /// Answers this, having done nothing.
    Answer(u16, Value),
    /// Does it, but the answer never arrives whole.
    LoseReply,
}

struct Seen {
    method: String,
    path: String,
    headers: HeaderMap,
    form: HashMap<String, String>,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }
}

/// Remembers what it was sent; what has the same idempotency key happens once.
#[derive(Default)]
struct StandIn {
    seen: Mutex<Vec<Seen>>,
    troubles: Mutex<VecDeque<Trouble>>,
    done: Mutex<HashMap<String, Value>>,
}

impl StandIn {
    async fn start(troubles: &[Trouble]) -> (Arc<Self>, Stripe) {
        let own = Arc::new(Self { troubles: Mutex::new(troubles.to_vec().into()), ..Self::default() });
        let app = Router::new().fallback(answer).with_state(own.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        let stripe = Stripe::new(KEY, &format!("http://{address}/")).expect("a client");
        (own, stripe)
    }

    fn keys(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").iter().map(|seen| seen.header("idempotency-key").to_owned()).collect()
    }

    fn happened(&self) -> usize {
        self.done.lock().expect("not poisoned").len()
    }

    fn check_last(&self, check: impl Fn(&Seen)) {
        check(self.seen.lock().expect("not poisoned").last().expect("something was sent"));
    }

    fn act(&self, seen: &Seen) -> Value {
        let mut done = self.done.lock().expect("not poisoned");
        let number = done.len() + 1;
        let made = || match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/v1/payment_intents") => intent(&format!("pi_{number}"), "requires_payment_method", seen),
            ("POST", "/v1/refunds") => json!({"id": "re_1", "object": "refund", "status": "succeeded"}),
            ("POST", _) => intent("pi_1", "canceled", seen),
            _ => intent("pi_1", "succeeded", seen),
        };
        match seen.header("idempotency-key") {
            "" => made(),
            key => done.entry(key.to_owned()).or_insert_with(made).clone(),
        }
    }
}

fn intent(id: &str, status: &str, seen: &Seen) -> Value {
    let amount: i64 = seen.field("amount").parse().unwrap_or(300_000);
    json!({"id": id, "object": "payment_intent", "amount": amount, "currency": "krw", "status": status,
           "client_secret": format!("{id}_secret_x"), "payment_method": "pm_card_visa", "next_action": null})
}

async fn answer(State(own): State<Arc<StandIn>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 65_536).await.expect("a body");
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        form: form(&String::from_utf8_lossy(&body)),
    };
    let trouble = own.troubles.lock().expect("not poisoned").pop_front();
    let response = match trouble {
        Some(Trouble::Answer(status, body)) => {
            (StatusCode::from_u16(status).expect("a status"), body.to_string()).into_response()
        }
        Some(Trouble::LoseReply) => {
            own.act(&seen);
            let cut = futures_util::stream::iter([Ok("{\"id\":"), Err(std::io::Error::other("cut off"))]);
            Body::from_stream(cut).into_response()
        }
        None => own.act(&seen).to_string().into_response(),
    };
    own.seen.lock().expect("not poisoned").push(seen);
    response
}

fn form(body: &str) -> HashMap<String, String> {
    let plain = body.replace("%5B", "[").replace("%5D", "]");
    plain.split('&').filter_map(|field| field.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn refusal(status: u16, code: &str) -> Trouble {
    Trouble::Answer(status, json!({"error": {"type": "invalid_request_error", "code": code, "message": "no"}}))
}

fn payment() -> Payment {
    Payment {
        id: PaymentId(0x0190_0000_0000_7000_8000_0000_0000_0007),
        reservation: ReservationId(0x0190_0000_0000_7000_8000_0000_0000_0008),
        event: EventId(9 << 20),
        user: UserId(10),
        amount: Won(300_000),
        gateway: Gateway::Stripe,
        reference: None,
        client_secret: None,
        state: PaymentState::Open(Step::Method),
        created_at: Time::NEVER,
    }
}

#[tokio::test]
async fn an_intent_is_opened_for_won_as_they_are() {
    let (stand_in, stripe) = StandIn::start(&[]).await;
    let opened = stripe.create(&payment()).await.expect("opened");
    assert_eq!((opened.id.as_str(), opened.client_secret.as_deref()), ("pi_1", Some("pi_1_secret_x")));
    assert!(opened.pays(&payment()));
    assert_eq!(opened.news(), None);
    stand_in.check_last(|seen| {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/payment_intents"));
        assert_eq!(seen.header("authorization"), format!("Bearer {KEY}"));
        assert_eq!(seen.header("stripe-version"), STRIPE_VERSION);
        assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
        assert!(seen.header("idempotency-key").starts_with(&ids::payment(payment().id)));
        assert_eq!(seen.field("amount"), "300000");
        assert_eq!(seen.field("currency"), "krw");
        assert_eq!(seen.field("metadata[payment_id]"), ids::payment(payment().id));
        assert_eq!(seen.field("metadata[booking_id]"), ids::booking(payment().reservation));
        assert_eq!(seen.field("automatic_payment_methods[enabled]"), "true");
    });
}

#[tokio::test]
async fn what_got_no_clear_answer_is_asked_again_and_happens_once() {
    for trouble in [refusal(500, "api_error"), refusal(429, "rate_limit"), Trouble::LoseReply] {
        let (stand_in, stripe) = StandIn::start(&[trouble.clone(), trouble]).await;
        assert_eq!(stripe.create(&payment()).await.expect("opened").id, "pi_1");
        let keys = stand_in.keys();
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| *key == keys[0] && !key.is_empty()));
        assert_eq!(stand_in.happened(), 1);
    }
}

#[tokio::test]
async fn each_operation_has_a_key_of_its_own_that_stays() {
    let (stand_in, stripe) = StandIn::start(&[]).await;
    let (own, amount) = (payment().id, payment().amount);
    for _ in 0..2 {
        stripe.create(&payment()).await.expect("opened");
        stripe.cancel(own, "pi_1").await.expect("cancelled");
        stripe.refund(own, "pi_1", amount).await.expect("refunded");
    }
    let keys = stand_in.keys();
    assert_eq!(keys[..3], keys[3..]);
    assert_eq!(stand_in.happened(), 3);
}

#[tokio::test]
async fn a_decline_is_final_and_says_why() {
    let body = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}});
    let (stand_in, stripe) = StandIn::start(&[Trouble::Answer(402, body)]).await;
    let declined = stripe.create(&payment()).await.err();
    assert_eq!(declined, Some(GatewayError::Declined("insufficient_funds".to_owned())));
    assert_eq!(stand_in.keys().len(), 1);
}

#[tokio::test]
async fn an_outage_is_told_without_the_key() {
    let down = refusal(503, "down");
    let (stand_in, stripe) = StandIn::start(&[down.clone(), down.clone(), down]).await;
    let error = stripe.create(&payment()).await.err().expect("an outage");
    assert!(matches!(error, GatewayError::Unavailable(_)));
    assert_eq!(stand_in.keys().len(), 3);

    let nobody = Stripe::new(KEY, "http://127.0.0.1:1").expect("a client");
    let error = nobody.retrieve("pi_1").await.err().expect("nobody there");
    assert!(matches!(error, GatewayError::Unavailable(_)));
    assert!(!format!("{error} {error:?}").contains(KEY));
    assert!(Stripe::new("line\nbreak", "http://127.0.0.1:1").is_err());
}

#[tokio::test]
async fn a_refund_is_whole_and_one_made_before_counts() {
    let failed = Trouble::Answer(200, json!({"id": "re_1", "status": "failed"}));
    let troubles = [refusal(400, "charge_already_refunded"), failed, refusal(400, "charge_disputed")];
    let (stand_in, stripe) = StandIn::start(&troubles).await;
    let refund = || stripe.refund(payment().id, "pi_1", payment().amount);
    assert_eq!(refund().await, Ok(()));
    assert!(matches!(refund().await, Err(GatewayError::Rejected { .. })));
    assert!(matches!(refund().await, Err(GatewayError::Rejected { status: 400, .. })));
    assert_eq!(refund().await, Ok(()));
    stand_in.check_last(|seen| {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/refunds"));
        assert_eq!((seen.field("payment_intent"), seen.field("amount")), ("pi_1", "300000"));
    });
}

#[tokio::test]
async fn cancelling_tells_what_is_over_from_what_is_unknown() {
    let troubles = [refusal(400, "payment_intent_unexpected_state"), refusal(404, "resource_missing")];
    let (stand_in, stripe) = StandIn::start(&troubles).await;
    let over = stripe.cancel(payment().id, "pi_1").await.err().expect("over");
    assert!(over.is_over() && !over.is_unknown());
    let unknown = stripe.cancel(payment().id, "pi_1").await.err().expect("unknown");
    assert!(unknown.is_unknown() && !unknown.is_over());
    assert_eq!(stripe.cancel(payment().id, "pi_1").await.expect("cancelled").news(), Some(News::Canceled));
    stand_in.check_last(|seen| assert_eq!(seen.path, "/v1/payment_intents/pi_1/cancel"));
}

#[tokio::test]
async fn asking_tells_what_became_of_it() {
    let (_, stripe) = StandIn::start(&[]).await;
    let intent = stripe.retrieve("pi_1").await.expect("found");
    assert_eq!(intent.news(), Some(News::Succeeded { method: "pm_card_visa".to_owned() }));
    assert!(intent.pays(&payment()));
    assert!(!intent.pays(&Payment { amount: Won(3_000), ..payment() }));
}

#[tokio::test]
async fn a_reference_cannot_lead_to_another_address() {
    let (stand_in, stripe) = StandIn::start(&[]).await;
    for wrong in ["", "../customers", "pi_1/cancel", "pi_1?expand", "pi_1#", "파이"] {
        assert!(stripe.retrieve(wrong).await.err().expect("refused").is_unknown(), "{wrong}");
    }
    assert_eq!(stand_in.keys().len(), 0);
}
