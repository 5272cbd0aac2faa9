//! What buyers do, for the storms: hold, pay, confirm, cancel.

use serde_json::{Value, json};

use crate::client::{Answer, Client, Login, read};
use crate::forge::{stripe_signature, unix_time};
use crate::server::WEBHOOK_SECRET;

/// An event on sale.
#[derive(Debug, Clone)]
pub struct OnSale {
    /// The event's id.
    pub id: String,
    /// Labels of its seats, in order.
    pub seats: Vec<String>,
    /// The id of its ticket type, where it has one.
    pub ticket_type: String,
    /// What a seat or a ticket costs, in won.
    pub price: i64,
    /// Its calendar date where it takes place, `yyyy-mm-dd`.
    pub date: String,
}

/// Puts an event of one section of seats on sale, `rows` rows of `per_row` seats.
pub async fn put_seats_on_sale(client: &Client, admin: &Login, rows: usize, per_row: usize) -> OnSale {
    put_on_sale_at(client, admin, rows, per_row, "2030-06-15").await
}

/// As [`put_seats_on_sale`], on a date of its own: `concert` knows events by their dates.
pub async fn put_on_sale_at(client: &Client, admin: &Login, rows: usize, per_row: usize, date: &str) -> OnSale {
    let price = 50_000;
    let sections = json!([{"name": "A", "rows": rows, "seats_per_row": per_row, "price": price}]);
    let event = create(client, admin, date, json!({"seating": {"sections": sections}})).await;
    let seats = (1..=rows).flat_map(|row| (1..=per_row).map(move |number| format!("A-{row}-{number}")));
    let seats = seats.collect();
    OnSale { id: id_of(&event), seats, ticket_type: String::new(), price, date: date.to_owned() }
}

/// Puts an event of counted tickets on sale.
pub async fn put_tickets_on_sale(client: &Client, admin: &Login, quantity: u32) -> OnSale {
    let (price, date) = (33_000, "2030-06-15");
    let types = json!([{"name": "Standing", "price": price, "quantity": quantity}]);
    let event = create(client, admin, date, json!({"ticket_types": types})).await;
    let detail = client.get(&format!("/api/events/{}", id_of(&event)), admin).await.expect(200);
    let ticket_type = detail["ticket_types"][0]["ticket_type_id"].as_str().expect("it has an id").to_owned();
    OnSale { id: id_of(&event), seats: Vec::new(), ticket_type, price, date: date.to_owned() }
}

async fn create(client: &Client, admin: &Login, date: &str, offer: Value) -> Value {
    // The evening in Seoul: the same day there and in UTC.
    let mut event = json!({
        "title": "Storm", "description": "", "category": "concert", "venue": "Hall", "location": "Seoul",
        "start_date": format!("{date}T10:00:00Z"), "end_date": format!("{date}T12:00:00Z"), "status": "published",
    });
    let fields = event.as_object_mut().expect("it is an object");
    fields.extend(offer.as_object().expect("it is an object").clone());
    client.post("/api/events", admin, event).await.expect(200)
}

fn id_of(event: &Value) -> String {
    event["event_id"].as_str().expect("an event has an id").to_owned()
}

/// One buyer at one server. Every step gives the answer, or nothing when none came.
#[derive(Clone)]
pub struct Buyer {
    /// The way to the server.
    pub client: Client,
    /// Who buys.
    pub login: Login,
}

impl Buyer {
    /// A buyer.
    #[must_use]
    pub fn new(client: &Client, login: &Login) -> Self {
        Self { client: client.clone(), login: login.clone() }
    }

    /// Holds seats by label.
    pub async fn hold(&self, event: &str, seats: &[&str]) -> Option<Answer> {
        self.post("/api/bookings", &json!({"event_id": event, "seat_ids": seats})).await
    }

    /// Holds counted tickets.
    pub async fn hold_tickets(&self, event: &OnSale, quantity: u32) -> Option<Answer> {
        let items = json!([{"ticket_type_id": event.ticket_type, "quantity": quantity}]);
        self.post("/api/bookings", &json!({"event_id": event.id, "items": items})).await
    }

    /// Opens the payment of a booking.
    pub async fn intent(&self, booking: &Value) -> Option<Answer> {
        let amount = booking["total_amount"].as_f64().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "test prices are small whole numbers")]
        let amount = amount as i64;
        let body = json!({"booking_id": booking["booking_id"], "amount": amount, "currency": "krw"});
        self.post("/api/payment/create-intent", &body).await
    }

    /// Pays in the sandbox.
    pub async fn pay(&self, intent: &str) -> Option<Answer> {
        let body = json!({"payment_method": "card_visa_4242"});
        self.post(&format!("/api/payment/{intent}/confirm"), &body).await
    }

    /// Confirms a booking with a payment.
    pub async fn confirm(&self, booking: &str, intent: &str) -> Option<Answer> {
        let body = json!({"payment_intent_id": intent});
        self.post(&format!("/api/bookings/{booking}/confirm"), &body).await
    }

    /// Cancels a booking.
    pub async fn cancel(&self, booking: &str) -> Option<Answer> {
        self.post(&format!("/api/bookings/{booking}/cancel"), &json!({})).await
    }

    /// The booking as it is now.
    pub async fn booking(&self, booking: &str) -> Value {
        self.client.get(&format!("/api/bookings/{booking}"), &self.login).await.expect(200)
    }

    /// All bookings of this buyer, each with its id, event, seat count and status.
    pub async fn bookings(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let path = format!("/api/bookings/user/{}?page={page}&page_size=100", self.login.user);
            let body = self.client.get(&path, &self.login).await.expect(200);
            let list = body["bookings"].as_array().expect("a list").clone();
            let last = list.len() < 100;
            all.extend(list);
            if last {
                break;
            }
        }
        all
    }

    async fn post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.client.attempt("POST", path, Some(&self.login), Some(body)).await
    }
}

/// The status of every seat of an event, by label.
pub async fn seat_statuses(client: &Client, login: &Login, event: &str) -> Vec<(String, String)> {
    let map = client.get(&format!("/api/events/{event}/seats"), login).await.expect(200);
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let rows = list(&map, "sections").into_iter().flat_map(|section| list(&section, "rows"));
    let seats = rows.flat_map(|row| list(&row, "seats"));
    let text = |seat: &Value, name: &str| seat[name].as_str().unwrap_or_default().to_owned();
    seats.map(|seat| (text(&seat, "seat_id"), text(&seat, "status"))).collect()
}

/// A gateway's event about a payment, as Stripe words it.
#[must_use]
pub fn gateway_event(id: &str, kind: &str, intent: &str, amount: i64) -> Value {
    let object = if kind == "charge.refunded" {
        json!({"id": "ch_1", "object": "charge", "payment_intent": intent, "amount": amount,
               "amount_refunded": amount, "currency": "krw", "refunded": true})
    } else {
        json!({"id": intent, "object": "payment_intent", "amount": amount, "currency": "krw",
               "payment_method": "card_visa_4242"})
    };
    json!({"id": id, "object": "event", "type": kind, "created": unix_time(), "data": {"object": object}})
}

/// Delivers a gateway's event, signed.
pub async fn deliver(client: &Client, event: &Value) -> Option<Answer> {
    let body = event.to_string();
    let signature = stripe_signature(WEBHOOK_SECRET, unix_time(), body.as_bytes());
    let request = client.request("POST", "/api/payment/webhook").header("stripe-signature", signature);
    read(request.header("content-type", "application/json").body(body)).await
}
