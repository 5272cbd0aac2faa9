//! The four ways to a seat: one buyer's view of each dialect, in the same words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::box_office::{Buyer, OnSale, seat_statuses};
use crate::client::{Answer, Client, Login};
use crate::wire::uuid;

/// A dialect that sells seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// `ticketing_pro`
    House,
    /// `concert`
    Concert,
    /// `sail`
    Sail,
    /// `tiketi`
    Tiketi,
}

/// What a seat is, whatever a dialect calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// To be had.
    Free,
    /// Held by somebody.
    Held,
    /// Paid.
    Sold,
    /// Held or sold: `concert` does not say which.
    Taken,
}

impl Seat {
    /// Whether two doors may say so of one seat at one moment.
    #[must_use]
    pub fn agrees_with(self, other: Self) -> bool {
        self == other || self == Self::Taken && other != Self::Free || other == Self::Taken && self != Self::Free
    }
}

/// What a hold was answered.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Through which door it was made, and is to be paid.
    pub door: Door,
    /// The seat's ordinal.
    pub ordinal: usize,
    /// What names it there.
    pub id: String,
    /// The token by which `concert` knows the buyer.
    pub token: String,
    /// What it costs, in won.
    pub price: i64,
    /// The answer, as it came.
    pub body: Value,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::House, Self::Concert, Self::Sail, Self::Tiketi];

    /// Gets into whatever line there is for the event. Settings of the server make it long enough for all.
    pub async fn enter(self, client: &Client, login: &Login, event: &OnSale) -> Option<()> {
        if self == Self::Sail {
            let path = format!("/concerts/{}/queue-entry", uuid(&event.id));
            client.attempt("GET", &path, Some(login), None).await?;
        }
        Some(())
    }

    /// Asks for a seat; `Ok` with the hold, or the answer that refused it. Nothing when no answer came.
    pub async fn hold(
        self,
        client: &Client,
        login: &Login,
        event: &OnSale,
        seat: usize,
    ) -> Option<Result<Hold, Answer>> {
        let token = if self == Self::Concert { turn(client, login).await? } else { String::new() };
        let (path, body) = match self {
            Self::House => ("/api/bookings", json!({"event_id": event.id, "seat_ids": [event.seats[seat]]})),
            Self::Concert => (
                "/api/reservations",
                json!({"userId": login.user, "date": event.date, "seatNumber": seat + 1, "token": token}),
            ),
            Self::Sail => {
                ("/reservation/seat", json!({"concertId": uuid(&event.id), "seatIds": [seat_id(&event.id, seat)]}))
            }
            Self::Tiketi => {
                ("/api/v1/seats/reserve", json!({"eventId": uuid(&event.id), "seatIds": [seat_id(&event.id, seat)]}))
            }
        };
        let answer = client.attempt("POST", path, Some(login), Some(&body)).await?;
        if answer.status >= 300 {
            return Some(Err(answer));
        }
        let body = answer.json();
        let at = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = match self {
            Self::House => at("/booking_id"),
            Self::Concert => at("/reservationId"),
            Self::Sail => at("/reservations/0/id"),
            Self::Tiketi => at("/reservation/id"),
        };
        assert!(!id.is_empty(), "{self:?} held a seat without saying what to call it: {body}");
        Some(Ok(Hold { door: self, ordinal: seat, id, token, price: event.price, body }))
    }

    /// What this door says of every seat, by ordinal.
    pub async fn seats(self, client: &Client, login: &Login, event: &OnSale) -> Vec<Seat> {
        match self {
            Self::House => {
                let statuses: BTreeMap<_, _> = seat_statuses(client, login, &event.id).await.into_iter().collect();
                event.seats.iter().map(|label| worded(&statuses[label], ["available", "reserved", "sold"])).collect()
            }
            Self::Concert => {
                let body = client.get(&format!("/api/concert/seat?date={}", event.date), login).await.expect(200);
                let free = body["availableSeats"].as_array().expect("a list").clone();
                let is_free = |ordinal: usize| free.contains(&json!((ordinal + 1).to_string()));
                (0..event.seats.len()).map(|seat| if is_free(seat) { Seat::Free } else { Seat::Taken }).collect()
            }
            Self::Sail => {
                let mut found = BTreeMap::new();
                for page in 1..=event.seats.len().div_ceil(200) {
                    let path = format!("/reservation/{}/seats?page={page}&limit=200", uuid(&event.id));
                    found.extend(by_id(&client.get(&path, login).await.expect(200)));
                }
                listed(event, &found, ["AVAILABLE", "RESERVED", "SOLD"])
            }
            Self::Tiketi => {
                let path = format!("/api/v1/seats/events/{}", uuid(&event.id));
                listed(event, &by_id(&client.get(&path, login).await.expect(200)), ["available", "locked", "reserved"])
            }
        }
    }
}

