//! Following the event stream of a shared database: what other nodes changed comes into this node's memory.
//!
//! Positions are drawn before a transaction commits, so a later one may show before an earlier one. A look therefore
//! notes how far positions have been given out, and then which transactions are writing to the streams: whoever drew one
//! of these is over or among them, since the lock on the table comes before the position and goes after the commit shows.
//! Once all of those are over, everything up to the noted position is there to be read, in order. What others write
//! elsewhere, however long they take, holds nothing up.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use engine::id::EventId;

use crate::desk::{Desk, Inside};
use crate::lanes::News;
use crate::nodes::NodeWord;
use crate::tables::places_told;
use crate::tables::seats_of;
use crate::value::{Columns, IntoValue as _, Kind, Value};
use crate::{Unavailable, reads};

/// How often the stream is looked at; how old another node's change may be here.
const EVERY: Duration = Duration::from_millis(50);
/// The most rows read at a time.
const PAGE: usize = 5_000;

/// How far positions were given out.
const GIVEN: &str = "SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'position')::regclass), 0), \
     COALESCE(pg_sequence_last_value(pg_get_serial_sequence('room_news', 'position')::regclass), 0), \
     COALESCE(pg_sequence_last_value(pg_get_serial_sequence('node_news', 'position')::regclass), 0)";
/// The transactions that write to the streams now, by their virtual ids.
const WRITING: &str = "SELECT COALESCE(string_agg(DISTINCT virtualtransaction, ','), '') FROM pg_locks \
     WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND relation IN ('outbox'::regclass, 'room_news'::regclass, 'node_news'::regclass)";
/// How many locks some transactions still have: who has none is over.
const UNDER_WAY: &str = "SELECT COUNT(*) FROM pg_locks WHERE virtualtransaction = ANY(string_to_array(?1, ','))";
// None reads what this node wrote itself: it is in memory since the commit.
const READ: &str = "SELECT position, fact, event_id, body FROM outbox \
     WHERE position > ?1 AND position <= ?2 AND node <> ?4 ORDER BY position LIMIT ?3";

const READ_ROOM: &str = "SELECT position, lane_id, body FROM room_news \
     WHERE position > ?1 AND position <= ?2 AND node <> ?4 ORDER BY position LIMIT ?3";

const READ_NODES: &str = "SELECT position, node, body FROM node_news \
     WHERE position > ?1 AND position <= ?2 AND node <> ?4 ORDER BY position LIMIT ?3";

/// How far the streams are.
#[derive(Clone, Copy)]
struct Positions {
    outbox: i64,
    room: i64,
    nodes: i64,
}

/// How far positions were given out at some moment, and who may not have committed the last of them.
struct Mark {
    given: Positions,
    writing: String,
}

