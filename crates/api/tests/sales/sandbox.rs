//! Payments in the sandbox, and the webhook.

use engine::command::{Command, Context, Decision, Verdict};
use engine::id::PaymentId;
use engine::jobs::{Errand, Job};
use engine::payments::{News, Payment, PaymentState, Refund};
use engine::wallet::{Account, Transfer};
use engine::world::{Key, Row, World};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Holds a seat and opens its payment: the booking, and the intent's id.
async fn opened(stage: &Stage, buyer: &str) -> (Value, String) {
    let booking = stage.hold(buyer, &["VIP-1-1"]).await;
    let intent = stage.open(buyer, &booking).await.expect(200);
    (booking, intent["payment_intent_id"].as_str().expect("an id").to_owned())
}

async fn pay(stage: &Stage, buyer: &str, intent: &str, card: &str) -> crate::stage::Answer {
    stage.post(&format!("/api/payment/{intent}/confirm"), buyer, json!({"payment_method": card})).await
}

fn path(booking: &Value) -> String {
    format!("/api/bookings/{}", booking["booking_id"].as_str().expect("an id"))
}

fn event(id: &str, kind: &str, intent: &str, amount: i64) -> Value {
    json!({"id": id, "type": kind, "data": {"object": {"id": intent, "payment_intent": intent, "amount": amount}}})
}

#[tokio::test]
async fn a_sale_runs_by_itself_once_it_is_paid_and_back_when_it_is_given_up() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let (booking, intent) = opened(&stage, &buyer).await;
    let paid = pay(&stage, &buyer, &intent, "card_visa_4242").await.expect(200);
    assert_eq!((&paid["status"], &paid["amount"]), (&json!("succeeded"), &json!(300_000)));
    assert_eq!(paid["payment_method"], "card_visa_4242");
    let confirmed = stage.get(&path(&booking), &buyer).await.expect(200);
    assert_eq!((&confirmed["status"], &confirmed["payment_intent_id"]), (&json!("confirmed"), &json!(intent)));

    let cancelled = stage.post(&format!("{}/cancel", path(&booking)), &buyer, json!({})).await.expect(200);
    assert_eq!(cancelled["refund_status"], "processing");
    assert_eq!(cancelled["refund_amount"].to_string(), "300000.0");
    let view = async || stage.get(&format!("/api/payment/{intent}"), &buyer).await;
    assert_eq!(view().await.expect(200)["refund_status"], "processing");
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    assert_eq!(view().await.expect(200)["refund_status"], "succeeded");
    stage.post(&format!("{}/cancel", path(&booking)), &buyer, json!({})).await.refused(400, "INVALID_REQUEST");
    stage.hold(&buyer, &["VIP-1-1"]).await;
}

#[tokio::test]
async fn one_booking_has_one_live_intent() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let (booking, intent) = opened(&stage, &buyer).await;
    let again = stage.open(&buyer, &booking).await.expect(200);
    assert_eq!((&again["payment_intent_id"], &again["amount"]), (&json!(intent), &json!(300_000)));
    assert_eq!((&again["currency"], &again["status"]), (&json!("krw"), &json!("requires_payment_method")));
    let secret = again["client_secret"].as_str().expect("a secret");
    assert!(secret.starts_with(&format!("{intent}_secret_")) && secret.len() > intent.len() + 30);

    let cancel = async || stage.post(&format!("/api/payment/{intent}/cancel"), &buyer, json!({})).await;
    assert_eq!(cancel().await.expect(200)["status"], "canceled");
    cancel().await.refused(400, "PAYMENT_FAILED");
    pay(&stage, &buyer, &intent, "card_visa_4242").await.refused(400, "PAYMENT_FAILED");
    let next = stage.open(&buyer, &booking).await.expect(200);
    assert_ne!(next["payment_intent_id"], json!(intent));
}

#[tokio::test]
async fn a_declined_card_leaves_the_hold_and_a_challenged_one_takes_two_calls() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let (booking, intent) = opened(&stage, &buyer).await;
    pay(&stage, &buyer, &intent, "card_declined").await.refused(402, "PAYMENT_FAILED");
    assert_eq!(pay(&stage, &buyer, &intent, "card_3ds").await.expect(200)["status"], "requires_action");
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "reserved");
    assert_eq!(pay(&stage, &buyer, &intent, "card_3ds").await.expect(200)["status"], "succeeded");
    stage.post(&format!("/api/payment/{intent}/cancel"), &buyer, json!({})).await.refused(400, "PAYMENT_FAILED");
}

