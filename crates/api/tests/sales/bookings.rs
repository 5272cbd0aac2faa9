//! Bookings: what is refused, what is shown, what happens once.

use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test]
async fn a_hold_shows_what_was_asked_and_what_it_costs() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let held = stage.hold(&buyer, &["VIP-1-3", "VIP-1-4"]).await;
    assert_eq!(held["seat_ids"], json!(["VIP-1-3", "VIP-1-4"]));
    assert_eq!((&held["status"], &held["event_id"]), (&json!("reserved"), &json!(stage.event_id())));
    assert_eq!(held["total_amount"].to_string(), "600000.0");
    let id = held["booking_id"].as_str().expect("an id");
    assert!(id.starts_with("book_"));
    assert_eq!(held["reservation_id"], json!(id.replacen("book_", "res_", 1)));

    let detail = stage.get(&format!("/api/bookings/{id}"), &buyer).await.expect(200);
    assert_eq!((&detail["event_title"], &detail["expires_at"]), (&json!("A concert"), &held["expires_at"]));
    let seat = json!({"seat_id": "VIP-1-3", "section": "VIP", "row": "1", "number": "3", "price": 300_000.0});
    assert_eq!(detail["seats"][0], seat);
    for absent in ["payment_intent_id", "confirmed_at", "cancelled_at", "items"] {
        assert!(detail.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn what_cannot_be_held_is_refused_and_changes_nothing() {
    let stage = Stage::sandbox().await;
    let (buyer, other) = (stage.buyer("a").await, stage.buyer("b").await);
    stage.hold(&other, &["VIP-1-1"]).await;
    let ask = |fields: Value| {
        let mut body = json!({"event_id": stage.event_id()});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        stage.post("/api/bookings", &buyer, body)
    };
    for (fields, status, code) in [
        (json!({"seat_ids": ["VIP-1-1"]}), 400, "SEAT_NOT_AVAILABLE"),
        (json!({"seat_ids": ["VIP-1-2", "VIP-1-1"]}), 400, "SEAT_NOT_AVAILABLE"),
        (json!({"seat_ids": ["B-1-1", "B-1-2", "B-1-3", "B-1-4", "B-1-5"]}), 400, "INVALID_REQUEST"),
        (json!({"seat_ids": ["VIP-1-2", "VIP-1-2"]}), 400, "INVALID_REQUEST"),
        (json!({"seat_ids": []}), 400, "INVALID_REQUEST"),
        (json!({}), 400, "INVALID_REQUEST"),
        (json!({"seat_ids": ["VIP-1-2"], "total_amount": 1}), 400, "INVALID_REQUEST"),
        (json!({"seat_ids": ["VIP-1-2"], "total_amount": 0.5}), 400, "INVALID_REQUEST"),
        (json!({"seat_ids": "VIP-1-2"}), 422, "INVALID_REQUEST"),
        (json!({"seat_ids": ["VIP-9-9"]}), 404, "NOT_FOUND"),
        (json!({"items": [{"ticket_type_id": "tkt_x", "quantity": 1}]}), 404, "NOT_FOUND"),
        (json!({"items": [{"ticket_type_id": "tkt_x", "quantity": -1}]}), 400, "INVALID_REQUEST"),
        (json!({"event_id": "evt_123", "seat_ids": ["VIP-1-2"]}), 404, "NOT_FOUND"),
    ] {
        ask(fields).await.refused(status, code);
    }
    ask(json!({"seat_ids": ["VIP-1-2"], "total_amount": 300_000.0})).await.expect(200);
}

#[tokio::test]
async fn counted_tickets_run_out() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let standing = api::ids::ticket_type(stage.event.offer.types[0].id);
    let ask = |quantity: u32| {
        let items = json!([{"ticket_type_id": standing, "quantity": quantity}]);
        stage.post("/api/bookings", &buyer, json!({"event_id": stage.event_id(), "items": items}))
    };
    ask(5).await.refused(400, "INVALID_REQUEST");
    ask(4).await.expect(200);
    ask(4).await.expect(200);
    ask(3).await.refused(400, "SEAT_NOT_AVAILABLE");
    let last = ask(2).await.expect(200);
    assert_eq!(last["items"][0]["name"], "Standing");
    assert_eq!(last["total_amount"].to_string(), "100000.0");
}

#[tokio::test]
async fn a_seat_is_known_by_its_id_too() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let id = api::ids::uuid(stage.event.id.seat(0));
    assert_eq!(stage.hold(&buyer, &[&id]).await["seat_ids"], json!(["VIP-1-1"]));
}

