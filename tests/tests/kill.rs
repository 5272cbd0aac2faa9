//! The server is killed in the middle of a storm, again and again: what it had answered is there, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::box_office::{Buyer, OnSale, put_seats_on_sale, seat_statuses};
use harness::client::Login;
use harness::random::Random;
use harness::server::{Server, check};
use harness::store::Store;

const ROUNDS: usize = 20;
const WORKERS: usize = 16;
const PEOPLE: usize = 4;

/// How far a booking had come: what was answered last, and what was asked after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Held,
    Paying,
    Paid,
    Confirmed,
    Cancelling,
    Cancelled,
}

impl Stage {
    /// The statuses a booking may have after the crash. Word of a payment may have been on its way: whoever carried it
    /// was killed, and somebody else takes it up when that one's time is over.
    fn allows(self, status: &str) -> bool {
        match self {
            Self::Held => status == "reserved",
            Self::Paying | Self::Paid => ["reserved", "confirmed"].contains(&status),
            Self::Confirmed => status == "confirmed",
            Self::Cancelling => ["reserved", "confirmed", "cancelled"].contains(&status),
            Self::Cancelled => status == "cancelled",
        }
    }
}

/// What was answered: bookings by id, with their buyer, their seats and their stage.
type Entries = BTreeMap<String, (Buyer, Vec<String>, Stage)>;
type Diary = Arc<Mutex<Entries>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_kill() {
    let random = Random::announced();
    let store = Store::fresh().await;
    let mut server = Server::start(&store).await;
    let (mut answered, mut paid) = (0, Vec::new());
    for round in 0..ROUNDS {
        let mut random = random.branch(round);
        let admin = server.client().admin().await;
        let people = server.client().register_many(&format!("round-{round}"), PEOPLE).await;
        let event = put_seats_on_sale(server.client(), &admin, 20, 20).await;
        let diary = storm(server, &people, &event, &mut random).await;
        server = Server::start(&store).await;
        let diary = diary.lock().expect("not poisoned").clone();
        audit(&server, &diary, &people, &event).await;
        check(&store).expect("the store is in order");
        answered += diary.len();
        paid.extend(diary.into_iter().filter(|(_, (_, _, stage))| *stage == Stage::Paid));
    }
    for (id, (buyer, _, _)) in paid {
        becomes_confirmed(&Buyer::new(server.client(), &buyer.login), &id).await;
    }
    assert!(answered > ROUNDS * WORKERS, "only {answered} bookings were answered, so little was tested");
    println!("{ROUNDS} kills, {answered} answered bookings, all there");
}

/// Buyers at work until the server is killed under them; gives what they had been answered.
async fn storm(server: Server, people: &[Login], event: &OnSale, random: &mut Random) -> Diary {
    let diary = Diary::default();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let buyer = Buyer::new(server.client(), &people[worker % PEOPLE]);
            tokio::spawn(work(buyer, event.clone(), random.branch(worker), diary.clone()))
        })
        .collect();
    let moment = Duration::from_millis(60 + random.below(340) as u64);
    tokio::time::sleep(moment).await;
    server.kill();
    for worker in workers {
        worker.await.expect("a buyer does not fail");
    }
    diary
}

/// Buys and cancels until no answer comes any more.
async fn work(buyer: Buyer, event: OnSale, mut random: Random, diary: Diary) {
    while sale(&buyer, &event, &mut random, &diary).await.is_some() {}
}

/// One attempt, each answer noted before the next request goes out; `None` when the server is gone.
async fn sale(buyer: &Buyer, event: &OnSale, random: &mut Random, diary: &Diary) -> Option<()> {
    let first = random.below(event.seats.len() - 2);
    let seats = event.seats[first..first + 1 + random.below(2)].to_vec();
    let wanted: Vec<&str> = seats.iter().map(String::as_str).collect();
    let held = buyer.hold(&event.id, &wanted).await?;
    if held.status != 200 {
        return Some(());
    }
    let booking = held.json();
    let id = booking["booking_id"].as_str().expect("an id").to_owned();
    let note = |stage| diary.lock().expect("not poisoned").insert(id.clone(), (buyer.clone(), seats.clone(), stage));
    note(Stage::Held);
    if random.below(3) > 0 {
        let intent = buyer.intent(&booking).await?.expect(200);
        let intent = intent["payment_intent_id"].as_str().expect("an id").to_owned();
        note(Stage::Paying);
        let _ = buyer.pay(&intent).await?.expect(200);
        note(Stage::Paid);
        let _ = buyer.confirm(&id, &intent).await?.expect(200);
        note(Stage::Confirmed);
    }
    if random.below(3) == 0 {
        note(Stage::Cancelling);
        let _ = buyer.cancel(&id).await?.expect(200);
        note(Stage::Cancelled);
    }
    Some(())
}

/// Compares what is there with what was answered.
async fn audit(server: &Server, diary: &Entries, people: &[Login], event: &OnSale) {
    for (id, (buyer, seats, stage)) in diary {
        let found = Buyer::new(server.client(), &buyer.login).booking(id).await;
        let status = found["status"].as_str().unwrap_or_default();
        assert!(stage.allows(status), "{stage:?} was the last that was answered or asked, but it is {found}");
        assert_eq!(found["seat_ids"], serde_json::json!(seats));
    }
    no_seat_twice(server, people, event).await;
}

/// A payment that was answered confirms its booking by itself, within two minutes of any crash.
async fn becomes_confirmed(buyer: &Buyer, id: &str) {
    for _ in 0..240 {
        if buyer.booking(id).await["status"] == "confirmed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("paid, but not confirmed: {}", buyer.booking(id).await);
}

/// The seats of all live bookings, answered or not: each once, and the map shows exactly them.
async fn no_seat_twice(server: &Server, people: &[Login], event: &OnSale) {
    let mut live = BTreeSet::new();
    for login in people {
        let buyer = Buyer::new(server.client(), login);
        for booking in buyer.bookings().await {
            let id = booking["booking_id"].as_str().expect("an id");
            if !["reserved", "confirmed"].contains(&booking["status"].as_str().unwrap_or_default()) {
                continue;
            }
            for seat in buyer.booking(id).await["seat_ids"].as_array().expect("a list") {
                assert!(live.insert(seat.as_str().expect("a label").to_owned()), "{seat} is in two live bookings");
            }
        }
    }
    let map = seat_statuses(server.client(), &people[0], &event.id).await;
    let taken = map.into_iter().filter(|(_, status)| status != "available").map(|(seat, _)| seat);
    assert_eq!(taken.collect::<BTreeSet<String>>(), live);
}
