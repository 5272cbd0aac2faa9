//! The event stream as it is read: in order, live, and by those who keep their place in the store.

mod stores;

use std::sync::Arc;
use std::time::Duration;

use desk::{Desk, Entry, Happened, ReservationNews, Stage};
use engine::catalogue::{Event, PublishEvent};
use engine::holds::{CancelReservation, Canceller, HoldSeats, Reservation};
use engine::id::UserId;
use engine::money::Won;
use engine::stream::AdvanceCursor;
use engine::time::Time;
use futures_util::future::join_all;
use stores::{Store, event, rules, until, user};
use tokio::sync::broadcast::error::RecvError;

async fn hold(desk: &Desk, event: &Event, user: UserId, seat: u32) -> Reservation {
    let seats = vec![seat];
    let hold = HoldSeats { user, event: event.id, seats, items: Vec::new(), stated_total: None, rules: rules(600) };
    desk.run(hold).await.expect("the seat is free").remove(0)
}

/// Somebody else's connection to a database.
async fn connected(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("it is reached");
    tokio::spawn(connection);
    client
}

fn told(entry: &Entry) -> Option<&ReservationNews> {
    match &entry.happened {
        Happened::Reservation(told) => Some(told),
        _ => None,
    }
}

/// The stream from a position on, read a few at a time, once it has so many entries.
async fn all(desk: &Desk, from: u64, count: usize) -> Vec<Arc<Entry>> {
    let mut moved = desk.stream_moved();
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    loop {
        let position = entries.last().map_or(from, |entry| entry.position);
        let page = desk.stream_after(position, 3).await.expect("it can be read");
        let ended = page.is_empty();
        entries.extend(page);
        if entries.len() >= count {
            return entries;
        }
        if ended {
            moved.changed().await.expect("the desk is there");
        }
    }
}

