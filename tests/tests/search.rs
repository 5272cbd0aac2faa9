//! The search index beside the store: it comes back, it is filled again, and each server has its own.

use std::path::Path;
use std::time::Duration;

use harness::client::{Client, Login};
use harness::server::Server;
use harness::store::{DATABASE_URL, Store};
use serde_json::{Value, json};

async fn publish(client: &Client, admin: &Login, title: &str) -> String {
    let event = json!({
        "title": title, "description": "", "category": "concert", "venue": "Hall", "location": "Seoul",
        "start_date": "2034-06-15T19:00:00Z", "end_date": "2034-06-15T22:00:00Z", "status": "published",
        "ticket_types": [{"name": "Standing", "price": 33_000, "quantity": 10}],
    });
    let event = client.post("/api/events", admin, event).await.expect(200);
    event["event_id"].as_str().expect("an id").to_owned()
}

async fn cancel(client: &Client, admin: &Login, event: &str) {
    let event = client.post(&format!("/api/events/{event}/cancel"), admin, json!({})).await.expect(200);
    assert_eq!(event["status"], "cancelled");
}

async fn search(client: &Client, admin: &Login, q: &str) -> Value {
    client.get(&format!("/api/search/events?q={q}"), admin).await.expect(200)
}

/// Looks until so many are found.
async fn until(client: &Client, admin: &Login, q: &str, total: u64) -> Value {
    for _ in 0..200 {
        let found = search(client, admin, q).await;
        if found["total"] == total {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{q}: never {total}, but {}", search(client, admin, q).await)
}

/// The server's log, once these words are in it: an index that was right finds before it has been compared.
async fn said(server: &Server, words: &str) -> String {
    for _ in 0..500 {
        let log = server.log();
        if log.contains(words) {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never says: {words}")
}

fn spoil(folder: &Path, ending: &str) {
    let files =
        std::fs::read_dir(folder.join("search/index")).expect("an index").map(|file| file.expect("a file").path());
    let spoilt = files.filter(|path| path.to_string_lossy().ends_with(ending));
    assert!(spoilt.map(|path| std::fs::write(path, "spoilt").expect("written")).count() > 0, "no {ending}");
}

#[tokio::test]
async fn an_index_that_is_gone_spoilt_or_old_is_filled_again() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let admin = server.client().admin().await;
    for number in 0..30 {
        publish(server.client(), &admin, &format!("Coldplay {number}")).await;
    }
    until(server.client(), &admin, "coldplay", 30).await;
    server.kill();
    let folder = store.folder();
    let harms: [&dyn Fn(); 5] = [
        &|| {},
        &|| std::fs::remove_dir_all(folder.join("search")).expect("removed"),
        &|| spoil(folder, ".term"),
        &|| spoil(folder, "meta.json"),
        &|| std::fs::write(folder.join("search/version"), "0 0").expect("written"),
    ];
    for (number, harm) in harms.iter().enumerate() {
        harm();
        let server = Server::start(&store).await;
        let admin = server.client().admin().await;
        until(server.client(), &admin, "coldplay", 30).await;
        let log = said(&server, "the search index is up to date").await;
        let anew = log.contains("\"events\":30,\"written\":30") || log.contains("written=30");
        assert_eq!(anew, number > 0, "an index that is right is not filled again");
        server.kill();
    }
}

#[tokio::test]
async fn what_happened_while_the_server_was_away_is_found() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let admin = server.client().admin().await;
    let first = publish(server.client(), &admin, "Radiohead").await;
    until(server.client(), &admin, "radiohead", 1).await;
    // Killed before the index can have heard of it, or after: both have to do.
    publish(server.client(), &admin, "Muse").await;
    cancel(server.client(), &admin, &first).await;
    server.kill();
    let server = Server::start(&store).await;
    until(server.client(), &admin, "muse", 1).await;
    until(server.client(), &admin, "radiohead", 0).await;
}

#[tokio::test]
async fn an_edited_list_of_synonyms_counts_without_a_restart() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let admin = server.client().admin().await;
    publish(server.client(), &admin, "Coldplay").await;
    until(server.client(), &admin, "콜드플레이", 1).await;
    std::fs::write(store.folder().join("synonyms.txt"), "칼군무 = coldplay\n").expect("written");
    until(server.client(), &admin, "칼군무", 1).await;
    until(server.client(), &admin, "콜드플레이", 0).await;
}

#[tokio::test]
async fn each_server_on_a_database_hears_what_the_others_change() {
    if std::env::var(DATABASE_URL).is_err() {
        println!("{DATABASE_URL} is not set: one server a store");
        return;
    }
    let store = Store::fresh().await;
    let (first, second) = (Server::start(&store).await, Server::start(&store).await);
    let admin = first.client().admin().await;
    let ids = [publish(first.client(), &admin, "Coldplay").await, publish(second.client(), &admin, "Coldplay").await];
    for server in [&first, &second] {
        until(server.client(), &admin, "coldplay", 2).await;
    }
    cancel(second.client(), &admin, &ids[0]).await;
    for server in [&first, &second] {
        let found = until(server.client(), &admin, "coldplay", 1).await;
        assert_eq!(found["results"][0]["event_id"], ids[1]);
    }
}
