//! What the connections do: echo, hold, buy, look.

use std::cell::Cell;
use std::rc::Rc;

use super::ground::{Ground, PRICE};
use super::loader::{Script, Step};
use super::response::text;

pub(super) fn post(out: &mut Vec<u8>, path: &str, token: &str, body: &str) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
}

pub(super) fn failed(what: &str, status: u16, body: &[u8]) -> Step {
    Step::Failed(format!("{what}: {status} {}", text(body, "code").unwrap_or_default()))
}

/// The body of a hold of one seat.
fn hold_body(event: &str, seat: &str) -> String {
    format!(r#"{{"event_id":"{event}","seat_ids":["{seat}"],"total_amount":{PRICE}.0}}"#)
}

/// The same request again and again.
pub struct Same {
    request: Vec<u8>,
    expected: u16,
}

impl Same {
    /// A GET with a header more, if any.
    pub fn get(path: &str, header: &str, expected: u16) -> Self {
        Self { request: format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{header}\r\n").into_bytes(), expected }
    }

    /// The body and the token of a hold, echoed.
    pub fn echo(ground: &Ground) -> Self {
        let (wish, mut request) = (ground.wish(), Vec::new());
        post(&mut request, "/echo", wish.token, &hold_body(wish.event, &wish.seat));
        Self { request, expected: 200 }
    }
}

impl Script for Same {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == self.expected { Step::Done } else { failed("answer", status, body) }
    }
}

/// One request after the other, on all connections together, and then from the start again.
pub struct Each {
    requests: Rc<Vec<Vec<u8>>>,
    place: Rc<Cell<usize>>,
}

impl Each {
    /// GETs of these paths.
    pub fn gets(paths: &[String]) -> Vec<Vec<u8>> {
        paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes()).collect()
    }

    /// The requests, from a place that connections share.
    pub fn new(requests: Rc<Vec<Vec<u8>>>, place: Rc<Cell<usize>>) -> Self {
        Self { requests, place }
    }
}

impl Script for Each {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.requests[self.place.get() % self.requests.len()]);
        self.place.set(self.place.get() + 1);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == 200 { Step::Done } else { failed("answer", status, body) }
    }
}

/// Holds one random seat after the other.
pub struct Hold(pub Rc<Ground>);

impl Script for Hold {
    fn request(&mut self, out: &mut Vec<u8>) {
        let wish = self.0.wish();
        post(out, "/api/bookings", wish.token, &hold_body(wish.event, &wish.seat));
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == 200 && text(body, "status") == Some("reserved") {
            Step::Done
        } else {
            failed("hold", status, body)
        }
    }
}

/// Issues one movie ticket after the other, each under a key of its own; the count is shared by all connections.
pub struct Issue(pub Rc<Cell<u64>>);

impl Script for Issue {
    fn request(&mut self, out: &mut Vec<u8>) {
        let number = self.0.replace(self.0.get() + 1);
        let (theater, title) = (number % 50, number % 80);
        let body = format!(r#"{{"theater_name":"theater {theater}","movie_title":"movie {title}","price_krw":15000}}"#);
        let head = format!(
            "POST /tickets/issue HTTP/1.1\r\nhost: bench\r\nidempotency-key: bench-{number:016x}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        out.extend_from_slice(head.as_bytes());
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == 201 && text(body, "movie_title").is_some() {
            Step::Done
        } else {
            Step::Failed(format!("issue: {status} {}", text(body, "detail").unwrap_or_default()))
        }
    }
}

/// Holds one random seat after the other through `sail`, as somebody inside the event's queue.
pub struct SailHold(pub Rc<Ground>);

impl Script for SailHold {
    fn request(&mut self, out: &mut Vec<u8>) {
        let wish = self.0.wish_inside();
        let body = format!(r#"{{"concertId":"{}","seatIds":["{}"]}}"#, wish.event, wish.seat);
        post(out, "/reservation/seat", wish.token, &body);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == 201 && text(body, "status") == Some("PENDING") {
            Step::Done
        } else {
            failed("sail hold", status, body)
        }
    }
}

/// Holds one random seat after the other, as `tiketi` does.
pub struct TiketiHold(pub Rc<Ground>);

impl Script for TiketiHold {
    fn request(&mut self, out: &mut Vec<u8>) {
        let (event, seat, token) = self.0.wish_by_id();
        let body = format!(r#"{{"eventId":"{event}","seatIds":["{seat}"]}}"#);
        post(out, "/api/v1/seats/reserve", token, &body);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == 201 && text(body, "status") == Some("locked") {
            Step::Done
        } else {
            failed("tiketi hold", status, body)
        }
    }
}

/// Where a purchase is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Hold,
    Intent { booking: String },
    Pay { booking: String, intent: String },
    Confirm { booking: String, intent: String },
}

/// Buys one random seat after the other: hold, intent, sandbox confirm, booking confirm.
pub struct Buy {
    ground: Rc<Ground>,
    token: String,
    stage: Stage,
}

impl Buy {
    /// A buyer that has nothing yet.
    pub fn new(ground: Rc<Ground>) -> Self {
        Self { ground, token: String::new(), stage: Stage::Hold }
    }

    fn after(&self, body: &[u8]) -> Option<Stage> {
        let own = |name| text(body, name).map(str::to_owned);
        match &self.stage {
            Stage::Hold => Some(Stage::Intent { booking: own("booking_id")? }),
            Stage::Intent { booking } => {
                Some(Stage::Pay { booking: booking.clone(), intent: own("payment_intent_id")? })
            }
            Stage::Pay { booking, intent } if text(body, "status") == Some("succeeded") => {
                Some(Stage::Confirm { booking: booking.clone(), intent: intent.clone() })
            }
            Stage::Confirm { .. } if text(body, "status") == Some("confirmed") => Some(Stage::Hold),
            Stage::Pay { .. } | Stage::Confirm { .. } => None,
        }
    }
}

impl Script for Buy {
    fn request(&mut self, out: &mut Vec<u8>) {
        match &self.stage {
            Stage::Hold => {
                let wish = self.ground.wish();
                wish.token.clone_into(&mut self.token);
                post(out, "/api/bookings", wish.token, &hold_body(wish.event, &wish.seat));
            }
            Stage::Intent { booking } => {
                let body = format!(r#"{{"booking_id":"{booking}","amount":{PRICE},"currency":"krw"}}"#);
                post(out, "/api/payment/create-intent", &self.token, &body);
            }
            Stage::Pay { intent, .. } => {
                let body = r#"{"payment_method":"card_visa_4242"}"#;
                post(out, &format!("/api/payment/{intent}/confirm"), &self.token, body);
            }
            Stage::Confirm { booking, intent } => {
                let body = format!(r#"{{"payment_intent_id":"{intent}"}}"#);
                post(out, &format!("/api/bookings/{booking}/confirm"), &self.token, &body);
            }
        }
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        let next = if status == 200 { self.after(body) } else { None };
        let what = match &self.stage {
            Stage::Hold => "hold",
            Stage::Intent { .. } => "intent",
            Stage::Pay { .. } => "pay",
            Stage::Confirm { .. } => "confirm",
        };
        let step = match &next {
            None => failed(what, status, body),
            Some(Stage::Hold) => Step::Done,
            Some(_) => Step::More,
        };
        self.stage = next.unwrap_or(Stage::Hold);
        step
    }
}
