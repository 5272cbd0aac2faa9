//! The server is killed in the middle of a storm, again and again: what it had answered is there, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::bank::Bank;
use harness::box_office::{Buyer, OnSale, deliver, gateway_event, put_seats_on_sale, seat_statuses};
use harness::client::Login;
use harness::counter::Ledger;
use harness::random::Random;
use harness::server::{Server, WEBHOOK_SECRET, check};
use harness::store::Store;

const ROUNDS: usize = 20;
const WORKERS: usize = 16;
const PEOPLE: usize = 4;
const CLERKS: usize = 3;

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
    /// was killed, and somebody else takes it up.
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
    let (mut answered, mut issued, mut paid) = (0, 0, Vec::new());
    for round in 0..ROUNDS {
        let mut random = random.branch(round);
        let admin = server.client().admin().await;
        let people = server.client().register_many(&format!("round-{round}"), PEOPLE).await;
        let event = put_seats_on_sale(server.client(), &admin, 20, 20).await;
        let ledger = Ledger::default();
        let clerks = (0..CLERKS).map(|clerk| {
            let name = format!("clerk-{round}-{clerk}");
            tokio::spawn(ledger.clone().work(server.client().clone(), name))
        });
        let clerks: Vec<_> = clerks.collect();
        let diary = storm(server, &people, &event, &mut random).await;
        for clerk in clerks {
            clerk.await.expect("a clerk does not fail");
        }
        server = Server::start(&store).await;
        let diary = diary.lock().expect("not poisoned").clone();
        audit(&server, &diary, &people, &event).await;
        ledger.audit(server.client()).await;
        check(&store).expect("the store is in order");
        answered += diary.len();
        issued += ledger.answered();
        paid.extend(diary.into_iter().filter(|(_, (_, _, stage))| *stage == Stage::Paid));
    }
    for (id, (buyer, _, _)) in paid {
        becomes_confirmed(&Buyer::new(server.client(), &buyer.login), &id).await;
    }
    assert!(answered > ROUNDS * WORKERS, "only {answered} bookings were answered, so little was tested");
    assert!(issued > ROUNDS, "only {issued} orders of movie tickets were answered, so little was tested");
    println!("{ROUNDS} kills, {answered} answered bookings and {issued} orders of movie tickets, all there");
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

/// A payment that was answered confirms its booking by itself, soon after any crash.
async fn becomes_confirmed(buyer: &Buyer, id: &str) {
    for _ in 0..150 {
        if buyer.booking(id).await["status"] == "confirmed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
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

/// A job that was under way when its process was killed is taken up again by the next one at once, rather than when
/// somebody would notice that nobody is at it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_under_way_at_a_kill_is_soon_made_again() {
    let (store, bank) = (Store::fresh().await, Bank::start().await);
    let settings = [
        ("MAEPYO_STRIPE_SECRET_KEY", "sk_test_of_the_tests"),
        ("MAEPYO_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("MAEPYO_STRIPE_API_BASE", bank.base()),
    ];
    let server = Server::start_with(&store, &settings).await;
    let event = put_seats_on_sale(server.client(), &server.client().admin().await, 1, 1).await;
    let buyer = Buyer::new(server.client(), &server.client().register("buyer").await);
    let held = buyer.hold(&event.id, &["A-1-1"]).await.expect("the server answers").expect(200);
    let booking = held["booking_id"].as_str().expect("an id");
    let _ = buyer.intent(&held).await.expect("the server answers").expect(200);
    let paid = gateway_event("evt_paid", "payment_intent.succeeded", "pi_bank", 50_000);
    let _ = deliver(server.client(), &paid).await.expect("the server answers").expect(200);
    bank.hang(true);
    let _ = buyer.cancel(booking).await.expect("the server answers").expect(200);
    for _ in 0..100 {
        if bank.refunds_asked() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(bank.refunds_asked(), 1);
    server.kill();
    bank.hang(false);
    let server = Server::start_with(&store, &settings).await;
    let mut standing = serde_json::Value::Null;
    for _ in 0..150 {
        standing = server.client().get("/api/payment/pi_bank", &buyer.login).await.expect(200);
        if standing["refund_status"] == "succeeded" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(standing["refund_status"], "succeeded", "{standing}");
    server.kill();
    check(&store).expect("the store is in order");
}
