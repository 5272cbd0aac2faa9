//! One inventory behind four doors: what is held or sold through one is taken in all, whatever happens at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use harness::box_office::{OnSale, put_on_sale_at};
use harness::client::{Client, Login};
use harness::doors::{Door, Hold, Seat};
use harness::random::Random;
use harness::server::{Server, check};
use harness::store::Store;

/// Lanes wide enough that nobody waits: the waiting room has tests of its own.
const WIDE: [(&str, &str); 2] = [("MAEPYO_CONCERT_INSIDE", "500"), ("MAEPYO_SAIL_INSIDE", "5000")];
const PEOPLE: usize = 24;
const ROUNDS: usize = 6;

/// What was answered of a seat, the best of it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Held,
    Paying,
    Paid,
}

/// Who had which seat, through which door, and how far.
type Diary = Arc<Mutex<Vec<(usize, Door, Answered)>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_bought_through_one_door_is_sold_in_all() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &WIDE).await;
    let client = server.client();
    let admin = client.admin().await;
    let event = put_on_sale_at(client, &admin, 1, 5, "2031-03-01").await;
    let people = client.register_many("guest", Door::ALL.len()).await;
    for (seat, (door, login)) in Door::ALL.into_iter().zip(&people).enumerate() {
        door.enter(client, login, &event).await.expect("the server answers");
        let hold = door.hold(client, login, &event, seat).await.expect("the server answers");
        let hold = hold.unwrap_or_else(|refused| panic!("{door:?}: {}", String::from_utf8_lossy(&refused.bytes)));
        everywhere(client, login, &event, seat, Seat::Held).await;
        refused_everywhere(client, &people, &event, seat).await;
        let paid = hold.pay(client, login).await.expect("the server answers");
        assert!(paid.status < 300, "{door:?}: {}", String::from_utf8_lossy(&paid.bytes));
        everywhere(client, login, &event, seat, Seat::Sold).await;
        refused_everywhere(client, &people, &event, seat).await;
    }
    everywhere(client, &admin, &event, Door::ALL.len(), Seat::Free).await;
    check(&store).expect("the store is in order");
}

async fn everywhere(client: &Client, login: &Login, event: &OnSale, seat: usize, expected: Seat) {
    for door in Door::ALL {
        let shown = door.seats(client, login, event).await[seat];
        assert!(shown.agrees_with(expected), "{door:?} shows seat {seat} {shown:?}, it is {expected:?}");
    }
}

async fn refused_everywhere(client: &Client, people: &[Login], event: &OnSale, seat: usize) {
    for (door, login) in Door::ALL.into_iter().zip(people.iter().rev()) {
        door.enter(client, login, event).await.expect("the server answers");
        let hold = door.hold(client, login, event, seat).await.expect("the server answers");
        let refused = hold.expect_err("the seat is taken").status;
        assert!((400..500).contains(&refused), "{door:?} answers {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_through_four_doors_sells_each_seat_once_whenever_it_is_killed() {
    let random = Random::announced();
    let store = Store::fresh().await;
    let mut server = Server::start_with(&store, &WIDE).await;
    let mut answered = 0;
    for round in 0..ROUNDS {
        let mut random = random.branch(round);
        let admin = server.client().admin().await;
        let people = server.client().register_many(&format!("round-{round}"), PEOPLE).await;
        let date = format!("2031-04-{:02}", round + 1);
        let event = put_on_sale_at(server.client(), &admin, 6, 10, &date).await;
        for login in &people {
            Door::Sail.enter(server.client(), login, &event).await.expect("the server answers");
        }
        let diary = Diary::default();
        let start = |(number, login): (usize, &Login)| {
            let (client, login, event) = (server.client().clone(), login.clone(), event.clone());
            tokio::spawn(buy(client, login, event, random.branch(number), diary.clone()))
        };
        let buyers: Vec<_> = people.iter().enumerate().map(start).collect();
        // Half of the rounds are killed in the middle, the others sell out.
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(50 + random.below(300) as u64)).await;
            server.kill();
            finished(buyers).await;
            server = Server::start_with(&store, &WIDE).await;
        } else {
            finished(buyers).await;
        }
        answered += audit(server.client(), &admin, &event, &diary).await;
        check(&store).expect("the store is in order");
    }
    assert!(answered > ROUNDS * 10, "only {answered} holds were answered, so little was tested");
}

async fn finished(buyers: Vec<tokio::task::JoinHandle<()>>) {
    for buyer in join_all(buyers).await {
        buyer.expect("a buyer does not fail");
    }
}

/// Tries seat after seat through one door after the other, and pays for half of what it gets.
async fn buy(client: Client, login: Login, event: OnSale, mut random: Random, diary: Diary) {
    let mut seats: Vec<usize> = (0..event.seats.len()).collect();
    random.shuffle(&mut seats);
    for seat in seats {
        let door = Door::ALL[random.below(Door::ALL.len())];
        let Some(hold) = door.hold(&client, &login, &event, seat).await else { return };
        let Ok(hold) = hold else { continue };
        let note = |answered| diary.lock().expect("not poisoned").push((seat, door, answered));
        note(Answered::Held);
        // Who holds through `concert` must pay before the next one.
        if door == Door::Concert || random.below(2) == 0 {
            note(Answered::Paying);
            if pay(&client, &login, &hold).await.is_none() {
                return;
            }
            note(Answered::Paid);
        }
    }
}

async fn pay(client: &Client, login: &Login, hold: &Hold) -> Option<()> {
    let paid = hold.pay(client, login).await?;
    assert!(paid.status < 300, "{:?}: {}", hold.door, String::from_utf8_lossy(&paid.bytes));
    Some(())
}

/// Compares what every door shows with what was answered; gives how many holds were.
async fn audit(client: &Client, login: &Login, event: &OnSale, diary: &Diary) -> usize {
    let diary = diary.lock().expect("not poisoned").clone();
    let mut winners = BTreeMap::<usize, Vec<Door>>::new();
    let mut stage = BTreeMap::new();
    for (seat, door, answered) in diary {
        if answered == Answered::Held {
            winners.entry(seat).or_default().push(door);
        }
        stage.insert(seat, answered);
    }
    for (seat, doors) in &winners {
        assert_eq!(doors.len(), 1, "seat {seat} was given out more than once: {doors:?}");
    }
    for door in Door::ALL {
        let shown = door.seats(client, login, event).await;
        for (seat, answered) in &stage {
            let allowed: &[Seat] = match answered {
                Answered::Held => &[Seat::Held],
                Answered::Paying => &[Seat::Held, Seat::Sold],
                Answered::Paid => &[Seat::Sold],
            };
            let fits = allowed.iter().any(|allowed| allowed.agrees_with(shown[*seat]));
            assert!(fits, "{door:?} shows seat {seat} {:?}, answered was {answered:?}", shown[*seat]);
        }
    }
    winners.len()
}
