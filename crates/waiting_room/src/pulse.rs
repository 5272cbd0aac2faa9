//! The task that moves lanes on: it sleeps until the next deadline, or until a commit makes room.

use std::sync::{Arc, Weak};
use std::time::Duration;

use desk::{Span, Stopped, Time, Unavailable};
use engine::id::{LaneId, UserId};
use engine::lanes::{CompletePlace, Ending, MoveLane, Moves, PlaceState};
use tokio::sync::mpsc;

use crate::agenda::Agenda;
use crate::lane::Memory;
use crate::room::{Room, Word};

/// How long a lane that could not be moved on is left alone.
const BACK_OFF: Span = Span(200_000);
/// After so many looks at which memory and store did not agree, memory is wrong.
const MOST_DOUBTS: u32 = 10;

/// Moves lanes on until the room is gone.
pub(crate) async fn run(room: Weak<Room>, mut words: mpsc::UnboundedReceiver<Word>) {
    let mut agenda = Agenda::default();
    loop {
        let Some(pause) = room.upgrade().map(|room| pause(&agenda, room.desk.now())) else { return };
        let word = tokio::select! {
            word = words.recv() => match word {
                Some(word) => Some(word),
                None => return,
            },
            () = tokio::time::sleep(pause) => None,
        };
        let Some(room) = room.upgrade() else { return };
        match word {
            Some(Word::Now(lane)) => look(&room, lane),
            Some(Word::At(lane, at)) => agenda.plan(lane, at),
            Some(Word::Bought(lane, user)) => complete(&room, lane, user),
            Some(Word::Anew) => start(&room),
            None => {}
        }
        let now = room.desk.now();
        while let Some(lane) = agenda.take_due(now) {
            look(&room, lane);
        }
    }
}

fn pause(agenda: &Agenda, now: Time) -> Duration {
    let micros = agenda.next().map_or(60_000_000, |at| (at.0 - now.0).clamp(0, 60_000_000));
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// Reads every lane in which somebody is, so that its deadlines are kept without anybody asking.
fn start(room: &Arc<Room>) {
    let room = room.clone();
    tokio::spawn(async move {
        match room.desk.live_lanes().await {
            Ok(lanes) => lanes.into_iter().for_each(|lane| room.say(Word::Now(lane.id))),
            Err(error) => {
                tracing::warn!(%error, "the waiting room could not be read and is tried again");
                tokio::time::sleep(Duration::from_secs(1)).await;
                room.say(Word::Anew);
            }
        }
    });
}

/// Looks at a lane, in a task of its own; a lane is looked at by one at a time.
fn look(room: &Arc<Room>, id: LaneId) {
    let room = room.clone();
    tokio::spawn(async move {
        let lane = match room.lane_by_id(id).await {
            Ok(lane) => lane,
            Err(error) => {
                tracing::warn!(%error, "a lane of the waiting room could not be read");
                return room.say(Word::At(id, room.desk.now() + BACK_OFF));
            }
        };
        if !lane.looks.begin() {
            return;
        }
        let moved = move_on(&room, &lane).await;
        let again = lane.looks.end();
        let moved = moved.inspect_err(|stopped| {
            tracing::warn!(%stopped, "a lane of the waiting room could not be moved on");
        });
        if !matches!(moved, Ok(Stand::Settled)) {
            return room.say(Word::At(id, room.desk.now() + BACK_OFF));
        }
        if again {
            return room.say(Word::Now(id));
        }
        lane.state.lock().wake_at = Time::FOREVER;
        room.wake(&lane, room.desk.now());
    });
}

/// How a look at a lane ended.
enum Stand {
    /// Nothing is due any more.
    Settled,
    /// Memory and store do not agree; the news may still be on its way.
    InDoubt,
}

/// Moves a lane on until nothing is due.
async fn move_on(room: &Arc<Room>, lane: &Arc<Memory>) -> Result<Stand, Stopped> {
    loop {
        let due = lane.state.lock().stock_at <= room.desk.now();
        if due || lane.has_stale_stock() && lane.is_watched() {
            room.look_at_stock(lane).await.map_err(|Unavailable(why)| Stopped::Unavailable(why))?;
        }
        let Some((policy, moves)) = lane.due(room.desk.now()) else { return Ok(Stand::Settled) };
        let named = moves != Moves::default();
        let Moves { lapsed: taken, seen, .. } = moves.clone();
        let command = MoveLane { lane: lane.id, policy, paused: lane.is_paused(), moves };
        let moved = room.desk.run(command).await;
        let (found, places) = moved.inspect_err(|_| {
            let mut line = lane.state.lock();
            line.index.put_back(&taken);
            line.note(&seen, room.desk.now());
        })?;
        let now = room.desk.now();
        for place in &places {
            lane.apply(place, now);
        }
        let mut line = lane.state.lock();
        line.index.put_back(&taken);
        let in_doubt = !named && line.last == found;
        line.last = found;
        line.doubts = if in_doubt { line.doubts + 1 } else { 0 };
        if line.doubts > MOST_DOUBTS {
            tracing::warn!(lane = %format_args!("{:032x}", lane.id.0), "a lane is read anew");
            room.drop_lane(lane.id);
        }
        if in_doubt {
            return Ok(Stand::InDoubt);
        }
    }
}

/// Completes the place of somebody who has bought.
fn complete(room: &Arc<Room>, id: LaneId, user: UserId) {
    let room = room.clone();
    tokio::spawn(async move {
        if let Err(stopped) = complete_place(&room, id, user).await {
            tracing::warn!(%stopped, "a place was not completed and will run out");
        }
    });
}

async fn complete_place(room: &Room, id: LaneId, user: UserId) -> Result<(), Stopped> {
    let unavailable = |Unavailable(why)| Stopped::Unavailable(why);
    let lane = room.lane_by_id(id).await.map_err(unavailable)?;
    let Some(place) = room.desk.place_of(id, user).await.map_err(unavailable)? else { return Ok(()) };
    // Whether it has bought is decided with the lane. Who waits here has not: a turn that comes meanwhile is a new one.
    let may_have = match place.state {
        PlaceState::Inside { .. } | PlaceState::Used | PlaceState::Ended { how: Ending::Lapsed, .. } => true,
        PlaceState::Waiting | PlaceState::Ended { .. } => false,
    };
    if may_have {
        let policy = lane.state.lock().policy;
        room.desk.run(CompletePlace { lane: id, user, policy, paused: lane.is_paused() }).await?;
    }
    Ok(())
}