#[tokio::test]
async fn bookings_are_their_owners_and_admins_to_see_and_to_end() {
    let stage = Stage::sandbox().await;
    let (buyer, other) = (stage.buyer("a").await, stage.buyer("b").await);
    let held = stage.hold(&buyer, &["VIP-1-1"]).await;
    let (id, user) = (held["booking_id"].as_str().expect("an id"), held["user_id"].as_str().expect("an id"));
    let (booking, list) = (format!("/api/bookings/{id}"), format!("/api/bookings/user/{user}"));
    for path in [&booking, &list] {
        stage.get(path, &other).await.refused(403, "FORBIDDEN");
        stage.get(path, "not.a.token").await.refused(401, "UNAUTHORIZED");
        stage.get(path, &stage.admin).await.expect(200);
    }
    let body = json!({"payment_intent_id": "pi_x"});
    stage.post(&format!("{booking}/confirm"), &other, body.clone()).await.refused(403, "FORBIDDEN");
    stage.post(&format!("{booking}/cancel"), &other, json!({})).await.refused(403, "FORBIDDEN");
    stage.post(&format!("{booking}/confirm"), &buyer, body).await.refused(400, "PAYMENT_FAILED");
    for unknown in ["book_x", "01890a5d-ac96-774b-bcce-b302099a8057", "..", "%20"] {
        stage.get(&format!("/api/bookings/{unknown}"), &buyer).await.refused(404, "NOT_FOUND");
    }
    let ended = stage.post(&format!("{booking}/cancel"), &stage.admin, json!({})).await.expect(200);
    assert_eq!((&ended["refund_status"], ended["refund_amount"].to_string().as_str()), (&json!("none"), "0.0"));
}

#[tokio::test]
async fn a_list_is_paged_filtered_and_strict() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    for seat in ["B-1-1", "B-1-2", "B-1-3"] {
        stage.hold(&buyer, &[seat]).await;
    }
    let first = stage.hold(&buyer, &["VIP-1-1"]).await;
    let id = first["booking_id"].as_str().expect("an id");
    stage.post(&format!("/api/bookings/{id}/cancel"), &buyer, json!({})).await.expect(200);
    let list = |query: &str| {
        let path = format!("/api/bookings/my?{query}");
        let (stage, buyer) = (&stage, &buyer);
        async move { stage.get(&path, buyer).await }
    };
    let page = list("page=2&page_size=3").await.expect(200);
    assert_eq!((&page["total"], &page["page"], &page["page_size"]), (&json!(4), &json!(2), &json!(3)));
    assert_eq!(page["bookings"].as_array().map(Vec::len), Some(1));
    assert_eq!(list("status=reserved").await.expect(200)["total"], 3);
    let cancelled = list("status=cancelled").await.expect(200);
    assert_eq!(cancelled["bookings"][0]["booking_id"], json!(id));
    assert_eq!(list("status=expired").await.expect(200)["total"], 0);
    for wrong in ["status=lost", "page=0", "page=x", "page_size=0", "page_size=101", "page=-1", "page=1&page=2"] {
        list(wrong).await.refused(422, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn the_same_key_holds_once() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let body = |seat: &str| json!({"event_id": stage.event_id(), "seat_ids": [seat]});
    let ask = |seat: &str| stage.post_once("/api/bookings", &buyer, body(seat), "once");
    let first = ask("VIP-1-1").await;
    let again = ask("VIP-1-1").await;
    assert_eq!(first.expect(200), again.expect(200));
    assert!(again.headers.contains_key("idempotent-replayed"));
    ask("VIP-1-2").await.refused(409, "CONFLICT");
}

#[tokio::test]
async fn a_lapsed_hold_reads_expired_and_is_confirmed_by_nobody() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let user = stage.hold(&buyer, &["B-1-1"]).await["user_id"].as_str().map(str::to_owned).expect("an id");
    let rules = engine::holds::HoldRules { span: engine::time::Span(1), most: 4, one_each: false, alone: false };
    let lapsing = engine::holds::HoldSeats {
        user: api::ids::parse_user(&user).expect("an id"),
        event: stage.event.id,
        seats: vec![0],
        items: Vec::new(),
        stated_total: None,
        rules,
    };
    let held = stage.state.desk.run(lapsing).await.expect("held");
    let path = format!("/api/bookings/{}", api::ids::booking(held[0].id));
    assert_eq!(stage.get(&path, &buyer).await.expect(200)["status"], "expired");
    let body = json!({"payment_intent_id": "pi_x"});
    stage.post(&format!("{path}/cancel"), &buyer, json!({})).await.refused(400, "BOOKING_EXPIRED");
    stage.post(&format!("{path}/confirm"), &buyer, body).await.refused(400, "PAYMENT_FAILED");
    let booking = json!({"booking_id": api::ids::booking(held[0].id), "total_amount": 300_000});
    stage.open(&buyer, &booking).await.refused(400, "BOOKING_EXPIRED");
    stage.hold(&buyer, &["VIP-1-1"]).await;
}
