//! What the server tells others: e-mails and texts to people, webhooks, and the stream of events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use harness::box_office::{Buyer, OnSale, put_seats_on_sale};
use harness::client::{Client, Login};
use harness::forge::{stripe_signature, unix_time};
use harness::post_office::{Mail, PostOffice};
use harness::receiver::{Receiver, Request};
use harness::server::{Server, check};
use harness::stalled::{Stalled, stop_reading};
use harness::store::{DATABASE_URL, Store};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Waits until something is so; gives up after about twenty seconds.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come about: {what}");
}

/// Buys a seat; gives the booking's id.
async fn buy(buyer: &Buyer, event: &str, seat: &str) -> String {
    let held = buyer.hold(event, &[seat]).await.expect("the server answers").expect(200);
    let opened = buyer.intent(&held).await.expect("the server answers").expect(200);
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let (booking, intent) = (text(&held["booking_id"]), text(&opened["payment_intent_id"]));
    let _ = buyer.pay(&intent).await.expect("the server answers").expect(200);
    let _ = buyer.confirm(&booking, &intent).await.expect("the server answers").expect(200);
    booking
}

async fn buyer(client: &Client, name: &str) -> Buyer {
    Buyer::new(client, &client.register(name).await)
}

/// Who got what, by the first word of the subject's English part, and that nothing came twice.
fn letters(mails: &[Mail]) -> BTreeSet<(String, &'static str)> {
    let ids: BTreeSet<String> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), mails.len(), "something came twice: {mails:#?}");
    let kind = |mail: &Mail| {
        let subject = mail.subject();
        let known = ["booking is confirmed", "payment was received", "booking was cancelled", "event is coming up"];
        known.into_iter().find(|words| subject.contains(words)).unwrap_or_else(|| panic!("{subject}"))
    };
    let letters: BTreeSet<_> = mails.iter().map(|mail| (mail.to.join(","), kind(mail))).collect();
    assert_eq!(letters.len(), mails.len(), "{letters:?}");
    letters
}

