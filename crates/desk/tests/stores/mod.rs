//! Fresh stores of the kind under test, and what to put in them.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use desk::{Desk, DeskConfig, StoreConfig};
use engine::catalogue::layout::section;
use engine::catalogue::{Billing, CreateEvent, Editor, Event, NewOffer, NewTicketType};
use engine::holds::HoldRules;
use engine::id::UserId;
use engine::money::Won;
use engine::people::{RegisterUser, Role};
use engine::time::{Span, Time};

/// An empty store: a folder, or a database of the PostgreSQL under test.
pub struct Store {
    folder: PathBuf,
    database: Option<String>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Store {
    /// An empty store of the kind under test.
    pub async fn fresh() -> Self {
        let name = format!("maepyo_desk_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let database = match std::env::var("MAEPYO_TEST_DATABASE_URL") {
            Ok(url) => Some(create_database(&url, &name).await),
            Err(_) => None,
        };
        Self { folder: std::env::temp_dir().join(name), database }
    }

    /// A desk on it.
    pub async fn desk(&self, batch: usize) -> Desk {
        self.desk_with(batch, 4_096).await
    }

    /// A desk that works what it is asked in the order in which it was asked.
    #[allow(dead_code, reason = "not every suite needs one")]
    pub async fn desk_in_order(&self) -> Desk {
        self.open(DeskConfig { store: self.config(), queue: 4_096, batch: 256, gatherers: 1, readers: 4 }).await
    }

    /// A desk with a queue of its own length.
    pub async fn desk_with(&self, batch: usize, queue: usize) -> Desk {
        self.open(DeskConfig { store: self.config(), queue, batch, gatherers: 3, readers: 4 }).await
    }

    fn config(&self) -> StoreConfig {
        match &self.database {
            Some(url) => StoreConfig::Postgres(url.clone()),
            None => StoreConfig::Sqlite(self.folder.clone()),
        }
    }

    async fn open(&self, config: DeskConfig) -> Desk {
        Desk::open(config).await.expect("an empty store opens")
    }

    /// The address of the database that several nodes may share.
    #[allow(dead_code, reason = "not every suite needs it")]
    pub fn shared(&self) -> Option<&str> {
        self.database.as_deref()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn create_database(url: &str, name: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("it is reached");
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database is made");
    let (base, _) = url.rsplit_once('/').expect("the address names a database");
    format!("{base}/{name}")
}

/// A published event of so many seats and so many tickets of one type.
pub async fn event(desk: &Desk, seats: u32, tickets: u32) -> Arc<Event> {
    let ticket_type = NewTicketType { name: "R".into(), price: Won(50_000), quantity: tickets, description: None };
    let offer = NewOffer {
        rows: section("A", seats, 20, Won(10_000)).collect(),
        types: (tickets > 0).then_some(ticket_type).into_iter().collect(),
        total: None,
        prices: None,
    };
    desk.run(CreateEvent { editor: EDITOR, billing: billing(), offer, publish: true }).await.expect("a valid event")
}

/// Whose the events are.
pub const EDITOR: Editor = Editor { user: UserId(1), role: Role::Admin };

/// An event that is not published.
#[allow(dead_code, reason = "not every suite needs one")]
pub async fn draft(desk: &Desk) -> Arc<Event> {
    let rows = section("A", 20, 20, Won(10_000)).collect();
    let offer = NewOffer { rows, types: Vec::new(), total: None, prices: None };
    desk.run(CreateEvent { editor: EDITOR, billing: billing(), offer, publish: false }).await.expect("a valid event")
}

fn billing() -> Billing {
    Billing {
        title: "봄날의 콘서트".into(),
        category: "concert".into(),
        venue: "올림픽홀".into(),
        location: "서울".into(),
        starts_at: Time::from_millis(1_900_000_000_000),
        ends_at: Time::from_millis(1_900_000_100_000),
        ..Billing::default()
    }
}

/// A person.
pub async fn user(desk: &Desk, email: &str) -> UserId {
    let register = RegisterUser {
        email: email.to_owned(),
        password_hash: None,
        name: "구매자".to_owned(),
        phone: None,
        role: Role::User,
    };
    desk.run(register).await.expect("a new address").id
}

/// The rules of a hold of so many seconds.
pub fn rules(seconds: i64) -> HoldRules {
    HoldRules { span: Span::seconds(seconds), most: 4, one_each: false, alone: false }
}

/// Waits until something becomes true; gives up after about a minute.
#[allow(dead_code, reason = "not every suite needs it")]
pub async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    for _ in 0..3_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not become true");
}
