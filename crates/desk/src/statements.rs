//! Statements are understood by the databases: prepared here, before anyone needs them. They are those that have a name,
//! the audit's, and the lists of movie tickets.
//!
//! Not prepared are those of `tail.rs`, which are for PostgreSQL alone, what the drivers make of a `Table` to write its
//! rows, and what stands where it is run: the lists and counts of `reading.rs` and `outward.rs` (due jobs and lapsed holds
//! among them) and how many jobs there are.

use std::sync::Arc;

use crate::batch::{HOLDINGS, LAPSED, UNPAID};
use crate::desk::PROBE;
use crate::lanes::{BETWEEN, FIRST_LAPSE, INSIDE, LIVE_LANES, OVER, WAITING};
use crate::lookups::TableShape;
use crate::migrations::{SCHEMA, Spelling, pending};
use crate::nodes::TELL;
use crate::outward::{SOLD, TO_REMIND};
use crate::reading::{EVENT_VERSIONS, lapsed_of};
use crate::recent::AFTER;
use crate::store::Tx as _;
use crate::stream::LAST;
use crate::tables::StoredAnswer;
use crate::upkeep::{OLDEST_DUE, STUCK_REFUNDS, TAKE_OVER, TIDY};
use crate::value::{IntoValue as _, Kind};
use crate::{check, movie, postgres, programme, sqlite};

/// The tables that something is looked up in by key: their columns must not meet those of the query itself.
fn tables() -> [TableShape; 15] {
    [
        TableShape::of::<StoredAnswer>(),
        TableShape::of::<Arc<engine::catalogue::Event>>(),
        TableShape::of::<engine::people::User>(),
        TableShape::of::<engine::people::Email>(),
        TableShape::of::<engine::people::RevokedToken>(),
        TableShape::of::<engine::seats::Stock>(),
        TableShape::of::<engine::wallet::Wallet>(),
        TableShape::of::<engine::holds::Reservation>(),
        TableShape::of::<engine::payments::Payment>(),
        TableShape::of::<engine::stream::Cursor>(),
        TableShape::of::<engine::lanes::Lane>(),
        TableShape::of::<engine::lanes::Waiter>(),
        TableShape::of::<engine::lanes::Place>(),
        TableShape::of::<engine::movie::MovieTicket>(),
        TableShape::of::<engine::webhooks::Webhook>(),
    ]
}

fn statements() -> Vec<String> {
    let fixed = [
        AFTER,
        FIRST_LAPSE,
        HOLDINGS,
        LAPSED,
        LAST,
        OLDEST_DUE,
        OVER,
        PROBE,
        SOLD,
        STUCK_REFUNDS,
        TAKE_OVER,
        TELL,
        TO_REMIND,
        UNPAID,
    ];
    let fixed = fixed.map(str::to_owned);
    let reading = [lapsed_of(3), EVENT_VERSIONS.to_owned()];
    let lanes =
        [("room_lanes", LIVE_LANES), ("room_places", INSIDE), ("room_places", WAITING), ("room_places", BETWEEN)];
    let lanes = lanes.map(|(table, rest)| format!("SELECT * FROM {table} {rest}"));
    let tidy = TIDY.iter().map(|(sql, _)| (*sql).to_owned());
    let listed = [programme::EVENTS, programme::IN_DEMAND, programme::LAYOUTS].map(str::to_owned);
    let listed = listed.into_iter().chain(movie::texts()).chain(lanes);
    check::texts().into_iter().chain(listed).chain(fixed).chain(reading).chain(tidy).collect()
}

#[tokio::test]
async fn sqlite_understands_every_statement() {
    let folder = std::env::temp_dir().join(format!("maepyo_statements_{}", std::process::id()));
    let writer = sqlite::Writer::open(&folder).expect("the folder is writable");
    writer.execute(SCHEMA).expect("the first table");
    for text in pending(&writer, Spelling::Sqlite).await.expect("an empty store") {
        writer.execute(&text).expect("a migration");
    }
    for sql in statements() {
        writer.prepare(&sql).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    }
    std::fs::remove_dir_all(folder).expect("it is ours");
}

#[tokio::test]
async fn postgres_understands_every_statement() {
    let Ok(url) = std::env::var("MAEPYO_TEST_DATABASE_URL") else { return };
    let address = postgres::Address::parse(&url).expect("an address");
    let session = postgres::Session::open(&address).await.expect("it is reached");
    let schema = format!("statements_{}", std::process::id());
    session.execute(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}; {SCHEMA}")).await.expect("a schema");
    for text in pending(&session, Spelling::Postgres).await.expect("an empty schema") {
        session.execute(&text).await.expect("a migration");
    }
    for sql in statements() {
        session.prepare(&sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    }
    for table in tables() {
        let nothing = session.look_up(table, Vec::new()).await;
        assert!(nothing.unwrap_or_else(|error| panic!("{}\n{error}", table.name)).is_empty());
    }
    session.execute(&format!("DROP SCHEMA {schema} CASCADE")).await.expect("it is ours");
}

/// A plan with a step that sessions switch off costs so much, by the planner's count, that PostgreSQL would compile it: tidying
/// no rows up took 180 ms so, each time.
#[tokio::test]
async fn postgres_compiles_no_statement() {
    let Ok(url) = std::env::var("MAEPYO_TEST_DATABASE_URL") else { return };
    let address = postgres::Address::parse(&url).expect("an address");
    let session = postgres::Session::open(&address).await.expect("a database");
    let explained = "EXPLAIN (ANALYZE) SELECT relname FROM pg_class WHERE relpages < ?1::bigint";
    let plan = session.query(explained, &[1_000_i64.value()], &[Kind::Text]).await.expect("a plan");
    let text = format!("{plan:?}");
    assert!(text.contains("Seq Scan") && !text.contains("JIT"), "{text}");
}
