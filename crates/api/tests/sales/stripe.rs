//! Payments through Stripe, played by the stand-in.

use std::sync::Arc;

use api::gateway::GatewayConfig;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::stand_in::{KEY, StandIn, Trouble};

async fn at_stripe(troubles: &[Trouble]) -> (Arc<StandIn>, Stage) {
    let (stand_in, api_base) = StandIn::start(troubles).await;
    let stage = Stage::new(GatewayConfig::Stripe { secret_key: KEY.to_owned(), api_base }).await;
    (stand_in, stage)
}

fn path(booking: &Value) -> String {
    format!("/api/bookings/{}", booking["booking_id"].as_str().expect("an id"))
}

fn down() -> Trouble {
    Trouble::Answer(503, json!({}))
}

#[tokio::test]
async fn a_lost_webhook_does_not_lose_the_sale_and_the_refund_goes_through_stripe() {
    let (stand_in, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    let intent = stage.open(&buyer, &booking).await.expect(200);
    assert_eq!((&intent["payment_intent_id"], &intent["client_secret"]), (&json!("pi_1"), &json!("pi_1_secret_x")));
    stand_in.check_last(|seen| assert_eq!(seen.field("amount"), "300000"));
    assert_eq!(stage.open(&buyer, &booking).await.expect(200), intent);
    assert_eq!(stand_in.happened(), 1);

    // The buyer has paid at Stripe, whose webhook never comes: confirming asks.
    let body = json!({"payment_intent_id": "pi_1"});
    let confirm = async || stage.post(&format!("{}/confirm", path(&booking)), &buyer, body.clone()).await;
    let confirmed = confirm().await.expect(200);
    assert_eq!(confirmed["status"], "confirmed");
    assert_eq!(confirm().await.expect(200), confirmed);
    let payment = stage.get("/api/payment/pi_1", &buyer).await.expect(200);
    assert_eq!(payment["payment_method"], "pm_card_visa");

    stage.post(&format!("{}/cancel", path(&booking)), &buyer, json!({})).await.expect(200);
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    stand_in.check_last(|seen| assert_eq!((seen.path.as_str(), seen.field("payment_intent")), ("/v1/refunds", "pi_1")));
    let payment = stage.get("/api/payment/pi_1", &buyer).await.expect(200);
    assert_eq!(payment["refund_status"], "succeeded");
}

#[tokio::test]
async fn an_outage_is_503_and_the_next_try_opens_the_same_intent() {
    let (stand_in, stage) = at_stripe(&[Trouble::LoseReply, down(), down()]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    stage.open(&buyer, &booking).await.refused(503, "SERVICE_UNAVAILABLE");
    assert_eq!(stage.open(&buyer, &booking).await.expect(200)["payment_intent_id"], "pi_1");
    assert_eq!(stand_in.happened(), 1);
}

#[tokio::test]
async fn word_of_a_payment_whose_opening_got_lost_finds_it_by_its_metadata() {
    let (_, stage) = at_stripe(&[Trouble::LoseReply, down(), down()]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    stage.open(&buyer, &booking).await.refused(503, "SERVICE_UNAVAILABLE");
    let ours = stage.get(&path(&booking), &buyer).await.expect(200)["payment_intent_id"].clone();
    let event = json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {
        "id": "pi_1", "amount": 300_000, "client_secret": "pi_1_secret_x", "metadata": {"payment_id": ours}}}});
    stage.deliver(&event).await.expect(200);
    let now = stage.get(&path(&booking), &buyer).await.expect(200);
    assert_eq!((&now["status"], &now["payment_intent_id"]), (&json!("confirmed"), &json!("pi_1")));
    // Our own id still leads to it, and another intent with the same metadata does not.
    let ours = format!("/api/payment/{}", ours.as_str().expect("an id"));
    assert_eq!(stage.get(&ours, &buyer).await.expect(200)["payment_intent_id"], "pi_1");
    let other = json!({"id": "evt_2", "type": "charge.refunded", "data": {"object": {
        "id": "ch_9", "payment_intent": "pi_9", "metadata": {"payment_id": ours}}}});
    stage.deliver(&other).await.expect(200);
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
}

