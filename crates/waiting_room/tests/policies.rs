//! What becomes of those who wait when more may be inside than before.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use desk::{Desk, DeskConfig, StoreConfig};
use engine::catalogue::layout::section;
use engine::catalogue::{Billing, CreateEvent, Editor, Event, NewOffer, RoomPolicy, UpdateEvent};
use engine::id::UserId;
use engine::lanes::LanePolicy;
use engine::money::Won;
use engine::people::Role;
use engine::time::{Span, Time};
use tokio::sync::broadcast::Receiver;
use waiting_room::{Door, Moved, Policies, WaitingRoom};

const EDITOR: Editor = Editor { user: UserId(1), role: Role::Admin };

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("maepyo-policies-{}-{name}", std::process::id())))
    }

    async fn desk(&self) -> Desk {
        let store = StoreConfig::Sqlite(self.0.clone());
        let config = DeskConfig { store, queue: 64, batch: 16, gatherers: 1, readers: 2 };
        Desk::open(config).await.expect("the folder can be written")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The policies of a server on whose lanes so many may be inside.
fn policies(inside: u32) -> Policies {
    let (pass, absent) = (Span::seconds(600), Span::seconds(600));
    let usual = LanePolicy { inside, pass, absent, sliding: false, requeue: false, life: None, most: None };
    Policies { concert: usual, sail: usual, tiketi: usual, ticketing_pro: usual }
}

async fn event(desk: &Desk, waiting_room: Option<RoomPolicy>) -> Arc<Event> {
    let billing = Billing {
        title: "Show".into(),
        category: "concert".into(),
        venue: "Hall".into(),
        location: "Seoul".into(),
        starts_at: Time::from_millis(1_900_000_000_000),
        ends_at: Time::from_millis(1_900_000_100_000),
        waiting_room,
        ..Billing::default()
    };
    let rows = section("A", 20, 20, Won(10_000)).collect();
    let offer = NewOffer { rows, types: Vec::new(), total: None, prices: None };
    desk.run(CreateEvent { editor: EDITOR, billing, offer, publish: true }).await.expect("a valid event")
}

/// Waits until this many are told that they are in, ten seconds at most.
async fn let_in(told: &mut Receiver<Moved>, count: usize) -> Vec<UserId> {
    let mut users = Vec::new();
    while users.len() < count {
        let moved = tokio::time::timeout(Duration::from_secs(10), told.recv()).await;
        match moved.expect("somebody is let in").expect("the room is there") {
            Moved::LetIn { user, .. } => users.push(user),
            Moved::Lane { .. } | Moved::SoldOut { .. } => {}
        }
    }
    users
}

#[tokio::test]
async fn when_an_event_allows_more_inside_the_next_are_let_in_without_asking() {
    let folder = Folder::new("event");
    let desk = folder.desk().await;
    let room = WaitingRoom::start(desk.clone(), policies(5));
    let own = |capacity| Some(RoomPolicy { capacity, pass: Span::seconds(600) });
    let event = event(&desk, own(1)).await;
    let mut told = room.subscribe();
    for user in 1..=4 {
        let _ = room.join(Door::Tiketi, Some(event.id), UserId(user)).await.expect("a place");
    }
    assert_eq!(let_in(&mut told, 1).await, [UserId(1)]);
    let billing = Billing { waiting_room: own(3), ..event.billing.clone() };
    let (id, version) = (event.id, event.version);
    let wider = UpdateEvent { editor: EDITOR, event: id, version, billing, offer: None };
    let _ = desk.run(wider).await.expect("it may be changed");
    assert_eq!(let_in(&mut told, 2).await, [UserId(2), UserId(3)]);
    desk.close().await;
}

#[tokio::test]
async fn when_a_server_starts_that_allows_more_inside_the_next_are_let_in_without_asking() {
    let folder = Folder::new("start");
    let desk = folder.desk().await;
    let room = WaitingRoom::start(desk.clone(), policies(1));
    let event = event(&desk, None).await;
    for user in 1..=4 {
        let _ = room.join(Door::Tiketi, Some(event.id), UserId(user)).await.expect("a place");
    }
    desk.close().await;
    drop((room, desk));
    let desk = folder.desk().await;
    let room = WaitingRoom::start(desk.clone(), policies(3));
    let mut told = room.subscribe();
    assert_eq!(let_in(&mut told, 2).await, [UserId(2), UserId(3)]);
    desk.close().await;
}
