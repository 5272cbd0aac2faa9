//! A stand-in for Stripe that remembers what it is sent and misbehaves as networks do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

/// The secret key that the stand-in's client has.
pub const KEY: &str = "sk_test_not_for_logs";

/// What the stand-in does instead of answering as it should.
#[derive(Clone)]
pub enum Trouble {
    /// Answers this, having done nothing.
    Answer(u16, Value),
    /// Does it, but the answer never arrives whole.
    LoseReply,
}

/// One request.
pub struct Seen {
    /// GET or POST.
    pub method: String,
    /// Without the query.
    pub path: String,
    headers: HeaderMap,
    form: HashMap<String, String>,
}

impl Seen {
    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A field of the form, empty where there is none.
    pub fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }
}

/// Remembers what it was sent; what has the same idempotency key happens once.
#[derive(Default)]
pub struct StandIn {
    seen: Mutex<Vec<Seen>>,
    troubles: Mutex<VecDeque<Trouble>>,
    done: Mutex<HashMap<String, Value>>,
    refunds: Mutex<Vec<Value>>,
    /// How a new refund stands; empty is `succeeded`.
    refund_status: Mutex<String>,
}

impl StandIn {
    /// Starts one, and gives its address.
    pub async fn start(troubles: &[Trouble]) -> (Arc<Self>, String) {
        let own = Arc::new(Self { troubles: Mutex::new(troubles.to_vec().into()), ..Self::default() });
        let app = Router::new().fallback(answer).with_state(own.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        (own, format!("http://{address}/"))
    }

    /// Makes trouble with the next request that has none yet.
    pub fn trouble(&self, trouble: Trouble) {
        self.troubles.lock().expect("not poisoned").push_back(trouble);
    }

    /// The idempotency key of each request.
    pub fn keys(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").iter().map(|seen| seen.header("idempotency-key").to_owned()).collect()
    }

    /// How much happened, repeats not counted.
    pub fn happened(&self) -> usize {
        self.done.lock().expect("not poisoned").len()
    }

    /// From now on refunds stand so: new ones, and those that were made.
    pub fn refunds_are(&self, status: &str) {
        status.clone_into(&mut self.refund_status.lock().expect("not poisoned"));
        self.refunds.lock().expect("not poisoned").iter_mut().for_each(|refund| refund["status"] = json!(status));
    }

    /// From now on new refunds stand so.
    pub fn will_refund(&self, status: &str) {
        status.clone_into(&mut self.refund_status.lock().expect("not poisoned"));
    }

    /// How many refunds were made.
    pub fn refunds(&self) -> usize {
        self.refunds.lock().expect("not poisoned").len()
    }

    fn new_refund(&self, seen: &Seen) -> Value {
        let status = self.refund_status.lock().expect("not poisoned").clone();
        let status = if status.is_empty() { "succeeded" } else { &status };
        let amount: i64 = seen.field("amount").parse().unwrap_or(0);
        let mut refunds = self.refunds.lock().expect("not poisoned");
        let refund = json!({"id": format!("re_{}", refunds.len() + 1), "object": "refund", "amount": amount,
                            "payment_intent": seen.field("payment_intent"), "status": status});
        refunds.push(refund.clone());
        refund
    }

    /// Looks at the last request.
    pub fn check_last(&self, check: impl Fn(&Seen)) {
        check(self.seen.lock().expect("not poisoned").last().expect("something was sent"));
    }

    fn act(&self, seen: &Seen) -> Value {
        let mut done = self.done.lock().expect("not poisoned");
        let number = done.len() + 1;
        let made = || match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/v1/payment_intents") => intent(&format!("pi_{number}"), "requires_payment_method", seen),
            ("POST", "/v1/refunds") => self.new_refund(seen),
            ("GET", "/v1/refunds") => {
                // The newest first.
                let made: Vec<Value> = self.refunds.lock().expect("not poisoned").iter().rev().cloned().collect();
                json!({"object": "list", "data": made, "has_more": false})
            }
            ("POST", path) if path.ends_with("/confirm") => intent("pi_1", "succeeded", seen),
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
    let asks_for_refunds = (seen.method.as_str(), seen.path.as_str()) == ("GET", "/v1/refunds");
    let mut troubles = own.troubles.lock().expect("not poisoned");
    let trouble = if asks_for_refunds { None } else { troubles.pop_front() };
    drop(troubles);
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
