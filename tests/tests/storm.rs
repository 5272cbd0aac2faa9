//! Many at once: whatever the order, exactly the right ones win, and the store is in order afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use harness::box_office::{
    Buyer, OnSale, deliver, gateway_event, put_seats_on_sale, put_tickets_on_sale, seat_statuses,
};
use harness::client::{Answer, Client, Login, read};
use harness::counter;
use harness::random::Random;
use harness::server::{Server, check};
use harness::store::{DATABASE_URL, Store};
use serde_json::{Value, json};

const TASKS: usize = 200;
const PEOPLE: usize = 20;

/// A server, its admin and some buyers.
struct Scene {
    store: Store,
    server: Server,
    admin: Login,
    buyers: Vec<Buyer>,
}

impl Scene {
    async fn new(people: usize, settings: &[(&str, &str)]) -> Self {
        let store = Store::fresh().await;
        let server = Server::start_with(&store, settings).await;
        let client = server.client().clone();
        let logins = client.register_many("buyer", people).await;
        let buyers = logins.iter().map(|login| Buyer::new(&client, login)).collect();
        Self { admin: client.admin().await, store, server, buyers }
    }

    fn client(&self) -> &Client {
        self.server.client()
    }

    /// Each task's buyer, in turn.
    fn tasks(&self) -> impl Iterator<Item = (usize, &Buyer)> {
        (0..TASKS).map(|task| (task, &self.buyers[task % self.buyers.len()]))
    }

    fn in_order(&self) {
        check(&self.store).expect("the store is in order");
    }
}

/// How many got which status and code.
fn tally(answers: impl IntoIterator<Item = Option<Answer>>) -> BTreeMap<(u16, String), usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        let answer = answer.expect("the server answers");
        *tally.entry((answer.status, answer.code())).or_default() += 1;
    }
    tally
}

