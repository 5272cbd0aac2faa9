//! What clerks do who sell movie tickets over the counter: issue and refund, each order under a key of its own.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::client::{Answer, Client, read};

/// How many tickets an order is for.
pub const TICKETS: usize = 2;

/// Asks for tickets to a movie; under a key it happens once.
pub async fn issue(client: &Client, title: &str, key: Option<&str>) -> Option<Answer> {
    let order = json!({"theater_name": "Counter", "movie_title": title, "price_krw": 15_000, "quantity": TICKETS});
    let request = client.request("POST", "/tickets/issue").json(&order);
    read(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await
}

/// Gives tickets back.
pub async fn refund(client: &Client, ids: &[String]) -> Option<Answer> {
    client.attempt("POST", "/tickets/refund", None, Some(&json!({"ticket_ids": ids}))).await
}

/// The tickets to a movie.
///
/// # Panics
/// When there is no answer, or one that says less than all.
pub async fn tickets(client: &Client, title: &str) -> Vec<Value> {
    let path = format!("/tickets?movie_title={title}&limit=1000");
    let list = client.attempt("GET", &path, None, None).await.expect("the server answers").expect(200);
    let tickets = list["tickets"].as_array().expect("a list").clone();
    assert_eq!(list["total"], tickets.len());
    tickets
}

/// The ids in an answer of [`issue`].
#[must_use]
pub fn ids(issued: &Answer) -> Vec<String> {
    let ids = issued.json()["ticket_ids"].as_array().cloned().unwrap_or_default();
    ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// One order: its title, which is its key too, what was answered, and how far the refund of its first ticket had come.
#[derive(Debug, Clone)]
struct Order {
    title: String,
    issued: Option<Answer>,
    refund: Refund,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refund {
    None,
    Asked,
    Answered,
}

/// What clerks were answered.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<Order>>>);

impl Ledger {
    /// Sells until no answer comes any more; every answer is noted before the next request goes out.
    pub async fn work(self, client: Client, clerk: String) {
        for number in 0.. {
            let mut order = Order { title: format!("{clerk}-{number}"), issued: None, refund: Refund::None };
            let place = self.add(order.clone());
            let Some(issued) = issue(&client, &order.title, Some(&order.title)).await else { return };
            let _ = issued.expect(201);
            let first = ids(&issued)[..1].to_vec();
            order.issued = Some(issued);
            self.note(place, &order);
            if number % 3 > 0 {
                continue;
            }
            order.refund = Refund::Asked;
            self.note(place, &order);
            let Some(refunded) = refund(&client, &first).await else { return };
            assert_eq!(refunded.expect(200)["refunded"], json!(first));
            order.refund = Refund::Answered;
            self.note(place, &order);
        }
    }

    fn add(&self, order: Order) -> usize {
        let mut orders = self.0.lock().expect("not poisoned");
        orders.push(order);
        orders.len() - 1
    }

    fn note(&self, place: usize, order: &Order) {
        self.0.lock().expect("not poisoned")[place] = order.clone();
    }

    /// How many orders were answered.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.0.lock().expect("not poisoned").iter().filter(|order| order.issued.is_some()).count()
    }

    /// Compares what is there with what was answered. Whoever got no answer asks again; nobody has tickets twice.
    pub async fn audit(&self, client: &Client) {
        let orders = self.0.lock().expect("not poisoned").clone();
        join_all(orders.iter().map(|order| order.audit(client))).await;
    }
}

impl Order {
    async fn audit(&self, client: &Client) {
        let again = issue(client, &self.title, Some(&self.title)).await.expect("the server answers");
        let _ = again.expect(201);
        if let Some(issued) = &self.issued {
            assert_eq!(again.bytes, issued.bytes, "{self:?}");
            assert!(again.headers.contains_key("idempotent-replayed"), "{self:?}");
        }
        let found = tickets(client, &self.title).await;
        assert_eq!(found.len(), TICKETS, "{self:?}: {found:?}");
        let first = found.iter().find(|ticket| ticket["id"] == ids(&again)[0]).expect("it is listed");
        let canceled = first["status"] == "canceled";
        assert_eq!(canceled, !first["canceled_at"].is_null(), "{first}");
        match self.refund {
            Refund::None => assert!(!canceled, "{self:?}: {first}"),
            Refund::Answered => assert!(canceled, "{self:?}: {first}"),
            Refund::Asked => {}
        }
    }
}
