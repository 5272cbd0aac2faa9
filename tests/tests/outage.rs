//! What the server stands on breaks away: the disk is full, the database is gone. It says so, loses nothing, and is
//! back by itself.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::box_office::{Buyer, OnSale, put_seats_on_sale};
use harness::client::{Answer, Client, read};
use harness::faults::{Fault, FaultyDisk};
use harness::proxy::Proxy;
use harness::server::{Server, check};
use harness::store::{DATABASE_URL, Store};
use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinHandle;

/// How long things may take to come about, in tenths of a second.
const PATIENCE: usize = 300;

/// Waits until something is so.
async fn becomes(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..PATIENCE {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not come about: {what}");
}

async fn status(client: &Client, path: &str) -> u16 {
    client.attempt("GET", path, None, None).await.expect("the server answers").status
}

/// Somebody who books seat after seat, and remembers what was answered.
struct Shopper {
    buyer: Buyer,
    event: OnSale,
    next: usize,
    booked: Vec<String>,
}

impl Shopper {
    async fn new(client: &Client) -> Self {
        let event = put_seats_on_sale(client, &client.admin().await, 100, 200).await;
        let buyer = Buyer::new(client, &client.register("shopper").await);
        Self { buyer, event, next: 0, booked: Vec::new() }
    }

    /// Books the next seat; gives the status.
    async fn book(&mut self) -> u16 {
        let seat = self.event.seats[self.next].clone();
        self.next += 1;
        let answer = self.buyer.hold(&self.event.id, &[&seat]).await.expect("the server answers");
        match answer.status {
            200 => self.booked.push(answer.json()["booking_id"].as_str().expect("an id").to_owned()),
            503 => assert_eq!(answer.code(), "SERVICE_UNAVAILABLE"),
            _ => {}
        }
        answer.status
    }

    /// Everything that was answered is there.
    async fn has_all(&self) {
        for booking in &self.booked {
            assert_eq!(self.buyer.booking(booking).await["status"], "reserved");
        }
    }
}

/// A disk of a few mebibytes in memory. Unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Mounts it at a folder; `None` where that is not allowed.
    fn at(folder: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).expect("a file can be made");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the file is there");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_sells_nothing_and_loses_nothing() {
    let store = Store::sqlite();
    let Some(disk) = SmallDisk::at(store.folder()) else {
        println!("skipped: a small disk cannot be mounted here (it takes root)");
        return;
    };
    let server = Server::start(&store).await;
    let client = server.client();
    let mut shopper = Shopper::new(client).await;
    assert_eq!(shopper.book().await, 200);
    disk.fill();
    // What was taken from the disk before is used up first.
    let refused = loop {
        match shopper.book().await {
            200 => {}
            status => break status,
        }
    };
    assert_eq!(refused, 503);
    assert_eq!(status(client, "/health").await, 200);
    // A little may still fit in, and then it is ready for that.
    let not_ready = async || {
        shopper.book().await;
        status(client, "/ready").await == 503
    };
    becomes("it is not ready", not_ready).await;
    assert_eq!(status(client, &format!("/api/events/{}", shopper.event.id)).await, 200, "looking goes on");
    shopper.has_all().await;
    disk.make_room();
    becomes("sales go on", async || shopper.book().await == 200).await;
    becomes("it is ready", async || status(client, "/ready").await == 200).await;
    shopper.has_all().await;
    server.kill();
    check(&store).expect("the store is in order");
}

/// A server whose disk does as it is told, and somebody who has booked one seat there.
async fn on_a_faulty_disk() -> (Store, FaultyDisk, Server, Shopper) {
    let store = Store::sqlite();
    let disk = FaultyDisk::of(&store);
    let server = Server::start_with(&store, &disk.settings()).await;
    let mut shopper = Shopper::new(server.client()).await;
    assert_eq!(shopper.book().await, 200);
    (store, disk, server, shopper)
}