fn counts<const N: usize>(expected: [(u16, &str, usize); N]) -> BTreeMap<(u16, String), usize> {
    expected.into_iter().map(|(status, code, count)| ((status, code.to_owned()), count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_seat_has_one_winner() {
    let scene = Scene::new(PEOPLE, &[]).await;
    let event = put_seats_on_sale(scene.client(), &scene.admin, 1, 1).await;
    let answers = join_all(scene.tasks().map(|(_, buyer)| buyer.hold(&event.id, &["A-1-1"]))).await;
    assert_eq!(tally(answers), counts([(200, "", 1), (400, "SEAT_NOT_AVAILABLE", TASKS - 1)]));
    scene.in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_a_stock_are_sold_exactly() {
    let scene = Scene::new(PEOPLE, &[]).await;
    let event = put_tickets_on_sale(scene.client(), &scene.admin, 77).await;
    for buyer in &scene.buyers[..10] {
        let _ = buyer.hold_tickets(&event, 4).await.expect("the server answers").expect(200);
    }
    let answers = join_all(scene.tasks().map(|(_, buyer)| buyer.hold_tickets(&event, 1))).await;
    assert_eq!(tally(answers), counts([(200, "", 37), (400, "SEAT_NOT_AVAILABLE", TASKS - 37)]));
    scene.in_order();
}

/// Buyers who each want two neighbouring seats: no seat is in two bookings, and the map says the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_wishes_never_share_a_seat() {
    let scene = Scene::new(PEOPLE, &[]).await;
    let event = put_seats_on_sale(scene.client(), &scene.admin, 1, 40).await;
    let wish = |task: usize| [event.seats[task % 39].as_str(), event.seats[task % 39 + 1].as_str()];
    let wishes: Vec<[&str; 2]> = (0..TASKS).map(wish).collect();
    let answers = join_all(scene.tasks().map(|(task, buyer)| buyer.hold(&event.id, &wishes[task]))).await;
    let mut taken = Vec::new();
    for (answer, wish) in answers.into_iter().zip(&wishes) {
        if answer.expect("the server answers").status == 200 {
            taken.extend(wish.map(str::to_owned));
        }
    }
    let map = seat_statuses(scene.client(), &scene.admin, &event.id).await;
    let reserved = map.into_iter().filter(|(_, status)| status == "reserved").map(|(seat, _)| seat);
    let mut reserved: Vec<String> = reserved.collect();
    taken.sort();
    reserved.sort();
    assert!(taken.len() >= 2 * 13, "two in three seats can always be had: {taken:?}");
    assert_eq!(taken, reserved);
    scene.in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_makes_one_booking() {
    let scene = Scene::new(1, &[]).await;
    let event = put_seats_on_sale(scene.client(), &scene.admin, 1, 10).await;
    let buyer = &scene.buyers[0];
    let body = json!({"event_id": event.id, "seat_ids": ["A-1-4"]});
    let send = |_| {
        let request = scene.client().request("POST", "/api/bookings").bearer_auth(&buyer.login.token);
        read(request.header("idempotency-key", "the-one").json(&body))
    };
    let answers: Vec<Value> = join_all((0..TASKS).map(send))
        .await
        .into_iter()
        .map(|answer| answer.expect("it answers").expect(200))
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "all answers are the first one");
    assert_eq!(buyer.bookings().await.len(), 1);
    scene.in_order();
}

/// Everybody pays, confirms, cancels and lets lapse the same bookings, while others wait for the seats.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirm_cancel_and_expiry_agree() {
    let scene = Scene::new(PEOPLE, &[("MAEPYO_HOLD_SECONDS", "1")]).await;
    let event = put_seats_on_sale(scene.client(), &scene.admin, 1, 60).await;
    let sales = event.seats.iter().enumerate().map(|(index, seat)| {
        let (buyer, rival) = (&scene.buyers[index % PEOPLE], &scene.buyers[(index + 1) % PEOPLE]);
        contested_sale(buyer, rival, &event.id, seat, index)
    });
    let sales = join_all(sales).await;
    for sale in &sales {
        sale.is_as_answered().await;
    }
    // Word of payments may still be on its way to seats that are free again.
    let mut wrong = differing_seats(&scene, &event).await;
    for _ in 0..50 {
        if wrong.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        wrong = differing_seats(&scene, &event).await;
    }
    assert!(wrong.is_empty(), "seat, status, confirmed bookings: {wrong:?}");
    scene.in_order();
}

/// Seats that are sold without a confirmed booking, or have one and are not, or have two.
async fn differing_seats(scene: &Scene, event: &OnSale) -> Vec<(String, String, usize)> {
    let mut confirmed = BTreeMap::<String, usize>::new();
    for booking in all_bookings(&scene.buyers).await {
        if booking["status"] == "confirmed" {
            let id = booking["booking_id"].as_str().unwrap_or_default();
            let detail = scene.client().get(&format!("/api/bookings/{id}"), &scene.admin).await.expect(200);
            *confirmed.entry(detail["seat_ids"][0].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    let map = seat_statuses(scene.client(), &scene.admin, &event.id).await;
    let with_count = map.into_iter().map(|(seat, status)| {
        let count = confirmed.get(&seat).copied().unwrap_or(0);
        (seat, status, count)
    });
    with_count.filter(|(_, status, count)| *count != usize::from(status == "sold")).collect()
}

/// One booking that was fought over, and what the fighters were told.
struct Contested {
    buyer: Buyer,
    booking: String,
    intent: String,
    confirmed: bool,
    refunded: Option<f64>,
}

async fn contested_sale(buyer: &Buyer, rival: &Buyer, event: &str, seat: &str, index: usize) -> Contested {
    let held = buyer.hold(event, &[seat]).await.expect("the server answers").expect(200);
    let booking = held["booking_id"].as_str().expect("an id").to_owned();
    let opened = buyer.intent(&held).await.expect("the server answers");
    let intent = opened.json()["payment_intent_id"].as_str().unwrap_or("pi_none").to_owned();
    // One in three fights begins right away, one shortly before the hold ends, one at its end.
    let pause = [0, 900, 1_000][index % 3];
    tokio::time::sleep(Duration::from_millis(pause)).await;
    let pay = async {
        let _ = buyer.pay(&intent).await;
        buyer.confirm(&booking, &intent).await.expect("the server answers")
    };
    let cancel = async { buyer.cancel(&booking).await.expect("the server answers") };
    let seats = [seat];
    let (confirm, cancel, _) = tokio::join!(pay, cancel, rival.hold(event, &seats));
    let refunded = (cancel.status == 200).then(|| cancel.json()["refund_amount"].as_f64().unwrap_or(-1.0));
    Contested { buyer: buyer.clone(), booking, intent, confirmed: confirm.status == 200, refunded }
}

impl Contested {
    /// The booking ended in one way, the one that was answered; and money that came without a seat goes back.
    async fn is_as_answered(&self) {
        let booking = self.buyer.booking(&self.booking).await;
        let status = booking["status"].as_str().unwrap_or_default();
        match (self.confirmed, self.refunded) {
            (true, None) => assert_eq!(status, "confirmed", "{booking}"),
            (_, Some(_)) => assert_eq!(status, "cancelled", "{booking}"),
            (false, None) => assert!(["confirmed", "expired"].contains(&status), "{booking}"),
        }
        if let (true, Some(refund)) = (self.confirmed, self.refunded) {
            assert!(refund > 0.0, "a confirmed booking was cancelled and its money kept: {booking}");
        }
        let path = format!("/api/payment/{}", self.intent);
        let payment = self.buyer.client.get(&path, &self.buyer.login).await.json();
        let paid = payment["status"] == "succeeded";
        assert!(paid || status != "confirmed", "confirmed without money: {booking} {payment}");
    }
}

async fn all_bookings(buyers: &[Buyer]) -> Vec<Value> {
    join_all(buyers.iter().map(Buyer::bookings)).await.concat()
}

/// The gateway repeats itself and mixes things up: every booking ends as its whole story says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_in_any_order_and_number_act_once() {
    let scene = Scene::new(5, &[]).await;
    let event = put_seats_on_sale(scene.client(), &scene.admin, 1, 40).await;
    let mut random = Random::announced();
    let (mut news, mut expected) = (Vec::new(), Vec::new());
    for (index, seat) in event.seats.iter().enumerate() {
        let buyer = &scene.buyers[index % 5];
        let held = buyer.hold(&event.id, &[seat]).await.expect("the server answers").expect(200);
        let opened = buyer.intent(&held).await.expect("the server answers").expect(200);
        let intent = opened["payment_intent_id"].as_str().expect("an id").to_owned();
        let (story, end) = STORIES[index % STORIES.len()];
        for (step, kind) in story.iter().enumerate() {
            let told = gateway_event(&format!("evt_{index}_{step}"), kind, &intent, 50_000);
            news.extend(vec![told; 3]);
        }
        expected.push((buyer, held["booking_id"].as_str().expect("an id").to_owned(), end));
    }
    random.shuffle(&mut news);
    let answers = join_all(news.iter().map(|event| deliver(scene.client(), event))).await;
    assert_eq!(tally(answers), counts([(200, "", news.len())]));
    for (buyer, booking, end) in expected {
        let found = buyer.booking(&booking).await;
        assert_eq!(found["status"], end, "{found}");
    }
    scene.in_order();
}

/// What the gateway tells of a payment, and how its booking stands when all of it was told.
const STORIES: [(&[&str], &str); 4] = [
    (&["payment_intent.succeeded"], "confirmed"),
    (&["payment_intent.payment_failed"], "reserved"),
    (&["payment_intent.payment_failed", "payment_intent.succeeded"], "confirmed"),
    (&["payment_intent.succeeded", "charge.refunded"], "cancelled"),
];

/// Two servers, one database: PostgreSQL only, since a SQLite folder belongs to one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_postgresql_sell_one_house() {
    if std::env::var(DATABASE_URL).is_err() {
        println!("{DATABASE_URL} is not set: one server a store");
        return;
    }
    let scene = Scene::new(PEOPLE, &[]).await;
    let second = Server::start(&scene.store).await;
    let event = put_seats_on_sale(scene.client(), &scene.admin, 1, 25).await;
    let attempts = (0..4 * TASKS).map(|task| {
        let door = if task % 2 == 0 { scene.client() } else { second.client() };
        let buyer = Buyer::new(door, &scene.buyers[task % PEOPLE].login);
        let (event, seat) = (event.id.clone(), event.seats[task / 2 % 25].clone());
        async move { buyer.hold(&event, &[&seat]).await }
    });
    let answers = join_all(attempts).await;
    assert_eq!(tally(answers), counts([(200, "", 25), (400, "SEAT_NOT_AVAILABLE", 4 * TASKS - 25)]));
    for server in [&scene.server, &second] {
        all_reserved(server.client(), &scene.admin, &event.id).await;
    }
    assert_eq!(all_bookings(&scene.buyers).await.len(), 25);
    scene.in_order();
}

/// Waits until a server shows every seat held: what was held at another it hears of a moment later, which on a busy
/// machine may be a while. Gives up after about a minute.
async fn all_reserved(client: &Client, who: &Login, event: &str) {
    for _ in 0..600 {
        if seat_statuses(client, who, event).await.iter().all(|(_, status)| status == "reserved") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it shows {:?}", seat_statuses(client, who, event).await);
}

/// Thirty times the same order at once, half of them at each of these servers; how many of the answers were new.
async fn order_at_once(servers: [&Client; 2], title: &str, key: Option<&str>) -> (usize, Vec<Answer>) {
    let orders = (0..30).map(|task| counter::issue(servers[task % 2], title, key));
    let answers: Vec<Answer> = join_all(orders).await.into_iter().flatten().collect();
    assert_eq!(tally(answers.iter().cloned().map(Some)), counts([(201, "", 30)]));
    let new = answers.iter().filter(|answer| !answer.headers.contains_key("idempotent-replayed")).count();
    (new, answers)
}

/// One key, one issue: whoever comes while it is under way waits and gets the same answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_issues_movie_tickets_once() {
    let scene = Scene::new(0, &[]).await;
    let second = match std::env::var(DATABASE_URL) {
        Ok(_) => Some(Server::start(&scene.store).await),
        Err(_) => None,
    };
    let doors = [scene.client(), second.as_ref().map_or(scene.client(), Server::client)];
    for round in 0..5 {
        let key = format!("key-{round}");
        let (new, answers) = order_at_once(doors, &key, Some(&key)).await;
        assert!(answers.iter().all(|answer| answer.bytes == answers[0].bytes));
        assert_eq!((new, counter::tickets(scene.client(), &key).await.len()), (1, counter::TICKETS));
    }
    // The storm can tell: without a key each of the thirty is an order of its own.
    let (new, _) = order_at_once(doors, "no-key", None).await;
    assert_eq!((new, counter::tickets(scene.client(), "no-key").await.len()), (30, 30 * counter::TICKETS));
    scene.in_order();
}

/// Of many who give a ticket back at once one is told that it did; the others that it was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_movie_ticket_is_refunded_by_one() {
    let scene = Scene::new(0, &[]).await;
    for round in 0..5 {
        let issued = counter::issue(scene.client(), &format!("round-{round}"), None).await.expect("the server answers");
        let ids = counter::ids(&issued);
        let refunds = (0..30).map(|_| counter::refund(scene.client(), &ids[..1]));
        let answers = join_all(refunds).await.into_iter().map(|answer| answer.expect("the server answers").expect(200));
        let (mut refunded, mut already) = (0, 0);
        for answer in answers {
            refunded += usize::from(answer["refunded"] == json!([ids[0]]));
            already += usize::from(answer["already_canceled"] == json!([ids[0]]));
        }
        assert_eq!((refunded, already), (1, 29));
    }
    scene.in_order();
}

/// The second server on a folder ends at once and says why.
#[tokio::test]
async fn a_sqlite_folder_has_one_server() {
    let store = Store::sqlite();
    let _first = Server::start(&store).await;
    let mut second = harness::server::maepyo(&store);
    let output = second.args(["serve", "--no-demo", "--listen", "127.0.0.1:0"]).output().expect("it can be run");
    assert!(!output.status.success());
    assert!(harness::server::said(&output).len() > 20, "it says why");
}
