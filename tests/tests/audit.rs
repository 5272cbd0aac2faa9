//! The auditor can fail: a store that is made wrong by hand is found wrong, by every kind of wrong.

use harness::box_office::{Buyer, put_seats_on_sale, put_tickets_on_sale};
use harness::client::{Client, Login};
use harness::counter;
use harness::server::{Server, check};
use harness::store::Store;
use rusqlite::Connection;
use serde_json::json;

/// What is done to a store in order, and a word of the rule that it breaks.
const WRONGS: &[(&str, &str, &str)] = &[
    ("a seat sold is given to another", GIVE_CLAIM, "seat"),
    (
        "two paid reservations name the same seat",
        "UPDATE reservations SET seats = (SELECT MIN(seats) FROM reservations
        WHERE seats <> '') WHERE seats <> ''",
        "seat",
    ),
    ("a sold seat is free", "DELETE FROM claims", "seat"),
    ("a reservation is gone", "DELETE FROM reservations WHERE seats <> ''", "seat"),
    ("a stock is sold twice over", "UPDATE stocks SET sold = quantity + 1", "stock"),
    ("a part of a stock is gone", "DELETE FROM portions", "stock"),
    ("money is gone", "DELETE FROM transfers WHERE credit = 'sales'", "earned"),
    ("money is made", "UPDATE transfers SET amount = amount * 2 WHERE debit = 'gateway'", "gateway"),
    ("a paid reservation was not paid", "UPDATE payments SET status = 'canceled'", "pa"),
    ("a reservation is nobody's", "UPDATE reservations SET user_id = x'00000000000000000000000000000001'", "user"),
    (
        "a wallet is nobody's",
        "INSERT INTO wallets (user_id, balance) VALUES (x'00000000000000000000000000000001', 0)",
        "user",
    ),
    ("a wallet has what nobody gave", "INSERT INTO wallets SELECT user_id, 5 FROM reservations LIMIT 1", "wallet"),
    ("a movie ticket is canceled at no time", "UPDATE movie_tickets SET status = 'canceled'", "movie ticket"),
    (
        "one was canceled before it was issued",
        "UPDATE movie_tickets SET status = 'canceled', canceled_at = 1",
        "movie ticket",
    ),
    ("one is good though it was canceled", "UPDATE movie_tickets SET canceled_at = issued_at", "movie ticket"),
    ("one was free", "UPDATE movie_tickets SET price = 0", "movie ticket"),
    ("a lane counts one too many", "UPDATE room_lanes SET waiting = waiting + 1", "lane"),
    ("more are let in than may", "UPDATE room_lanes SET capacity = 0", "lets in no more"),
    ("somebody who waits is passed over", "UPDATE room_lanes SET head_number = next_number", "before the head"),
    ("a place is behind the end", "UPDATE room_lanes SET next_number = 1", "behind its end"),
    ("a place is gone", "DELETE FROM room_places WHERE status = 'waiting'", "place of its own"),
    ("a person has lost its place", "DELETE FROM room_waiters", "found by"),
];

const GIVE_CLAIM: &str = "UPDATE claims SET reservation_id = (SELECT MAX(id) FROM reservations WHERE seats <> '')
    WHERE reservation_id = (SELECT MIN(id) FROM reservations WHERE seats <> '')";

#[tokio::test]
async fn every_wrong_is_found() {
    let store = sold_store().await;
    let report = check(&store).expect("the store is in order before anything is done to it");
    assert!(!report.contains("WRONG"), "{report}");
    let mut missed = Vec::new();
    for (name, sql, word) in WRONGS {
        let copy = copy_of(&store);
        let changed = open(&copy).execute(sql, []).expect("the statement fits the tables");
        assert!(changed > 0, "{name}: nothing was there to be changed");
        match check(&copy) {
            Ok(_) => missed.push(format!("{name}: not found")),
            Err(report) if !report.lines().any(|line| line.starts_with("WRONG") && line.contains(word)) => {
                missed.push(format!("{name}: not named\n{report}"));
            }
            Err(_) => {}
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A stopped SQLite store with two paid seats and paid tickets.
async fn sold_store() -> Store {
    let store = Store::sqlite();
    let server = Server::start(&store).await;
    let client = server.client();
    let admin = client.admin().await;
    let buyer = Buyer::new(client, &client.register("buyer").await);
    let seats = put_seats_on_sale(client, &admin, 1, 3).await;
    let tickets = put_tickets_on_sale(client, &admin, 10).await;
    for held in [
        buyer.hold(&seats.id, &["A-1-1"]).await,
        buyer.hold(&seats.id, &["A-1-2"]).await,
        buyer.hold_tickets(&tickets, 2).await,
    ] {
        let held = held.expect("the server answers").expect(200);
        let opened = buyer.intent(&held).await.expect("the server answers").expect(200);
        let intent = opened["payment_intent_id"].as_str().expect("an id");
        let _ = buyer.pay(intent).await.expect("the server answers").expect(200);
        let booking = held["booking_id"].as_str().expect("an id");
        let _ = buyer.confirm(booking, intent).await.expect("the server answers").expect(200);
    }
    let _ = counter::issue(client, "movie", None).await.expect("the server answers").expect(201);
    line_up(client, &[&admin, &buyer.login]).await;
    server.kill();
    store
}

/// One is inside, the next waits.
async fn line_up(client: &Client, people: &[&Login]) {
    let event = json!({
        "title": "Line", "description": "", "category": "concert", "venue": "Hall", "location": "Seoul",
        "start_date": "2030-06-15T19:00:00Z", "end_date": "2030-06-15T22:00:00Z", "status": "published",
        "total_seats": 5, "min_price": 1000, "max_price": 1000,
        "waiting_room": {"capacity": 1, "pass_seconds": 600},
    });
    let event = client.post("/api/events", people[0], event).await.expect(200);
    for who in people {
        let _ = client.post("/api/queue/join", who, json!({"event_id": event["event_id"]})).await.expect(200);
    }
}

/// A copy of a stopped store.
fn copy_of(store: &Store) -> Store {
    let copy = Store::sqlite();
    for entry in std::fs::read_dir(store.folder()).expect("the folder is there").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), copy.folder().join(entry.file_name())).expect("a file can be copied");
        }
    }
    copy
}

fn open(store: &Store) -> Connection {
    Connection::open(store.folder().join("maepyo.db")).expect("the store is a SQLite file")
}