#[tokio::test]
async fn a_payment_is_opened_only_for_what_it_costs_and_by_whom_it_concerns() {
    let stage = Stage::sandbox().await;
    let (buyer, other) = (stage.buyer("a").await, stage.buyer("b").await);
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    let open = |amount: Value, currency: &str| {
        let body = json!({"booking_id": booking["booking_id"], "amount": amount, "currency": currency});
        stage.post("/api/payment/create-intent", &buyer, body)
    };
    for amount in [json!(1), json!(30_000_000), json!(299_999.5), json!(-300_000), json!(0)] {
        open(amount, "krw").await.refused(400, "INVALID_REQUEST");
    }
    open(json!(300_000), "usd").await.refused(400, "INVALID_REQUEST");
    stage.open(&other, &booking).await.refused(403, "FORBIDDEN");
    stage.open(&buyer, &json!({"booking_id": "book_x", "total_amount": 1})).await.refused(404, "NOT_FOUND");

    let intent = open(json!(300_000), "krw").await.expect(200);
    let intent = intent["payment_intent_id"].as_str().expect("an id");
    stage.get(&format!("/api/payment/{intent}"), &other).await.refused(403, "FORBIDDEN");
    stage.get(&format!("/api/payments/{intent}"), &stage.admin).await.expect(200);
    for unknown in ["pi_unknown", "pi_%00", "%ED%95%9C", &"p".repeat(300)] {
        stage.get(&format!("/api/payment/{unknown}"), &buyer).await.refused(404, "NOT_FOUND");
    }
    pay(&stage, &other, intent, "card_visa_4242").await.refused(403, "FORBIDDEN");
    pay(&stage, &buyer, intent, "a coin").await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn only_a_signed_event_counts_and_once() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let (booking, intent) = opened(&stage, &buyer).await;
    let succeeded = event("evt_1", "payment_intent.succeeded", &intent, 300_000);
    for signature in ["", "t=1,v1=00", "nonsense"] {
        stage.deliver_as(signature, succeeded.to_string()).await.refused(400, "INVALID_REQUEST");
    }
    let other_amount = event("evt_0", "payment_intent.succeeded", &intent, 3);
    assert_eq!(stage.deliver(&other_amount).await.expect(200), json!({"status": "success"}));
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "reserved");

    assert_eq!(stage.deliver(&succeeded).await.expect(200), json!({"status": "success"}));
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
    let refunded = event("evt_2", "charge.refunded", &intent, 300_000);
    stage.deliver(&refunded).await.expect(200);
    for repeated in [&succeeded, &refunded] {
        stage.deliver(repeated).await.expect(200);
        assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "cancelled");
    }
}

#[tokio::test]
async fn what_does_not_concern_us_is_taken_and_forgotten() {
    let stage = Stage::sandbox().await;
    let unknown = event("evt_1", "payment_intent.succeeded", "pi_of_another_shop", 1);
    stage.deliver(&unknown).await.expect(200);
    stage.deliver(&event("evt_2", "customer.created", "cus_1", 1)).await.expect(200);
    stage.deliver(&json!({"id": "evt_3", "type": "ping"})).await.expect(200);
    stage.deliver(&json!(["not", "an", "event"])).await.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn an_event_that_is_called_off_gives_everything_back() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let (booking, intent) = opened(&stage, &buyer).await;
    stage.deliver(&event("evt_1", "payment_intent.succeeded", &intent, 300_000)).await.expect(200);
    let held = stage.hold(&buyer, &["B-1-1", "B-1-2"]).await;

    let editor = engine::catalogue::Editor { user: stage.event.owner, role: engine::people::Role::Admin };
    let call_off = engine::catalogue::CancelEvent { editor, event: stage.event.id };
    stage.state.desk.run(call_off).await.expect("called off");
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    for own in [&booking, &held] {
        assert_eq!(stage.get(&path(own), &buyer).await.expect(200)["status"], "cancelled");
    }
    let payment = stage.get(&format!("/api/payment/{intent}"), &buyer).await.expect(200);
    assert_eq!(payment["refund_status"], "succeeded");
}

/// A sale as a program of before left it in the middle: the sandbox has the money, and its word is on its way.
struct LeaveUnsettled(PaymentId);

impl Command for LeaveUnsettled {
    type Reply = ();
    const NAME: &'static str = "LeaveUnsettled";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<()> {
        world.need([Key::Payment(self.0)])?;
        let open = world.payments.get(&self.0).expect("it was opened").clone();
        let news = News::Succeeded { method: "card".to_owned() };
        let job = Job {
            id: cx.mint.id(),
            errand: Errand::SandboxWebhook(open.id, news),
            run_at: cx.now,
            attempts: 0,
            created_at: cx.now,
        };
        let taken = Transfer {
            id: cx.mint.id(),
            at: cx.now,
            debit: Account::Gateway,
            credit: Account::Unsettled,
            amount: open.amount,
            reservation: Some(open.reservation),
            payment: Some(open.id),
        };
        let state = PaymentState::Succeeded { at: cx.now, method: "card".to_owned(), refund: Refund::None };
        let paid = Row::Payment(Payment { state, ..open });
        Ok(Decision::new(()).put(paid).put(Row::Transfer(taken)).put(Row::Job(job)))
    }
}

#[tokio::test]
async fn what_a_program_of_before_has_not_settled_is_settled_by_the_word_it_left() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let (booking, intent) = opened(&stage, &buyer).await;
    let payment = api::ids::parse_payment(&intent).expect("an id");
    stage.state.desk.run(LeaveUnsettled(payment)).await.expect("left");
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "reserved");
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
    assert!(stage.in_order().await);
}
