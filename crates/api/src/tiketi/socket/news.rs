//! What clients are told: from the stream of events of all servers, and now and then by count.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use desk::{Entry, Happened, ReservationNews, SeatChange, Span, Stage, Time, Unavailable};
use engine::id::{EventId, TicketTypeId};
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use waiting_room::{Door, Moved};

use super::super::wire::SEAT_WORDS;
use super::messages::{LetIn, QueueInfo, RoomInfo, SeatSaid, TicketsLeft};
use super::others;
use super::rooms::Room;
use crate::state::AppState;
use crate::{Dialect, clock, ids};

/// How often counts are looked at: those who wait for a number wait this long at most.
const PULSE: Duration = Duration::from_millis(100);
/// How often those who missed something are looked after, and those whose token has run out, in pulses.
const CARE: u64 = 10;
/// A room is told its count at most this often for each that is in it, so that a rush into it stays affordable.
const COUNT_PAUSE: Span = Span(100);
/// A queue is told its numbers at most this often.
const QUEUE_PAUSE: Span = Span::seconds(1);
/// What who gets in is told.
const LET_IN: &str = "입장이 허용되었습니다.";
/// What sockets get to be told that the server goes.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is to be told with the next pulse.
#[derive(Default)]
pub struct Notices(Mutex<Due>);

#[derive(Default)]
struct Due {
    /// Rooms whose numbers have changed or were told lately.
    counts: HashMap<Room, Count>,
    /// Ticket types of which some were taken or given back.
    stocks: HashMap<EventId, BTreeSet<TicketTypeId>>,
}

struct Count {
    changed: bool,
    /// It is not told before this.
    rests_until: Time,
}

impl Notices {
    /// Notes that the numbers of a room have changed.
    pub fn counted_anew(&self, room: Room) {
        let fresh = Count { changed: true, rests_until: Time::NEVER };
        self.0.lock().counts.entry(room).or_insert(fresh).changed = true;
    }

    /// The rooms to tell their numbers now.
    fn due_counts(&self, now: Time) -> Vec<Room> {
        let mut due = self.0.lock();
        due.counts.retain(|_, count| count.changed || count.rests_until > now);
        let told = due.counts.iter_mut().filter(|(_, count)| count.changed && count.rests_until <= now);
        told.map(|(room, count)| (*room, count.changed = false).0).collect()
    }

    fn rest(&self, room: Room, until: Time) {
        if let Some(count) = self.0.lock().counts.get_mut(&room) {
            count.rests_until = until;
        }
    }

    fn stock_moved(&self, event: EventId, types: impl IntoIterator<Item = TicketTypeId>) {
        self.0.lock().stocks.entry(event).or_default().extend(types);
    }
}

/// Tells sockets what happens, until `stop` turns true; then hangs up on them.
pub async fn attend(state: AppState, stop: watch::Receiver<bool>) {
    tokio::join!(tell(&state, stop.clone()), others::speak(&state, stop));
    let _ = tokio::time::timeout(FAREWELL, state.sockets.close()).await;
}

async fn tell(state: &AppState, mut stop: watch::Receiver<bool>) {
    let mut nodes = state.desk.hear_nodes();
    let mut live = state.desk.live();
    let mut lanes = state.rooms.subscribe();
    let mut pulse = tokio::time::interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beat = 0_u64;
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            entry = live.recv() => match entry {
                Ok(entry) => told(state, &entry).await,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "sockets missed what happened and are brought up to date");
                    state.sockets.all_behind().await;
                }
                Err(RecvError::Closed) => break,
            },
            change = lanes.recv() => match change {
                Ok(change) => moved(state, change),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "sockets missed who was let in"),
                Err(RecvError::Closed) => break,
            },
            word = nodes.recv() => match word {
                Ok(word) => others::hear(state, &word),
                // Counts are told again.
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "words of other servers were missed"),
                Err(RecvError::Closed) => break,
            },
            _ = pulse.tick() => {
                beat += 1;
                if let Err(Unavailable(error)) = on_pulse(state, beat).await {
                    tracing::warn!(error, "sockets could not be told");
                }
            }
        }
    }
}

pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever was to say so is gone: that says it too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn on_pulse(state: &AppState, beat: u64) -> Result<(), Unavailable> {
    if beat.is_multiple_of(CARE) {
        // First: what follows asks the store.
        state.sockets.end_visits(state.desk.now());
        let gone = state.sockets.others.forget(state.desk.now());
        gone.into_iter().for_each(|event| state.sockets.notices.counted_anew(Room::Event(event)));
    }
    tell_counts(state).await?;
    tell_stocks(state).await?;
    if beat.is_multiple_of(life_beats(state)) {
        show_life(state).await?;
    }
    if beat.is_multiple_of(CARE) {
        state.sockets.catch_up(state).await?;
    }
    Ok(())
}

/// After how many pulses sockets count as a sign of life again: a quarter of what somebody may stay away.
fn life_beats(state: &AppState) -> u64 {
    let own = state.settings.of(Dialect::Tiketi);
    let seconds = u64::try_from(own.pass_seconds.min(own.absent_seconds)).unwrap_or(1);
    (seconds * 10 / 4).clamp(1, 600)
}

/// Tells what happened to those who look.
async fn told(state: &AppState, entry: &Arc<Entry>) {
    let Happened::Reservation(told) = &entry.happened else { return };
    state.sockets.notices.stock_moved(entry.event, told.items.iter().map(|(id, _)| *id));
    let said = seats(told).into_iter().map(|(ordinal, name, status, user)| {
        let message = SeatSaid {
            seat_id: ids::uuid(entry.event.seat(ordinal)),
            user_id: user.then(|| ids::uuid(told.user.0)),
            status,
            timestamp: clock::rfc3339(entry.at),
            event_id: ids::uuid(entry.event.0),
            sequence: 0,
        };
        (name, message)
    });
    state.sockets.tell_seats(entry.event, said).await;
}