#[tokio::test]
async fn an_intent_is_called_off_at_stripe_and_one_that_was_paid_meanwhile_is_dealt_with() {
    let over = json!({"error": {"code": "payment_intent_unexpected_state"}});
    let (stand_in, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    stage.open(&buyer, &booking).await.expect(200);
    stage.post("/api/payment/pi_1/cancel", &buyer, json!({})).await.expect(200);
    stand_in.trouble(Trouble::Answer(400, over));
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    // Cancelling failed because the buyer had paid: the money is taken note of, and the seat is theirs.
    assert_eq!(stage.get("/api/payment/pi_1", &buyer).await.expect(200)["status"], "succeeded");
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
}

#[tokio::test]
async fn a_refund_that_fails_stays_to_be_done() {
    let (stand_in, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    stage.open(&buyer, &booking).await.expect(200);
    let body = json!({"payment_intent_id": "pi_1"});
    stage.post(&format!("{}/confirm", path(&booking)), &buyer, body).await.expect(200);
    stage.post(&format!("{}/cancel", path(&booking)), &buyer, json!({})).await.expect(200);
    for _ in 0..3 {
        stand_in.trouble(down());
    }
    assert_eq!(stage.run_jobs().await.len(), 1);
    assert_eq!(stage.get("/api/payment/pi_1", &buyer).await.expect(200)["refund_status"], "processing");
}

/// A booking that was paid at Stripe and cancelled.
async fn cancelled(stage: &Stage, buyer: &str) -> Value {
    let booking = stage.hold(buyer, &["VIP-1-1"]).await;
    stage.open(buyer, &booking).await.expect(200);
    let body = json!({"payment_intent_id": "pi_1"});
    stage.post(&format!("{}/confirm", path(&booking)), buyer, body).await.expect(200);
    stage.post(&format!("{}/cancel", path(&booking)), buyer, json!({})).await.expect(200);
    booking
}

fn refund_event(id: &str, kind: &str, status: &str) -> Value {
    let object = json!({"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1",
                        "amount": 300_000, "currency": "krw", "status": status});
    json!({"id": id, "object": "event", "type": kind, "data": {"object": object}})
}

#[tokio::test]
async fn a_refund_under_way_is_done_when_stripe_says_so() {
    let (stand_in, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    stand_in.refunds_are("pending");
    cancelled(&stage, &buyer).await;
    let stands = async || stage.get("/api/payment/pi_1", &buyer).await.expect(200)["refund_status"].clone();
    assert_eq!(stage.run_jobs().await, ["the gateway is still giving the money back"]);
    assert_eq!(stands().await, "processing");
    // Stripe tells of a refund the moment it has begun.
    let begun = json!({"id": "evt_1", "type": "charge.refunded", "data": {"object": {"id": "ch_1", "refunded": true,
        "payment_intent": "pi_1", "amount": 300_000, "amount_refunded": 300_000, "currency": "krw"}}});
    stage.deliver(&begun).await.expect(200);
    stage.deliver(&refund_event("evt_2", "refund.updated", "pending")).await.expect(200);
    assert_eq!(stands().await, "processing");
    stand_in.refunds_are("succeeded");
    stage.deliver(&refund_event("evt_3", "charge.refund.updated", "succeeded")).await.expect(200);
    assert_eq!(stands().await, "succeeded");
    assert_eq!(stand_in.refunds(), 1);
    assert!(stage.in_order().await);
}

#[tokio::test]
async fn a_refund_that_failed_is_seen_and_asked_for_again() {
    let (stand_in, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    stand_in.refunds_are("failed");
    cancelled(&stage, &buyer).await;
    let stands = async || stage.get("/api/payment/pi_1", &buyer).await.expect(200)["refund_status"].clone();
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    assert_eq!((stands().await, stand_in.refunds()), (json!("failed"), 1));
    assert!(stage.in_order().await);
    let again = "/api/payment/pi_1/refund";
    stage.post(again, &buyer, json!({})).await.refused(403, "FORBIDDEN");
    stand_in.refunds_are("failed");
    // What is asked for by hand once is tried once.
    assert_eq!(stage.post(again, &stage.admin, json!({})).await.expect(200)["refund_status"], "processing");
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    assert_eq!((stands().await, stand_in.refunds()), (json!("failed"), 2));
    stage.post(again, &stage.admin, json!({})).await.expect(200);
    stand_in.will_refund("succeeded");
    assert_eq!(stage.run_jobs().await, Vec::<String>::new());
    assert_eq!((stands().await, stand_in.refunds()), (json!("succeeded"), 3));
    // A late word of the first failure changes nothing, and what came back after all is seen.
    stage.deliver(&refund_event("evt_1", "refund.failed", "failed")).await.expect(200);
    assert_eq!(stands().await, "succeeded");
    stand_in.refunds_are("failed");
    stage.deliver(&refund_event("evt_2", "refund.failed", "failed")).await.expect(200);
    assert_eq!(stands().await, "failed");
    assert!(stage.in_order().await);
}

#[tokio::test]
async fn money_of_another_amount_or_currency_confirms_nothing() {
    let (_, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    stage.open(&buyer, &booking).await.expect(200);
    for (number, fields) in [
        json!({}),
        json!({"amount": 3_000, "currency": "krw"}),
        json!({"amount": 300_000, "currency": "usd"}),
        json!({"amount": 300_000, "amount_received": 3_000, "currency": "krw"}),
        json!({"amount": 300_000, "amount_received": 0, "currency": "krw"}),
        json!({"amount": null, "currency": "krw"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut object = fields.clone();
        object["id"] = json!("pi_1");
        let event =
            json!({"id": format!("evt_{number}"), "type": "payment_intent.succeeded", "data": {"object": object}});
        stage.deliver(&event).await.expect(200);
        assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "reserved", "{fields}");
    }
    let event = json!({"id": "evt_9", "type": "payment_intent.succeeded", "data": {"object": {
        "id": "pi_1", "amount": 300_000, "amount_received": 300_000, "currency": "krw"}}});
    stage.deliver(&event).await.expect(200);
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
}

#[tokio::test]
async fn the_sandbox_cannot_charge_what_stripe_is_to_take() {
    let (_, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    stage.open(&buyer, &booking).await.expect(200);
    let body = json!({"payment_method": "card_visa_4242"});
    stage.post("/api/payment/pi_1/confirm", &buyer, body).await.refused(400, "PAYMENT_FAILED");
}

#[tokio::test]
async fn tiketi_pays_at_stripe_in_one_answer_and_a_declined_card_may_be_followed_by_another() {
    let (stand_in, stage) = at_stripe(&[]).await;
    let buyer = stage.buyer("a").await;
    let booking = stage.hold(&buyer, &["VIP-1-1"]).await;
    let reservation = &booking["booking_id"];
    let pay = async |method: &str| {
        let body = json!({"reservationId": reservation, "paymentMethod": method});
        stage.post("/api/v1/payments/process", &buyer, body).await
    };
    let no = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}});
    let fine = json!({"id": "pi_1", "amount": 300_000, "currency": "krw", "status": "requires_payment_method"});
    stand_in.trouble(Trouble::Answer(200, fine));
    stand_in.trouble(Trouble::Answer(402, no));
    assert_eq!(pay("pm_card_chargeDeclined").await.expect(402)["code"], "PAYMENT_FAILED");
    stand_in.check_last(|seen| {
        assert_eq!(seen.path, "/v1/payment_intents/pi_1/confirm");
        assert_eq!(seen.field("payment_method"), "pm_card_chargeDeclined");
        assert_eq!(seen.field("error_on_requires_action"), "true");
    });
    let bad = json!({"error": {"type": "invalid_request_error", "code": "resource_missing"}});
    stand_in.trouble(Trouble::Answer(400, bad));
    assert_eq!(pay("pm_nobody").await.expect(400)["code"], "INVALID_REQUEST");
    stand_in.trouble(Trouble::LoseReply);
    let paid = pay("pm_card_visa").await.expect(200);
    assert_eq!((&paid["success"], &paid["payment"]["totalAmount"]), (&json!(true), &json!(300_000)));
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
    assert_eq!(pay("pm_card_visa").await.expect(409)["code"], "ALREADY_PAID");
    assert!(stage.in_order().await);
}

/// What costs nothing never reaches Stripe, nor waits for anybody's word.
#[tokio::test]
async fn what_costs_nothing_is_confirmed_whatever_is_known_of_stripe() {
    let (stand_in, api_base) = StandIn::start(&[]).await;
    let stage = Stage::with_secret(GatewayConfig::Stripe { secret_key: KEY.to_owned(), api_base }, None).await;
    let event = json!({
        "title": "Open day", "description": "", "category": "concert", "venue": "Hall", "location": "Seoul",
        "start_date": "2034-06-15T19:00:00Z", "end_date": "2034-06-15T22:00:00Z", "status": "published",
        "ticket_types": [{"name": "Free", "price": 0, "quantity": 10}],
    });
    let event = stage.post("/api/events", &stage.admin, event).await.expect(200);
    let items = json!([{"ticket_type_id": event["ticket_types"][0]["ticket_type_id"], "quantity": 1}]);
    let buyer = stage.buyer("a").await;
    let held = json!({"event_id": event["event_id"], "items": items});
    let booking = stage.post("/api/bookings", &buyer, held).await.expect(200);
    stage.open(&buyer, &booking).await.expect(200);
    assert_eq!(stage.get(&path(&booking), &buyer).await.expect(200)["status"], "confirmed");
    assert_eq!(stand_in.happened(), 0);
}