#[tokio::test]
async fn the_stream_tells_in_order_what_became_of_reservations() {
    let store = Store::fresh().await;
    let desk = store.desk(64).await;
    let event = event(&desk, 10, 0).await;
    let buyer = user(&desk, "buyer@maepyo.test").await;
    let held = hold(&desk, &event, buyer, 4).await;
    let by = Canceller::Buyer(buyer);
    desk.run(CancelReservation { reservation: held.id, by }).await.expect("it is held");
    let entries = all(&desk, 0, 3).await;
    assert!(entries.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert!(entries.iter().all(|entry| entry.event == event.id));
    assert_eq!(entries[0].happened, Happened::EventChanged);
    let (made, over) = (told(&entries[1]).expect("the hold"), told(&entries[2]).expect("its end"));
    assert_eq!((made.stage, over.stage), (Stage::Held, Stage::Cancelled));
    assert_eq!((made.reservation, made.user, made.total), (held.id, buyer, Won(10_000)));
    assert_eq!((made.expires_at, entries[1].at), (held.expires_at, held.created_at));
    let seat = |told: &ReservationNews| (told.seats[0].ordinal, told.seats[0].version, told.seats[0].until);
    assert_eq!((seat(made), seat(over)), ((4, 1, held.expires_at), (4, 2, Time::NEVER)));
    assert_eq!((made.freed.clone(), over.freed.clone()), (vec![], vec![4]));
    assert_eq!(desk.stream_end().await.expect("known"), entries[2].position);
    assert_eq!(all(&desk, entries[1].position, 1).await, entries[2..]);
    desk.close().await;
}

/// What is recent is in memory, and what is not is read: both tell the same, and so do new entries after either.
#[tokio::test]
async fn who_is_far_behind_sees_what_those_at_the_front_see() {
    let store = Store::fresh().await;
    let desk = store.desk(64).await;
    let first = event(&desk, 10, 0).await;
    hold(&desk, &first, UserId(1), 0).await;
    let known = all(&desk, 0, 2).await;
    desk.close().await;
    let again = store.desk(64).await;
    let behind = known[0].position;
    // Memory begins at the second entry here, so that whoever is behind it has to read.
    hold(&again, &first, UserId(1), 1).await;
    let front = all(&again, known[1].position, 1).await;
    assert_eq!(all(&again, 0, 3).await, [&known[..], &front[..]].concat());
    assert_eq!(all(&again, behind, 2).await[1..], front);
    let second = event(&again, 10, 0).await;
    let end = all(&again, front[0].position, 1).await[0].position;
    assert_eq!(again.events_changed_after(front[0].position).await.expect("it can be read"), (vec![second.id], end));
    let (mut changed, at) = again.events_changed_after(0).await.expect("it can be read");
    changed.sort_unstable();
    assert_eq!((changed, at), (vec![first.id, second.id], end));
    again.close().await;
}

/// Of a shared database: elsewhere in it somebody has been writing for long.
#[tokio::test]
async fn what_others_write_elsewhere_holds_the_stream_up_for_nobody() {
    let store = Store::fresh().await;
    let desk = store.desk(8).await;
    let event = event(&desk, 10, 0).await;
    let Some(database) = store.shared() else { return };
    let stranger = connected(database).await;
    stranger
        .batch_execute("BEGIN; CREATE TABLE elsewhere (n INT); INSERT INTO elsewhere VALUES (1)")
        .await
        .expect("it writes");
    let held = hold(&desk, &event, UserId(1), 0).await;
    let heard = tokio::time::timeout(Duration::from_secs(60), all(&desk, 0, 2)).await.expect("it is told");
    assert_eq!(told(&heard[1]).map(|told| told.reservation), Some(held.id));
    stranger.batch_execute("ROLLBACK").await.expect("it ends");
    desk.close().await;
}

/// Of a shared database: an earlier position commits after a later one.
#[tokio::test]
async fn nothing_is_told_while_something_before_it_may_still_come() {
    let store = Store::fresh().await;
    let desk = store.desk(8).await;
    let event = event(&desk, 10, 0).await;
    let Some(database) = store.shared() else { return };
    let stranger = connected(database).await;
    let before = all(&desk, 0, 1).await[0].position;
    let earlier = "BEGIN; INSERT INTO outbox (made_at, node, fact, event_id, subject, body) \
         SELECT made_at, node + 1, fact, event_id, subject, body FROM outbox ORDER BY position LIMIT 1";
    stranger.batch_execute(earlier).await.expect("it writes");
    let held = hold(&desk, &event, UserId(1), 0).await;
    // As often as it is looked for, and ten times that.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(desk.stream_after(before, 10).await.expect("it can be read"), []);
    stranger.batch_execute("COMMIT").await.expect("it ends");
    let heard = all(&desk, before, 2).await;
    assert_eq!(heard[0].happened, Happened::EventChanged);
    assert_eq!(told(&heard[1]).map(|told| told.reservation), Some(held.id));
    desk.close().await;
}

/// What is answered while others commit out of turn is told once and in order, on every node.
#[tokio::test(flavor = "multi_thread")]
async fn listeners_hear_everything_once_whoever_wrote_it() {
    let store = Store::fresh().await;
    let desk = store.desk(8).await;
    let other = if store.shared().is_some() { store.desk(8).await } else { desk.clone() };
    let event = event(&desk, 300, 0).await;
    let end = all(&other, 0, 1).await[0].position;
    let mut live = [desk.live(), other.live(), desk.live()];
    let doors = [&desk, &other];
    let holds = (0..300).map(|seat| hold(doors[seat % 2], &event, UserId(seat as u128), seat as u32));
    let held = join_all(holds).await.len();
    let mut heard = Vec::new();
    for receiver in &mut live {
        let mut own: Vec<Arc<Entry>> = Vec::new();
        while own.len() < held {
            let entry = receiver.recv().await.expect("it is not behind");
            // One that began to listen before the end of what was there may hear of it too.
            own.extend((entry.position > end).then_some(entry));
        }
        assert!(own.windows(2).all(|pair| pair[0].position < pair[1].position));
        heard.push(own);
    }
    assert!(heard[0] == heard[1] && heard[1] == heard[2]);
    drop(live);
    // Nobody listens: the reader ends, and the next listener has one of its own.
    let mut again = desk.live();
    let (reservation, by) = (told(&heard[0][0]).expect("a hold").reservation, Canceller::House);
    desk.run(CancelReservation { reservation, by }).await.expect("it is held");
    let entry = again.recv().await.expect("it is not behind");
    assert_eq!(told(&entry).map(|told| (told.reservation, told.stage)), Some((reservation, Stage::Cancelled)));
    desk.close().await;
}

#[tokio::test]
async fn a_slow_listener_is_told_that_it_missed_some() {
    let store = Store::fresh().await;
    let desk = store.desk_with(1_024, 8_192).await;
    let event = event(&desk, 5_000, 0).await;
    let end = all(&desk, 0, 1).await[0].position;
    let mut live = desk.live();
    join_all((0..5_000).map(|seat| hold(&desk, &event, UserId(1), seat))).await;
    let end = all(&desk, end, 5_000).await.pop().expect("it has entries").position;
    until(|| async { live.len() >= 5_000 }).await;
    let mut missed = false;
    loop {
        match live.recv().await {
            Ok(entry) if entry.position == end => break,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => missed = true,
            Err(RecvError::Closed) => panic!("it is open"),
        }
    }
    assert!(missed);
    desk.close().await;
}

/// Of a shared database: somebody else has locked an event.
#[tokio::test]
async fn a_lock_on_one_event_holds_up_no_other() {
    let store = Store::fresh().await;
    let desk = store.desk(8).await;
    let (locked, other) = (event(&desk, 10, 0).await, event(&desk, 10, 0).await);
    let Some(database) = store.shared() else { return };
    // Each gatherer has its connection by then.
    for seat in 1..=6 {
        hold(&desk, &other, UserId(2), seat).await;
    }
    let stranger = connected(database).await;
    let lock = format!("BEGIN; SELECT id FROM events WHERE id = decode('{:032x}', 'hex') FOR UPDATE", locked.id.0);
    stranger.batch_execute(&lock).await.expect("it locks");
    let waiting = tokio::spawn({
        let (desk, locked) = (desk.clone(), locked.clone());
        async move { hold(&desk, &locked, UserId(1), 0).await }
    });
    let stuck = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')";
    until(|| async { stranger.query_one(stuck, &[]).await.expect("it is read").get::<_, i64>(0) > 0 }).await;
    // A lock is waited for twice as long.
    let free = tokio::time::timeout(Duration::from_secs(5), hold(&desk, &other, UserId(2), 0)).await;
    assert_eq!(free.expect("it does not wait").event, other.id);
    assert!(!waiting.is_finished());
    stranger.batch_execute("ROLLBACK").await.expect("it ends");
    assert_eq!(waiting.await.expect("it does not panic").event, locked.id);
    desk.close().await;
}

/// Several nodes at one cursor: each entry is worked off once, and a restart goes on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_works_everything_off_once() {
    let store = Store::fresh().await;
    let desk = store.desk(8).await;
    let other = if store.shared().is_some() { store.desk(8).await } else { desk.clone() };
    let event = event(&desk, 100, 0).await;
    join_all((0..100).map(|seat| hold(&desk, &event, UserId(1), seat))).await;
    let end = all(&other, 0, 101).await.pop().expect("it has entries").position;
    let work = |desk: Desk| async move {
        let mut done = Vec::new();
        loop {
            match desk.next_page("test", 11).await.expect("it can be read") {
                Some(mut page) => {
                    // The rest is left to whoever comes next.
                    let left = page.entries.len() > 7;
                    page.cut(7);
                    assert!(page.more || !left);
                    let mut positions: Vec<u64> = page.entries.iter().map(|entry| entry.position).collect();
                    if page.more {
                        desk.turn_page(&mut page, 3).await.expect("it can be read");
                        positions.extend(page.entries.iter().map(|entry| entry.position));
                    }
                    if desk.run(AdvanceCursor(page.advance)).await.expect("it is decided") {
                        done.extend(positions);
                    }
                }
                None => return done,
            }
        }
    };
    let workers = [&desk, &other, &desk, &other].map(|desk| tokio::spawn(work(desk.clone())));
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.expect("it does not panic"));
    }
    // A worker stops where another node has the cursor, and that one may have stopped at nothing to do before.
    until(|| async { desk.stream_end().await.expect("known") >= end }).await;
    done.extend(work(desk.clone()).await);
    done.extend(work(other.clone()).await);
    done.sort_unstable();
    let expected: Vec<u64> = all(&desk, 0, 101).await.iter().map(|entry| entry.position).collect();
    assert_eq!(done, expected);
    desk.close().await;
}

/// A moment before this desk hears of it from the stream: what is not there may be answered for a day.
#[tokio::test]
async fn what_another_desk_has_just_published_is_public() {
    let store = Store::fresh().await;
    let (here, there) = (store.desk(16).await, store.desk(16).await);
    let draft = stores::draft(&there).await;
    assert!(here.event(draft.id).await.expect("a look").is_some(), "remembered as a draft");
    assert!(here.public_event(draft.id).await.expect("a look").is_none());
    there.run(PublishEvent { editor: stores::EDITOR, event: draft.id }).await.expect("published");
    assert!(here.public_event(draft.id).await.expect("a look").is_some());
}