impl Hold {
    /// Pays, through the door by which it was held; the last answer. Nothing when no answer came.
    pub async fn pay(&self, client: &Client, login: &Login) -> Option<Answer> {
        match self.door {
            Door::House => {
                let buyer = Buyer::new(client, login);
                let intent = buyer.intent(&self.body).await?.expect(200);
                let intent = intent["payment_intent_id"].as_str().expect("an id").to_owned();
                let _ = buyer.pay(&intent).await?.expect(200);
                buyer.confirm(&self.id, &intent).await
            }
            Door::Concert => {
                let amount = json!({"userId": login.user, "amount": self.price});
                let _ = client.attempt("POST", "/api/payment/recharge", Some(login), Some(&amount)).await?.expect(200);
                let body = json!({"userId": login.user, "reservationId": self.id, "amount": self.price,
                                  "token": self.token});
                client.attempt("POST", "/api/payment", None, Some(&body)).await
            }
            Door::Sail => {
                charge(client, login, self.price).await?;
                client.attempt("POST", "/payment", Some(login), Some(&json!({"reservationIds": [self.id]}))).await
            }
            Door::Tiketi => {
                charge(client, login, self.price).await?;
                let body = json!({"reservationId": self.id, "paymentMethod": "point"});
                client.attempt("POST", "/api/v1/payments/process", Some(login), Some(&body)).await
            }
        }
    }
}

/// Puts money into the wallet.
async fn charge(client: &Client, login: &Login, amount: i64) -> Option<()> {
    let answer = client.attempt("PATCH", "/points/charge", Some(login), Some(&json!({"amount": amount}))).await?;
    let _ = answer.expect(200);
    Some(())
}

/// A token of `concert` for this buyer.
async fn turn(client: &Client, login: &Login) -> Option<String> {
    let answer = client.attempt("POST", "/api/token", None, Some(&json!({"userId": login.user}))).await?;
    Some(answer.expect(200)["token"].as_str().expect("a token").to_owned())
}

/// The UUID of a seat: its event's, its ordinal and one more.
#[must_use]
pub fn seat_id(event: &str, ordinal: usize) -> String {
    let digits = uuid(event).replace('-', "");
    let event = u128::from_str_radix(&digits, 16).expect("an id is hexadecimal");
    let digits = format!("{:032x}", event + ordinal as u128 + 1);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

fn by_id(body: &Value) -> BTreeMap<String, String> {
    let seats = body["seats"].as_array().expect("a list of seats");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    seats.iter().map(|seat| (text(&seat["id"]), text(&seat["status"]))).collect()
}

fn listed(event: &OnSale, found: &BTreeMap<String, String>, words: [&str; 3]) -> Vec<Seat> {
    assert_eq!(found.len(), event.seats.len(), "every seat is listed once");
    (0..event.seats.len()).map(|ordinal| worded(&found[&seat_id(&event.id, ordinal)], words)).collect()
}

fn worded(word: &str, [free, held, sold]: [&str; 3]) -> Seat {
    match word {
        word if word == free => Seat::Free,
        word if word == held => Seat::Held,
        word if word == sold => Seat::Sold,
        other => panic!("{other:?} is no status of a seat"),
    }
}