fn expected<const N: usize>(letters: [(&str, &'static str); N]) -> BTreeSet<(String, &'static str)> {
    letters.into_iter().map(|(to, kind)| (format!("{to}@maepyo.test"), kind)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookings_send_their_own_messages_once_and_a_busy_mail_server_is_asked_again() {
    let store = Store::fresh().await;
    let (office, texts) = (PostOffice::open(&["451 later", "421 later"]).await, Receiver::start(&[500]).await);
    let settings = [
        ("MAEPYO_SMTP_URL", office.url()),
        ("MAEPYO_SMS_URL", texts.url()),
        ("MAEPYO_SMS_TOKEN", "a-token".to_owned()),
        ("MAEPYO_SMTP_FROM", "매표 <tickets@maepyo.test>".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::start_with(&store, &settings).await;
    let client = server.client();
    let admin = client.admin().await;
    let event = put_seats_on_sale(client, &admin, 1, 10).await;
    let (alice, bob) = (buyer(client, "alice").await, buyer(client, "bob").await);
    // Nothing is told of what was never paid.
    let held = alice.hold(&event.id, &["A-1-3"]).await.expect("the server answers").expect(200);
    let _ = alice.cancel(held["booking_id"].as_str().expect("an id")).await.expect("the server answers").expect(200);
    let booking = buy(&alice, &event.id, "A-1-1").await;
    let _ = alice.cancel(&booking).await.expect("the server answers").expect(200);
    buy(&bob, &event.id, "A-1-2").await;
    until("five letters", || office.taken().len() >= 5).await;
    let _ = client.post(&format!("/api/events/{}/cancel", event.id), &admin, json!({})).await.expect(200);
    until("six letters", || office.taken().len() >= 6).await;
    let kinds = expected([
        ("alice", "booking is confirmed"),
        ("alice", "payment was received"),
        ("alice", "booking was cancelled"),
        ("bob", "booking is confirmed"),
        ("bob", "payment was received"),
        ("bob", "booking was cancelled"),
    ]);
    assert_eq!(letters(&office.taken()), kinds);
    let text = json!({"phone_number": "010-1234-5678", "message": "예매가 완료되었습니다."});
    let _ = client.post("/api/notifications/sms", &admin, text).await.expect(200);
    until("a text", || texts.came().iter().any(|came| came.status == 204)).await;
    let came = texts.came();
    assert_eq!(came.len(), 2, "one that failed, and one more");
    assert_eq!(came[0].body, came[1].body);
    assert_eq!(came[1].json()["to"], "010-1234-5678");
    assert_eq!(came[1].header("authorization"), "Bearer a-token");
    assert_eq!(came[1].header("idempotency-key"), came[0].header("idempotency-key"));
    assert!(!server.log().contains(&office.url()), "the log tells of the mail server");
    check(&store).expect("the store is in order");
}

/// The mail server is away; what was bought before the server is killed is told after it is back, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_still_sends_what_it_owes() {
    let store = Store::fresh().await;
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|own| own.local_addr());
    let port = port.expect("loopback has a free port").port();
    let url = format!("smtp://127.0.0.1:{port}");
    let settings = [("MAEPYO_SMTP_URL", url.as_str())];
    let server = Server::start_with(&store, &settings).await;
    let admin = server.client().admin().await;
    let event = put_seats_on_sale(server.client(), &admin, 1, 10).await;
    let alice = buyer(server.client(), "alice").await;
    buy(&alice, &event.id, "A-1-1").await;
    server.kill();
    let office = PostOffice::open_on(port, &[]).await;
    let server = Server::start_with(&store, &settings).await;
    let bob = buyer(server.client(), "bob").await;
    buy(&bob, &event.id, "A-1-2").await;
    until("four letters", || office.taken().len() >= 4).await;
    let kinds = expected([
        ("alice", "booking is confirmed"),
        ("alice", "payment was received"),
        ("bob", "booking is confirmed"),
        ("bob", "payment was received"),
    ]);
    assert_eq!(letters(&office.taken()), kinds);
    check(&store).expect("the store is in order");
}

/// An event that is moved close is reminded of; without a mail server messages are files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_bought_is_reminded_and_messages_may_be_files() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let client = server.client();
    let admin = client.admin().await;
    let event = put_seats_on_sale(client, &admin, 1, 10).await;
    let (alice, bob) = (buyer(client, "alice").await, buyer(client, "bob").await);
    buy(&alice, &event.id, "A-1-1").await;
    let _ = bob.hold(&event.id, &["A-1-2"]).await.expect("the server answers").expect(200);
    let soon = |hours: i64| rfc3339(unix_time() + hours * 3_600);
    let moved = json!({"start_date": soon(12), "end_date": soon(14)});
    let path = format!("/api/events/{}", event.id);
    let _ = client.attempt("PATCH", &path, Some(&admin), Some(&moved)).await.expect("it answers").expect(200);
    let files = || {
        let entries = std::fs::read_dir(store.folder().join("outbox")).into_iter().flatten().flatten();
        let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
        let mails = texts.flat_map(|file| file.split("\nFrom ").map(str::to_owned).collect::<Vec<_>>());
        let mails = mails.map(|text| Mail { to: Vec::new(), text });
        mails.map(|mail| Mail { to: vec![mail.header("To")], ..mail }).collect::<Vec<_>>()
    };
    until("three letters", || files().len() >= 3).await;
    let kinds = expected([
        ("alice", "booking is confirmed"),
        ("alice", "payment was received"),
        ("alice", "event is coming up"),
    ]);
    assert_eq!(letters(&files()), kinds);
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).expect("a moment of this century").to_string()
}

/// Lets webhooks lead to this machine.
const HOME: (&str, &str) = ("MAEPYO_WEBHOOKS_ALLOW_PRIVATE", "on");

async fn webhook(client: &Client, who: &Login, receiver: &Receiver, events: &[&str]) -> Value {
    client.post("/api/webhooks", who, json!({"url": receiver.url(), "events": events})).await.expect(200)
}

fn told(request: &Request) -> (String, String) {
    let body = request.json();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/data/booking_id"), text("/type"))
}

/// Takes connections and never says anything. Gives where it is, and how many it has.
async fn tar_pit() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("it is bound"));
    let stuck = Arc::new(AtomicUsize::new(0));
    let count = stuck.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
            count.store(kept.len(), Ordering::SeqCst);
        }
    });
    (url, stuck)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_never_answer_hold_up_nobodys_money() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[HOME]).await;
    let client = server.client();
    let admin = client.admin().await;
    let (url, stuck) = tar_pit().await;
    let (alice, bob) = (buyer(client, "alice").await, buyer(client, "bob").await);
    // Twenty webhooks each: more than one person is told at once, and all of them more than anybody.
    for name in ["olga", "otto", "oona", "oleg", "omar"] {
        let owner = organizer(client, &admin, name).await;
        let event = tell_at(client, &owner, &url).await;
        let _ = bob.hold(&event.id, &["A-1-1"]).await.expect("the server answers").expect(200);
    }
    until("as many are told as may be at once", || stuck.load(Ordering::SeqCst) >= 64).await;
    // Once in ten seconds receivers are given up and others told. Who has to wait for that sees it each time.
    for _ in 0..5 {
        let before = stuck.load(Ordering::SeqCst);
        buy_by_webhook_and_give_back(client, &admin, &alice).await;
        if stuck.load(Ordering::SeqCst) == before {
            return;
        }
    }
    panic!("whoever pays or gives back waits until receivers are given up");
}