/// What one disk lost it does not give back because the next flush succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_failed_a_flush_is_not_believed_again() {
    let (store, disk, server, mut shopper) = on_a_faulty_disk().await;
    let client = server.client();
    disk.begin(Fault::FailFlush);
    assert_eq!(shopper.book().await, 503);
    assert!(!disk.does(Fault::FailFlush), "it failed once");
    assert_eq!(shopper.book().await, 503);
    becomes("it is not ready", async || status(client, "/ready").await == 503).await;
    assert_eq!(status(client, "/health").await, 200);
    shopper.has_all().await;
    server.kill();
    let server = Server::start(&store).await;
    shopper.buyer.client = server.client().clone();
    assert_eq!(shopper.book().await, 200);
    shopper.has_all().await;
    server.kill();
    check(&store).expect("the store is in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_sells_nothing_until_it_can() {
    let (store, disk, server, mut shopper) = on_a_faulty_disk().await;
    let client = server.client();
    disk.begin(Fault::FailLog);
    assert_eq!([shopper.book().await, shopper.book().await], [503; 2]);
    becomes("it is not ready", async || status(client, "/ready").await == 503).await;
    shopper.has_all().await;
    disk.end(Fault::FailLog);
    becomes("sales go on", async || shopper.book().await == 200).await;
    becomes("it is ready", async || status(client, "/ready").await == 200).await;
    shopper.has_all().await;
    server.kill();
    check(&store).expect("the store is in order");
}

/// The log has all that the database has not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_written_goes_on_in_its_log() {
    let (store, disk, server, mut shopper) = on_a_faulty_disk().await;
    disk.begin(Fault::FailPages);
    for _ in 0..50 {
        assert_eq!(shopper.book().await, 200);
    }
    becomes("it says so", async || server.log().contains("could not be copied back")).await;
    server.kill();
    disk.end(Fault::FailPages);
    let server = Server::start_with(&store, &disk.settings()).await;
    shopper.buyer.client = server.client().clone();
    shopper.has_all().await;
    server.kill();
    check(&store).expect("the store is in order");
}

/// What is written and not on the disk yet may still be lost: neither who asked for it nor who asks again hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_not_answered_before_the_first_is_on_the_disk() {
    let (store, disk, server, _) = on_a_faulty_disk().await;
    let client = server.client().clone();
    let ask = move || {
        let body = json!({"email": "anna@maepyo.test", "password": "a-password-for-tests", "name": "Anna"});
        let request = client.request("POST", "/api/auth/register").json(&body);
        tokio::spawn(read(request.header("idempotency-key", "once")))
    };
    disk.begin(Fault::HoldFlush);
    let first = ask();
    let written = || {
        let database = Connection::open(store.folder().join("maepyo.db")).expect("it is there");
        let count = "SELECT COUNT(*) FROM users WHERE email = 'anna@maepyo.test'";
        database.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count") == 1
    };
    becomes("the first is written", async || disk.is_waited_for() && written()).await;
    let second = ask();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!first.is_finished() && !second.is_finished(), "somebody was told of what may be lost");
    disk.end(Fault::HoldFlush);
    let answer = async |asked: JoinHandle<Option<Answer>>| asked.await.expect("it ends").expect("the server answers");
    let (first, second) = (answer(first).await, answer(second).await);
    assert_eq!(first.expect(200), second.expect(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_told_and_found_again() {
    if std::env::var(DATABASE_URL).is_err() {
        println!("skipped: {DATABASE_URL} is not set, and SQLite is not to be lost");
        return;
    }
    let store = Store::fresh().await;
    let url = store.database().expect("a database of PostgreSQL").to_owned();
    let (start, rest) = url.split_once('@').expect("the address names a user");
    let (target, name) = rest.split_once('/').expect("the address names a database");
    let wire = Proxy::to(target).await;
    let address = format!("{start}@127.0.0.1:{}/{name}", wire.port());
    let server = Server::start_with(&store, &[("MAEPYO_DATABASE_URL", &address)]).await;
    let client = server.client();
    let mut shopper = Shopper::new(client).await;
    assert_eq!(shopper.book().await, 200);
    wire.cut();
    becomes("sales stop", async || shopper.book().await == 503).await;
    assert_eq!(status(client, "/health").await, 200);
    assert_eq!(status(client, "/ready").await, 503);
    let mine = client.get("/api/bookings/my", &shopper.buyer.login).await;
    assert_eq!((mine.status, mine.code().as_str()), (503, "SERVICE_UNAVAILABLE"));
    wire.mend();
    becomes("it is ready", async || status(client, "/ready").await == 200).await;
    becomes("sales go on", async || shopper.book().await == 200).await;
    shopper.has_all().await;
    server.kill();
    check(&store).expect("the store is in order");
}
