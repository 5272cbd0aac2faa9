//! Whoever works the event stream off.

use api::{messages, webhooks};
use serde_json::json;

use crate::stage::Stage;

/// Holds eighty seats, each by itself; gives the bookings' ids.
async fn hold_each(stage: &Stage, buyer: &str) -> Vec<String> {
    let mut held = Vec::new();
    for (row, seat) in (1..=4).flat_map(|row| (1..=20).map(move |seat| (row, seat))) {
        let booking = stage.hold(buyer, &[&format!("B-{row}-{seat}")]).await;
        held.push(booking["booking_id"].as_str().expect("an id").to_owned());
    }
    held
}

async fn cancel_each(stage: &Stage, buyer: &str, bookings: &[String]) {
    for booking in bookings {
        stage.post(&format!("/api/bookings/{booking}/cancel"), buyer, json!({})).await.expect(200);
    }
}

async fn is_done(stage: &Stage, consumer: &str) -> bool {
    stage.state.desk.next_page(consumer, 1).await.expect("it can be read").is_none()
}

#[tokio::test]
async fn a_rush_of_holds_keeps_no_letter_waiting() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    for _ in 0..5 {
        let bookings = hold_each(&stage, &buyer).await;
        cancel_each(&stage, &buyer, &bookings).await;
    }
    let (more, _) = messages::follow(&stage.state).await.expect("it is queued");
    assert!(!more);
    assert!(!webhooks::follow(&stage.state).await.expect("it is queued"));
    assert!(is_done(&stage, "messages").await && is_done(&stage, "webhooks").await);
}

#[tokio::test]
async fn a_rush_of_sales_is_told_in_parts_and_everything_is() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    stage.patch("/points/charge", &buyer, json!({"amount": 10_000_000})).await.expect(200);
    let mut sold = 0;
    for _ in 0..2 {
        let bookings = hold_each(&stage, &buyer).await;
        stage.post("/payment", &buyer, json!({"reservationIds": bookings})).await.expect(200);
        cancel_each(&stage, &buyer, &bookings).await;
        sold += bookings.len();
    }
    let mut parts = 1;
    while messages::follow(&stage.state).await.expect("it is queued").0 {
        parts += 1;
    }
    assert!(parts > 1 && is_done(&stage, "messages").await, "{parts} parts");
    assert!(stage.run_jobs().await.is_empty());
    assert_eq!(stage.letters(), 3 * sold, "each is confirmed, its payment too, and that it was cancelled");
}