/// Who has as many receivers that take their time as webhooks can be made still lets others be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_that_never_answer_hold_up_nobody_elses_webhooks() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[HOME]).await;
    let client = server.client();
    let admin = client.admin().await;
    let (slow, quick) = (organizer(client, &admin, "slow").await, organizer(client, &admin, "quick").await);
    let (url, stuck) = tar_pit().await;
    let receiver = Receiver::start(&[]).await;
    webhook(client, &quick, &receiver, &["booking.created"]).await;
    let bob = buyer(client, "bob").await;
    let mut events = vec![tell_at(client, &slow, &url).await];
    for owner in [&slow, &slow, &slow, &quick] {
        events.push(put_seats_on_sale(client, owner, 1, 10).await);
    }
    for event in &events {
        let _ = bob.hold(&event.id, &["A-1-1"]).await.expect("the server answers").expect(200);
    }
    until("the quick one was told", || !receiver.came().is_empty()).await;
    let waited = stuck.load(Ordering::SeqCst);
    assert!(waited <= 16, "the quick one had to wait until {waited} others were told");
}

/// Twenty webhooks of somebody at one address, and an event of theirs.
async fn tell_at(client: &Client, owner: &Login, url: &str) -> OnSale {
    for _ in 0..20 {
        let hook = json!({"url": url, "events": ["booking.created"]});
        let _ = client.post("/api/webhooks", owner, hook).await.expect(200);
    }
    put_seats_on_sale(client, owner, 1, 10).await
}

/// Buys a seat that the gateway's word alone confirms, and has the money back.
async fn buy_by_webhook_and_give_back(client: &Client, admin: &Login, buyer: &Buyer) {
    let event = put_seats_on_sale(client, admin, 1, 10).await;
    let held = buyer.hold(&event.id, &["A-1-1"]).await.expect("the server answers").expect(200);
    let opened = buyer.intent(&held).await.expect("the server answers").expect(200);
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let (booking, intent) = (text(&held["booking_id"]), text(&opened["payment_intent_id"]));
    let _ = buyer.pay(&intent).await.expect("the server answers").expect(200);
    while buyer.booking(&booking).await["status"] != "confirmed" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = buyer.cancel(&booking).await.expect("the server answers").expect(200);
    let path = format!("/api/payment/{intent}");
    while client.get(&path, &buyer.login).await.expect(200)["refund_status"] != "succeeded" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_is_told_everything_in_order_and_signed() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[HOME]).await;
    let client = server.client();
    let admin = client.admin().await;
    let event = put_seats_on_sale(client, &admin, 1, 10).await;
    let all = ["booking.created", "booking.confirmed", "booking.cancelled", "booking.expired"];
    let receiver = Receiver::start(&[500, 302]).await;
    let made = webhook(client, &admin, &receiver, &all).await;
    let alice = buyer(client, "alice").await;
    let booking = buy(&alice, &event.id, "A-1-1").await;
    let _ = alice.cancel(&booking).await.expect("the server answers").expect(200);
    let taken = || receiver.came().into_iter().filter(|came| came.status == 204).collect::<Vec<_>>();
    until("three events", || taken().len() >= 3).await;
    let order: Vec<_> = taken().iter().map(told).collect();
    assert_eq!(order, all[..3].iter().map(|kind| (booking.clone(), (*kind).to_owned())).collect::<Vec<_>>());
    let failed: Vec<_> = receiver.came().iter().filter(|came| came.status != 204).map(told).collect();
    assert_eq!(failed, [order[0].clone(), order[0].clone()], "the others waited for the first");
    let secret = made["secret"].as_str().expect("a secret");
    for came in receiver.came() {
        let signed = came.header("maepyo-signature");
        let moment: i64 = signed[2..].split(',').next().and_then(|text| text.parse().ok()).expect("t=…");
        assert_eq!(signed, stripe_signature(secret, moment, came.body.as_bytes()));
        assert_eq!(came.header("maepyo-event"), told(&came).1);
    }
    let path = format!("/api/webhooks/{}/deliveries?status=delivered", made["webhook_id"].as_str().expect("an id"));
    let log = client.get(&path, &admin).await.expect(200);
    assert_eq!(log["total"], 3);
    let first = log["deliveries"].as_array().expect("a list").iter().find(|own| own["type"] == all[0]);
    let first = first.expect("the first is there");
    assert_eq!((&first["attempts"], &first["response_status"]), (&json!(3), &json!(204)));
    let again = format!("/api/webhooks/deliveries/{}/replay", first["delivery_id"].as_str().expect("an id"));
    assert_eq!(client.post(&again, &admin, json!({})).await.expect(200)["status"], "waiting");
    until("it was told again", || taken().len() >= 4).await;
    assert_eq!(told(&taken()[3]), order[0]);
    check(&store).expect("the store is in order");
}