/// What became of which seat: its event, its status, and whether it is told who did it.
fn seats(told: &ReservationNews) -> Vec<(u32, &'static str, &'static str, bool)> {
    let all = |name, status, user| told.seats.iter().map(move |seat: &SeatChange| (seat.ordinal, name, status, user));
    match told.stage {
        Stage::Held => all("seat-locked", SEAT_WORDS.held, true).collect(),
        Stage::Confirmed => all("seat-sold", SEAT_WORDS.sold, false).collect(),
        Stage::Cancelled | Stage::Expired => {
            told.freed.iter().map(|ordinal| (*ordinal, "seat-released", SEAT_WORDS.free, false)).collect()
        }
    }
}

/// Tells rooms their numbers.
async fn tell_counts(state: &AppState) -> Result<(), Unavailable> {
    let (sockets, now) = (&state.sockets, state.desk.now());
    for room in sockets.notices.due_counts(now) {
        let here = sockets.members(room).len();
        if here == 0 {
            continue;
        }
        let pause = match room {
            Room::Event(event) => {
                let user_count = here + sockets.others.looking(event, now);
                let message = RoomInfo { event_id: ids::uuid(event.0), user_count };
                sockets.tell(room, "room-info", &message);
                COUNT_PAUSE.0 * i64::try_from(here).unwrap_or(i64::MAX / COUNT_PAUSE.0)
            }
            Room::Queue(event) => {
                sockets.tell(room, "queue-updated", &queue(state, event).await?);
                QUEUE_PAUSE.0
            }
            Room::Seats(_) | Room::User(_) => 0,
        };
        sockets.notices.rest(room, now + Span(pause));
    }
    Ok(())
}

async fn queue(state: &AppState, event: EventId) -> Result<QueueInfo, Unavailable> {
    let lane = state.rooms.lane(Door::Tiketi, Some(event)).await?;
    Ok(QueueInfo {
        event_id: ids::uuid(event.0),
        queue_size: lane.waiting,
        current_users: lane.inside,
        threshold: lane.capacity,
        sold_out: lane.sold_out,
        timestamp: clock::rfc3339(state.desk.now()),
    })
}

/// Tells who got in, and notes whose queue has moved.
fn moved(state: &AppState, moved: Moved) {
    let (kind, event) = match moved {
        Moved::LetIn { kind, event, .. } | Moved::Lane { kind, event } => (kind, event),
        Moved::SoldOut { kind, event, .. } => (kind, Some(event)),
    };
    let Some(event) = event.filter(|_| Door::Tiketi.leads_to(kind)) else { return };
    state.sockets.notices.counted_anew(Room::Queue(event));
    if let Moved::LetIn { user, .. } = moved {
        let message = LetIn { event_id: ids::uuid(event.0), user_id: ids::uuid(user.0), message: LET_IN };
        state.sockets.tell(Room::User(user), "queue-entry-allowed", &message);
    }
}

/// Counts every socket in a room of an event as a sign of life of its user.
async fn show_life(state: &AppState) -> Result<(), Unavailable> {
    let mut alive = BTreeSet::new();
    for socket in state.sockets.all() {
        let rooms = socket.rooms();
        let rooms = rooms.iter().filter_map(|name| Room::named(name)).collect::<Vec<_>>();
        let user = rooms.iter().find_map(|room| if let Room::User(user) = room { Some(*user) } else { None });
        let events = rooms.iter().filter_map(|room| match room {
            Room::Event(event) | Room::Queue(event) | Room::Seats(event) => Some(*event),
            Room::User(_) => None,
        });
        alive.extend(events.filter_map(|event| Some((event, user?))));
    }
    for (event, user) in alive {
        state.rooms.look_alive(Door::Tiketi, Some(event), user).await?;
    }
    Ok(())
}

/// Tells those who look at an event how many of its tickets are left.
async fn tell_stocks(state: &AppState) -> Result<(), Unavailable> {
    let moved = std::mem::take(&mut state.sockets.notices.0.lock().stocks);
    for (event, types) in moved {
        if state.sockets.members(Room::Event(event)).is_empty() {
            continue;
        }
        let timestamp = clock::rfc3339(state.desk.now());
        for stock in state.desk.stocks(&[event]).await?.iter().filter(|stock| types.contains(&stock.ticket_type)) {
            let message = TicketsLeft {
                ticket_type_id: ids::uuid(stock.ticket_type.0),
                available_quantity: stock.left(),
                total_quantity: stock.quantity,
                timestamp: timestamp.clone(),
                event_id: ids::uuid(event.0),
            };
            state.sockets.tell(Room::Event(event), "ticket-updated", &message);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_told_once_for_each_change_and_not_too_often() {
        let (notices, event) = (Notices::default(), Room::Event(EventId(1 << 20)));
        notices.counted_anew(event);
        notices.counted_anew(event);
        assert_eq!(notices.due_counts(Time(1)), [event]);
        notices.rest(event, Time(10));
        assert!(notices.due_counts(Time(2)).is_empty());
        notices.counted_anew(event);
        assert!(notices.due_counts(Time(9)).is_empty(), "it rests");
        assert_eq!(notices.due_counts(Time(10)), [event]);
        assert!(notices.due_counts(Time(11)).is_empty());
        assert!(notices.0.lock().counts.is_empty(), "nothing is kept of it");
    }
}