/// Follows the stream until the desk is gone.
pub(crate) async fn follow(desk: Weak<Inside>) {
    let mut position = None;
    let mut mark = None;
    while let Some(inside) = desk.upgrade() {
        if let Err(Unavailable(error)) = step(&Desk(inside), &mut position, &mut mark).await {
            tracing::warn!(error, "the event stream could not be followed");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn step(desk: &Desk, position: &mut Option<Positions>, mark: &mut Option<Mark>) -> Result<(), Unavailable> {
    let reads = &desk.0.reads;
    let noted = match mark.take() {
        Some(noted) => noted,
        None => given(reads).await?,
    };
    if !noted.writing.is_empty() && reads.number(UNDER_WAY, vec![noted.writing.as_str().value()]).await? > 0 {
        *mark = Some(noted);
        return Ok(());
    }
    if position.is_none() {
        // What was under way at the first mark is over now and was never told here: memory starts from this moment.
        desk.0.shared.forget();
    }
    let from = position.unwrap_or(noted.given);
    let kinds = &[Kind::Int, Kind::Text, Kind::Bytes, Kind::Text];
    read_on(desk, (READ, kinds), (from.outbox, noted.given.outbox), take).await?;
    let kinds = &[Kind::Int, Kind::Bytes, Kind::Text];
    read_on(desk, (READ_ROOM, kinds), (from.room, noted.given.room), take_places).await?;
    let kinds = &[Kind::Int, Kind::Int, Kind::Text];
    read_on(desk, (READ_NODES, kinds), (from.nodes, noted.given.nodes), take_words).await?;
    *position = Some(noted.given);
    desk.0.shared.stream.moved(noted.given.outbox.cast_unsigned());
    Ok(())
}

/// Reads a stream from a position to another, a page at a time.
async fn read_on(
    desk: &Desk,
    (sql, kinds): (&str, &'static [Kind]),
    (mut from, to): (i64, i64),
    take: fn(&Desk, Vec<Vec<Value>>) -> Result<(), Unavailable>,
) -> Result<(), Unavailable> {
    while from < to {
        let params = vec![from.value(), to.value(), (PAGE as i64).value(), desk.0.shared.node.value()];
        let rows = desk.0.reads.query(sql, params, kinds).await?;
        let Some(Value::Int(last)) = rows.last().and_then(|row| row.first()).cloned() else { return Ok(()) };
        let is_last = rows.len() < PAGE;
        take(desk, rows)?;
        if is_last {
            return Ok(());
        }
        from = last;
    }
    Ok(())
}

async fn given(reads: &reads::Reads) -> Result<Mark, Unavailable> {
    let first = |rows: Vec<Vec<Value>>| rows.into_iter().next().ok_or(Unavailable("no positions".to_owned()));
    let mut columns = Columns::new(first(reads.query(GIVEN, Vec::new(), &[Kind::Int, Kind::Int, Kind::Int]).await?)?);
    let given = Positions { outbox: columns.int()?, room: columns.int()?, nodes: columns.int()? };
    // Asked afterwards: who begins to write now draws a later position.
    let mut columns = Columns::new(first(reads.query(WRITING, Vec::new(), &[Kind::Text]).await?)?);
    Ok(Mark { given, writing: columns.text()? })
}

/// Takes what other nodes changed into this node's memory.
fn take(desk: &Desk, rows: Vec<Vec<Value>>) -> Result<(), Unavailable> {
    let shared = &desk.0.shared;
    for row in rows {
        let mut columns = Columns::new(row);
        let (_, fact, event) = (columns.int()?, columns.text()?, columns.id::<EventId>()?);
        let body = columns.text()?;
        if fact.starts_with("event_") {
            shared.catalogue.forget(event);
            shared.programme.outdate(event);
            shared.follower.tell(|follower| follower.follow(&News { changed: &[event], ..News::NONE }));
        } else {
            shared.programme.touch([event]);
            let seats = seats_of(&body)?;
            shared.views.fill(event, seats.into_iter().map(|seat| (seat.ordinal, seat.version, seat.until)));
            shared.follower.tell(|follower| follower.follow(&News { touched: &BTreeSet::from([event]), ..News::NONE }));
        }
    }
    Ok(())
}

/// Takes the places that other nodes changed.
fn take_places(desk: &Desk, rows: Vec<Vec<Value>>) -> Result<(), Unavailable> {
    let shared = &desk.0.shared;
    for row in rows {
        let mut columns = Columns::new(row);
        let (_, lane) = (columns.int()?, columns.id()?);
        let places = places_told(lane, &columns.text()?);
        shared.follower.tell(|follower| follower.follow(&News { places: &places, ..News::NONE }));
    }
    Ok(())
}

/// Passes on what other nodes said.
fn take_words(desk: &Desk, rows: Vec<Vec<Value>>) -> Result<(), Unavailable> {
    for row in rows {
        let mut columns = Columns::new(row);
        let (_, node) = (columns.int()?, columns.int()?);
        desk.0.shared.node_words.hear(NodeWord { node, body: columns.text()? });
    }
    Ok(())
}
