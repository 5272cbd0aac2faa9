//! The Stripe client against a stand-in.

use std::sync::Arc;

use crate::stand_in::{KEY, StandIn, Trouble};
use api::gateway::{GatewayError, GivenBack, STRIPE_VERSION, Stripe};
use api::ids;
use engine::id::{EventId, PaymentId, ReservationId, UserId};
use engine::money::Won;
use engine::payments::{Gateway, News, Payment, PaymentState, Step};
use engine::time::Time;
use serde_json::json;

async fn start(troubles: &[Trouble]) -> (Arc<StandIn>, Stripe) {
    let (stand_in, base) = StandIn::start(troubles).await;
    (stand_in, Stripe::new(KEY, &base).expect("a client"))
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
    let (stand_in, stripe) = start(&[]).await;
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
        let (stand_in, stripe) = start(&[trouble.clone(), trouble]).await;
        assert_eq!(stripe.create(&payment()).await.expect("opened").id, "pi_1");
        let keys = stand_in.keys();
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|key| *key == keys[0] && !key.is_empty()));
        assert_eq!(stand_in.happened(), 1);
    }
}

#[tokio::test]
async fn each_operation_has_a_key_of_its_own_that_stays() {
    let (stand_in, stripe) = start(&[]).await;
    let (own, amount) = (payment().id, payment().amount);
    for _ in 0..2 {
        stripe.create(&payment()).await.expect("opened");
        stripe.cancel(own, "pi_1").await.expect("cancelled");
        stripe.refund(own, "pi_1", amount).await.expect("refunded");
    }
    // A refund that was made is found by asking, and not made again.
    let keys: Vec<String> = stand_in.keys().into_iter().filter(|key| !key.is_empty()).collect();
    assert_eq!((keys.len(), &keys[..2]), (5, &keys[3..]));
    assert_eq!(stand_in.happened(), 3);
}

#[tokio::test]
async fn a_decline_is_final_and_says_why() {
    let body = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}});
    let (stand_in, stripe) = start(&[Trouble::Answer(402, body)]).await;
    let declined = stripe.create(&payment()).await.err();
    assert_eq!(declined, Some(GatewayError::Declined("insufficient_funds".to_owned())));
    assert_eq!(stand_in.keys().len(), 1);
}

#[tokio::test]
async fn an_outage_is_told_without_the_key() {
    let down = refusal(503, "down");
    let (stand_in, stripe) = start(&[down.clone(), down.clone(), down]).await;
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
    let troubles = [refusal(400, "charge_already_refunded"), refusal(400, "charge_disputed")];
    let (stand_in, stripe) = start(&troubles).await;
    let refund = || stripe.refund(payment().id, "pi_1", payment().amount);
    assert_eq!(refund().await, Ok(GivenBack::Done("elsewhere".to_owned())));
    assert!(matches!(refund().await, Err(GatewayError::Rejected { status: 400, .. })));
    assert_eq!(refund().await, Ok(GivenBack::Done("re_1".to_owned())));
    stand_in.check_last(|seen| {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/refunds"));
        assert_eq!((seen.field("payment_intent"), seen.field("amount")), ("pi_1", "300000"));
    });
    assert_eq!(refund().await, Ok(GivenBack::Done("re_1".to_owned())));
    assert_eq!(stand_in.refunds(), 1);
}

#[tokio::test]
async fn a_refund_that_failed_is_made_anew_and_one_under_way_is_not() {
    let (stand_in, stripe) = start(&[]).await;
    let refund = || stripe.refund(payment().id, "pi_1", payment().amount);
    stand_in.refunds_are("pending");
    for _ in 0..2 {
        assert_eq!(refund().await, Ok(GivenBack::UnderWay("re_1".to_owned())));
    }
    stand_in.refunds_are("failed");
    assert_eq!(refund().await, Ok(GivenBack::Failed("re_2".to_owned())));
    stand_in.refunds_are("canceled");
    assert_eq!(refund().await, Ok(GivenBack::Failed("re_3".to_owned())));
    let keys: Vec<String> = stand_in.keys().into_iter().filter(|key| !key.is_empty()).collect();
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "each has a key of its own: {keys:?}");
}

#[tokio::test]
async fn cancelling_tells_what_is_over_from_what_is_unknown() {
    let troubles = [refusal(400, "payment_intent_unexpected_state"), refusal(404, "resource_missing")];
    let (stand_in, stripe) = start(&troubles).await;
    let over = stripe.cancel(payment().id, "pi_1").await.err().expect("over");
    assert!(over.is_over() && !over.is_unknown());
    let unknown = stripe.cancel(payment().id, "pi_1").await.err().expect("unknown");
    assert!(unknown.is_unknown() && !unknown.is_over());
    assert_eq!(stripe.cancel(payment().id, "pi_1").await.expect("cancelled").news(), Some(News::Canceled));
    stand_in.check_last(|seen| assert_eq!(seen.path, "/v1/payment_intents/pi_1/cancel"));
}

#[tokio::test]
async fn asking_tells_what_became_of_it() {
    let (_, stripe) = start(&[]).await;
    let intent = stripe.retrieve("pi_1").await.expect("found");
    assert_eq!(intent.news(), Some(News::Succeeded { method: "pm_card_visa".to_owned() }));
    assert!(intent.pays(&payment()));
    assert!(!intent.pays(&Payment { amount: Won(3_000), ..payment() }));
}

#[tokio::test]
async fn a_reference_cannot_lead_to_another_address() {
    let (stand_in, stripe) = start(&[]).await;
    for wrong in ["", "../customers", "pi_1/cancel", "pi_1?expand", "pi_1#", "파이"] {
        assert!(stripe.retrieve(wrong).await.err().expect("refused").is_unknown(), "{wrong}");
    }
    assert_eq!(stand_in.keys().len(), 0);
}