/// Makes somebody an organizer, and signs it in again.
async fn organizer(client: &Client, admin: &Login, name: &str) -> Login {
    let login = client.register(name).await;
    let path = format!("/api/users/{}", login.user);
    let body = json!({"role": "organizer"});
    let _ = client.attempt("PATCH", &path, Some(admin), Some(&body)).await.expect("it answers").expect(200);
    client.login(&format!("{name}@maepyo.test"), "a-password-of-tests").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organizers_hear_of_their_own_events_only() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[HOME]).await;
    let client = server.client();
    let admin = client.admin().await;
    let olga = organizer(client, &admin, "olga").await;
    let (own, other) = (put_seats_on_sale(client, &olga, 1, 5).await, put_seats_on_sale(client, &admin, 1, 5).await);
    let (hers, everyones) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    webhook(client, &olga, &hers, &["booking.created"]).await;
    let admins = webhook(client, &admin, &everyones, &["booking.created"]).await;
    let mut heard = listen(&server, &olga, None).await;
    let alice = buyer(client, "alice").await;
    for event in [&other, &own] {
        let _ = alice.hold(&event.id, &["A-1-1"]).await.expect("the server answers").expect(200);
    }
    until("both were told", || everyones.came().len() == 2 && !hers.came().is_empty()).await;
    assert_eq!(hers.came().len(), 1);
    assert_eq!(hers.came()[0].json()["data"]["event_id"], own.id.as_str());
    assert_eq!(next(&mut heard).await.1["data"]["event_id"], own.id.as_str());
    let foreign = format!("/api/webhooks/{}", admins["webhook_id"].as_str().expect("an id"));
    let _ = client.attempt("DELETE", &foreign, Some(&olga), None).await.expect("it answers").expect(403);
}

/// Opens the stream of events.
async fn listen(server: &Server, who: &Login, last: Option<&str>) -> reqwest::Response {
    let mut request = server.client().request("GET", "/api/events/stream").bearer_auth(&who.token);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await.expect("the server answers");
    assert_eq!(response.status(), 200);
    response
}

