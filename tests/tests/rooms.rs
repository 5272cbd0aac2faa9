//! The waiting room under load, under a kill, and with two servers on one store.

use harness::box_office::{OnSale, put_seats_on_sale};
use harness::client::{Client, Login};
use harness::server::{Server, check};
use harness::store::Store;
use serde_json::{Value, json};

const PEOPLE: usize = 24;

async fn join(client: &Client, who: &Login, event: &OnSale) -> Value {
    client.post("/api/queue/join", who, json!({"event_id": event.id})).await.expect(200)
}

async fn status(client: &Client, who: &Login, event: &OnSale) -> Value {
    client.get(&format!("/api/queue/{}/status", event.id), who).await.expect(200)
}

async fn leave(client: &Client, who: &Login, event: &OnSale) {
    let _ = client.post(&format!("/api/queue/{}/leave", event.id), who, json!({})).await.expect(200);
}

fn position(place: &Value) -> u64 {
    place["position"].as_u64().expect("a position is a number")
}

/// Asks until the answer is so; gives up after about ten seconds.
async fn until(client: &Client, who: &Login, event: &OnSale, word: &str) {
    for _ in 0..200 {
        if status(client, who, event).await["status"] == word {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it did not become {word}: {}", status(client, who, event).await);
}

/// Everybody joins at once; then the order is that of the numbers they were given.
async fn line_up(client: &Client, people: &[Login], event: &OnSale) -> Vec<(u64, Login)> {
    let all = people.iter().map(|who| async move { (position(&join(client, who, event).await), who.clone()) });
    let mut line = futures_util::future::join_all(all).await;
    line.sort_by_key(|(position, _)| *position);
    line
}

const ONE: &[(&str, &str)] = &[("MAEPYO_TICKETING_PRO_INSIDE", "1")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_came_first_is_first_even_after_a_kill() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, ONE).await;
    let admin = server.client().admin().await;
    let event = put_seats_on_sale(server.client(), &admin, 2, 20).await;
    let people = server.client().register_many("waiter", PEOPLE).await;
    let line = line_up(server.client(), &people, &event).await;
    let given: Vec<u64> = line.iter().map(|(position, _)| *position).collect();
    assert_eq!(given, (0..PEOPLE as u64).collect::<Vec<_>>(), "each has a place of its own");
    server.kill();
    let server = Server::start_with(&store, ONE).await;
    for (before, who) in &line {
        assert_eq!(position(&status(server.client(), who, &event).await), *before);
        assert_eq!(position(&join(server.client(), who, &event).await), *before, "joining again keeps the place");
    }
    for (_, next) in &line {
        assert_eq!(status(server.client(), next, &event).await["status"], "ready", "the next in line is in");
        let others = line.iter().map(|(_, who)| status_or_gone(server.client(), who, &event));
        let ready = futures_util::future::join_all(others).await;
        assert_eq!(ready.iter().filter(|word| *word == "ready").count(), 1, "one at a time: {ready:?}");
        leave(server.client(), next, &event).await;
    }
    check(&store).expect("the store is in order");
}

async fn status_or_gone(client: &Client, who: &Login, event: &OnSale) -> String {
    let answer = client.get(&format!("/api/queue/{}/status", event.id), who).await;
    answer.json()["status"].as_str().unwrap_or("gone").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_runs_out_during_the_outage_makes_room_after_it() {
    let settings = [ONE, &[("MAEPYO_TICKETING_PRO_PASS_SECONDS", "1")]].concat();
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &settings).await;
    let admin = server.client().admin().await;
    let event = put_seats_on_sale(server.client(), &admin, 1, 5).await;
    let people = server.client().register_many("waiter", 2).await;
    let _ = join(server.client(), &people[0], &event).await;
    let _ = join(server.client(), &people[1], &event).await;
    server.kill();
    // Nobody asks for the lane before it is looked at: it is found at the start.
    let server = Server::start_with(&store, &settings).await;
    until(server.client(), &people[1], &event, "ready").await;
    until(server.client(), &people[0], &event, "expired").await;
    check(&store).expect("the store is in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_told_by_either_server_never_rises() {
    let store = Store::fresh().await;
    if store.database().is_none() {
        return;
    }
    let servers = [Server::start_with(&store, ONE).await, Server::start_with(&store, ONE).await];
    let admin = servers[0].client().admin().await;
    let event = put_seats_on_sale(servers[0].client(), &admin, 1, 5).await;
    let people = servers[0].client().register_many("waiter", PEOPLE).await;
    let queued = people.iter().enumerate().map(|(number, who)| {
        let (at, other) = (servers[number % 2].client(), servers[(number + 1) % 2].client());
        let event = &event;
        async move {
            let mut last = position(&join(at, who, event).await);
            for ask in [at, other, other, at] {
                let now = position(&status(ask, who, event).await);
                assert!(now <= last, "it was {last} and is {now}");
                last = now;
            }
            last
        }
    });
    let mut told = futures_util::future::join_all(queued).await;
    told.sort_unstable();
    assert_eq!(told, (0..PEOPLE as u64).collect::<Vec<_>>());
    drop(servers);
    check(&store).expect("the store is in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_one_line() {
    let store = Store::fresh().await;
    if store.database().is_none() {
        return;
    }
    let settings = [ONE, &[("MAEPYO_TICKETING_PRO_ABSENT_SECONDS", "2")]].concat();
    let (here, there) = (Server::start_with(&store, &settings).await, Server::start_with(&store, &settings).await);
    let admin = here.client().admin().await;
    let event = put_seats_on_sale(here.client(), &admin, 1, 5).await;
    let people = here.client().register_many("waiter", 3).await;
    let _ = join(here.client(), &people[0], &event).await;
    assert_eq!(position(&join(there.client(), &people[1], &event).await), 1);
    assert_eq!(position(&join(here.client(), &people[2], &event).await), 2);
    // Each asks at the other server only, for longer than an absent waiter is kept.
    for _ in 0..30 {
        let second = status(here.client(), &people[1], &event).await;
        let third = status(there.client(), &people[2], &event).await;
        assert_eq!((position(&second), position(&third)), (1, 2));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    leave(there.client(), &people[0], &event).await;
    until(here.client(), &people[1], &event, "ready").await;
    until(there.client(), &people[2], &event, "waiting").await;
    drop((here, there));
    check(&store).expect("the store is in order");
}
