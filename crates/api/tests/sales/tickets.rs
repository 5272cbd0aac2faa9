//! Tickets at the door.

use api::tickets::TicketKey;
use axum::body::Body;
use engine::time::{Span, Time};
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage};

/// A paid booking's id.
async fn sold(stage: &Stage, buyer: &str) -> String {
    let booking = stage.hold(buyer, &["VIP-1-1", "VIP-1-2"]).await;
    let intent = stage.open(buyer, &booking).await.expect(200)["payment_intent_id"].clone();
    let card = json!({"payment_method": "card_visa_4242"});
    let (id, pi) = (booking["booking_id"].as_str().expect("an id"), intent.as_str().expect("an id"));
    stage.post(&format!("/api/payment/{pi}/confirm"), buyer, card).await.expect(200);
    let body = json!({"payment_intent_id": intent});
    let confirmed = stage.post(&format!("/api/bookings/{id}/confirm"), buyer, body).await.expect(200);
    assert_eq!(confirmed["qr_code"], format!("http://box.office/api/tickets/{id}/qr"));
    id.to_owned()
}

async fn qr(stage: &Stage, token: &str, id: &str, accept: &str) -> Answer {
    let request = Request::get(format!("/api/tickets/{id}/qr"))
        .header("authorization", format!("Bearer {token}"))
        .header("accept", accept);
    stage.send(request.body(Body::empty()).expect("a request")).await
}

fn read(png: &[u8]) -> String {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let side = reader.next_frame(&mut pixels).expect("one frame").width as usize;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| pixels[y * side + x]);
    image.detect_grids()[0].decode().expect("readable").1
}

#[tokio::test]
async fn a_scanned_ticket_lets_in_once() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let id = sold(&stage, &buyer).await;
    let image = qr(&stage, &buyer, &id, "image/png").await;
    assert_eq!(
        (&image.headers["content-type"], &image.headers["cache-control"]),
        (&"image/png".parse().expect("a header"), &"no-store".parse().expect("a header"))
    );
    let code = read(&image.bytes);

    let scan =
        async |token: &str, key: &str| stage.post_once("/api/tickets/verify", token, json!({"code": code}), key).await;
    scan(&buyer, "").await.refused(403, "FORBIDDEN");
    let admitted = scan(&stage.admin, "gate 1").await.expect(200);
    assert_eq!((&admitted["booking_id"], &admitted["status"]), (&json!(id), &json!("admitted")));
    assert_eq!((&admitted["seat_count"], &admitted["event_id"]), (&json!(2), &json!(stage.event_id())));
    assert_eq!(scan(&stage.admin, "gate 1").await.expect(200), admitted);
    scan(&stage.admin, "").await.refused(409, "ALREADY_EXISTS");
    let path = format!("/api/bookings/{id}/cancel");
    stage.post(&path, &buyer, json!({})).await.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_ticket_is_svg_by_default_and_its_owners_alone() {
    let stage = Stage::sandbox().await;
    let (buyer, other) = (stage.buyer("a").await, stage.buyer("b").await);
    let id = sold(&stage, &buyer).await;
    let image = qr(&stage, &buyer, &id, "*/*").await;
    assert_eq!(image.headers["content-type"], "image/svg+xml");
    assert!(image.bytes.starts_with(b"<svg "));
    qr(&stage, &other, &id, "*/*").await.refused(403, "FORBIDDEN");
    assert_eq!(qr(&stage, &stage.admin, &id, "*/*").await.status, 200);
    qr(&stage, &buyer, "book_x", "*/*").await.refused(404, "NOT_FOUND");
    let unpaid = stage.hold(&buyer, &["B-1-1"]).await;
    qr(&stage, &buyer, unpaid["booking_id"].as_str().expect("an id"), "*/*").await.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn old_forged_and_refunded_tickets_let_nobody_in() {
    let stage = Stage::sandbox().await;
    let buyer = stage.buyer("a").await;
    let id = sold(&stage, &buyer).await;
    let reservation = api::ids::parse_booking(&id).expect("an id");
    let (key, now) = (TicketKey::derive(&stage.state.settings.jwt_secret), stage.state.desk.now());
    let old = key.code(reservation, Time(now.0 - Span::seconds(180).0));
    let forged = TicketKey::derive(b"a guess").code(reservation, now);
    let verify = |code: Value| stage.post("/api/tickets/verify", &stage.admin, json!({"code": code}));
    for wrong in [json!(old), json!(forged), json!(""), json!(id)] {
        verify(wrong).await.refused(400, "INVALID_REQUEST");
    }
    verify(json!(7)).await.refused(422, "INVALID_REQUEST");
    stage.post(&format!("/api/bookings/{id}/cancel"), &buyer, json!({})).await.expect(200);
    verify(json!(key.code(reservation, stage.state.desk.now()))).await.refused(400, "INVALID_REQUEST");
}