/// The next event of a stream: its id and data.
async fn next(stream: &mut reqwest::Response) -> (u64, Value) {
    let mut text = String::new();
    loop {
        let chunk = stream.chunk().await.expect("it goes on").expect("it goes on");
        text += &String::from_utf8_lossy(&chunk);
        let whole = text.ends_with("\n\n");
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        if let (true, Some(id), Some(data)) = (whole, field("id: "), field("data: ")) {
            return (id.parse().expect("a position"), serde_json::from_str(&data).expect("it is JSON"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_goes_on_where_it_was_left_and_ends_with_the_server() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let client = server.client();
    let admin = client.admin().await;
    let event = put_seats_on_sale(client, &admin, 1, 10).await;
    let alice = buyer(client, "alice").await;
    let mut stream = listen(&server, &admin, None).await;
    let hold = async |seat: &str| alice.hold(&event.id, &[seat]).await.expect("the server answers").expect(200);
    hold("A-1-1").await;
    let (position, first) = next(&mut stream).await;
    assert_eq!((&first["type"], &first["data"]["seat_ids"]), (&json!("booking.created"), &json!(["A-1-1"])));
    drop(stream);
    for seat in ["A-1-2", "A-1-3"] {
        hold(seat).await;
    }
    // By the number of an event as by the id that its data has.
    let mut same = listen(&server, &admin, first["id"].as_str()).await;
    assert_eq!(next(&mut same).await.1["data"]["seat_ids"], json!(["A-1-2"]));
    drop(same);
    let mut stream = listen(&server, &admin, Some(&position.to_string())).await;
    hold("A-1-4").await;
    let mut seats = Vec::new();
    for _ in 0..3 {
        seats.push(next(&mut stream).await.1["data"]["seat_ids"][0].as_str().expect("a seat").to_owned());
    }
    assert_eq!(seats, ["A-1-2", "A-1-3", "A-1-4"]);
    assert!(server.stop().ended().await, "it stops in order though somebody listens");
    while let Ok(Some(_)) = stream.chunk().await {}
}

/// Who is an organizer no more hears nothing more, whatever stream is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_ends_with_the_rights_of_who_listens() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let client = server.client();
    let admin = client.admin().await;
    let olga = organizer(client, &admin, "olga").await;
    let event = put_seats_on_sale(client, &olga, 1, 5).await;
    let alice = buyer(client, "alice").await;
    let hold = async |seat: &str| alice.hold(&event.id, &[seat]).await.expect("the server answers").expect(200);
    let mut stream = listen(&server, &olga, None).await;
    hold("A-1-1").await;
    assert_eq!(next(&mut stream).await.1["data"]["seat_ids"], json!(["A-1-1"]));
    let (path, body) = (format!("/api/users/{}", olga.user), json!({"role": "user"}));
    let _ = client.attempt("PATCH", &path, Some(&admin), Some(&body)).await.expect("it answers").expect(200);
    // Rights are looked at once a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    hold("A-1-2").await;
    let mut rest = String::new();
    while let Some(chunk) = stream.chunk().await.expect("it ends in order") {
        rest += &String::from_utf8_lossy(&chunk);
    }
    assert!(!rest.contains("booking."), "{rest}");
}

/// Two servers on one database: PostgreSQL only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_send_each_message_once() {
    if std::env::var(DATABASE_URL).is_err() {
        println!("{DATABASE_URL} is not set: one server a store");
        return;
    }
    let store = Store::fresh().await;
    let (office, receiver) = (PostOffice::open(&[]).await, Receiver::start(&[]).await);
    let url = office.url();
    let settings = [("MAEPYO_SMTP_URL", url.as_str()), HOME];
    let servers = [Server::start_with(&store, &settings).await, Server::start_with(&store, &settings).await];
    let client = servers[0].client();
    let admin = client.admin().await;
    let event = put_seats_on_sale(client, &admin, 1, 20).await;
    webhook(client, &admin, &receiver, &["booking.created", "booking.confirmed"]).await;
    let people = client.register_many("buyer", 20).await;
    let sales = people.iter().enumerate().map(|(index, login)| {
        let buyer = Buyer::new(servers[index % 2].client(), login);
        let (event, seat) = (event.id.clone(), event.seats[index].clone());
        async move { buy(&buyer, &event, &seat).await }
    });
    let bookings = join_all(sales).await;
    until("every letter", || office.taken().len() >= 40).await;
    until("every event", || receiver.came().len() >= 40).await;
    let [one, other] = servers;
    assert!(one.stop().ended().await && other.stop().ended().await);
    assert_eq!(letters(&office.taken()).len(), 40);
    let came = receiver.came();
    assert_eq!(came.len(), 40);
    let ids: BTreeSet<&str> = came.iter().map(|came| came.header("maepyo-delivery")).collect();
    assert_eq!(ids.len(), 40);
    for booking in bookings {
        let own: Vec<String> = came.iter().map(told).filter(|(id, _)| *id == booking).map(|(_, kind)| kind).collect();
        assert_eq!(own, ["booking.created", "booking.confirmed"]);
    }
    check(&store).expect("the store is in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_reads_is_let_go_and_costs_no_memory() {
    stop_reading(|port, who, _| async move { Stalled::stream(port, &who.admin).await }).await;
}
