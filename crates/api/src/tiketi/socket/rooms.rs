//! Rooms: by event what is looked at, and by person.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use desk::Unavailable;
use engine::catalogue::Event;
use engine::id::{EventId, UserId};
use parking_lot::Mutex;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;

use super::messages::SeatSaid;
use super::snapshot::{Snapshot, Standing};
use super::visitor::Visitor;
use super::{Sockets, join, send};
use crate::state::AppState;

/// A room. Displays as what it is called inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// Those who look at an event.
    Event(EventId),
    /// Those who look at its queue.
    Queue(EventId),
    /// Those who choose seats of it.
    Seats(EventId),
    /// The sockets of one person.
    User(UserId),
}

impl Display for Room {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) => write!(f, "e{:x}", id.0),
            Self::Queue(id) => write!(f, "q{:x}", id.0),
            Self::Seats(id) => write!(f, "s{:x}", id.0),
            Self::User(id) => write!(f, "u{:x}", id.0),
        }
    }
}

impl Room {
    /// The room that is called so.
    pub fn named(name: &str) -> Option<Self> {
        let (kind, id) = (name.get(..1)?, u128::from_str_radix(name.get(1..)?, 16).ok()?);
        Some(match kind {
            "e" => Self::Event(EventId(id)),
            "q" => Self::Queue(EventId(id)),
            "s" => Self::Seats(EventId(id)),
            "u" => Self::User(UserId(id)),
            _ => return None,
        })
    }
}

/// The rooms in which seats are chosen, those that anybody is in.
#[derive(Default)]
pub struct SeatRooms(Mutex<HashMap<EventId, Arc<SeatRoom>>>);

/// One of them. Whoever holds it is the only one to tell it anything, so that its numbers come in order.
type SeatRoom = tokio::sync::Mutex<RoomState>;

/// What a room was told.
#[derive(Default)]
pub struct RoomState {
    /// Counts what was told.
    sequence: u64,
    /// Who missed something because its buffer was full.
    behind: HashSet<Sid>,
    /// How the seats stood when somebody last began to look.
    standing: Option<Standing>,
}

impl SeatRooms {
    fn get(&self, event: EventId) -> Option<Arc<SeatRoom>> {
        self.0.lock().get(&event).cloned()
    }

    fn made(&self, event: EventId) -> Arc<SeatRoom> {
        self.0.lock().entry(event).or_default().clone()
    }

    fn all(&self) -> Vec<EventId> {
        self.0.lock().keys().copied().collect()
    }

    /// Drops the rooms that nobody is in or on the way into.
    fn tidy(&self, is_empty: impl Fn(EventId) -> bool) {
        self.0.lock().retain(|event, room| Arc::strong_count(room) > 1 || !is_empty(*event));
    }
}

impl RoomState {
    /// Everything there is to know of the seats now, under the number of the last word told before.
    async fn snapshot(&mut self, state: &AppState, event: &Arc<Event>) -> Result<Snapshot, Unavailable> {
        let tag = state.desk.seat_tag(event).await?;
        let before = self.standing.take();
        let standing = match before {
            Some(before) if before.is_of(tag) => before,
            before => Standing::new(event, &state.desk.seat_map(event).await?, before.as_ref()),
        };
        Ok(self.standing.insert(standing).snapshot(event, self.sequence))
    }

    /// Gives sockets a snapshot. Who has no room for all of it, or has to wait (see [`Visitor::look`]), is behind.
    async fn show(&mut self, state: &AppState, mut sockets: Vec<SocketRef>, snapshot: &Snapshot) {
        for number in 0..snapshot.parts() {
            let part = snapshot.part(number);
            sockets.retain(|socket| {
                let fits = || send(socket, "seats-snapshot", &part);
                let visitor = socket.extensions.get::<Arc<Visitor>>();
                let shown =
                    if number > 0 { fits() } else { visitor.is_some_and(|own| own.look(state.desk.now(), fits)) };
                if !shown {
                    self.behind.insert(socket.id);
                }
                shown
            });
            // Now they are written: what is put into a buffer together makes it as large as all of it.
            tokio::task::yield_now().await;
        }
    }
}

impl Sockets {
    /// Takes a socket into the room of an event's seats and gives it a snapshot; what is told after that has greater
    /// numbers.
    pub async fn join_seats(
        &self,
        state: &AppState,
        socket: &SocketRef,
        event: &Arc<Event>,
    ) -> Result<(), Unavailable> {
        // The first look at an event reads the store: not while others wait to be told.
        state.desk.seat_tag(event).await?;
        let room = self.seats.made(event.id);
        let mut told = room.lock().await;
        join(socket, Room::Seats(event.id));
        let snapshot = told.snapshot(state, event).await?;
        told.show(state, vec![socket.clone()], &snapshot).await;
        Ok(())
    }

    /// Tells those who choose seats of an event what became of some. Where there is nobody, nothing is worded; who comes
    /// later gets a snapshot.
    pub async fn tell_seats(&self, event: EventId, said: impl Iterator<Item = (&'static str, SeatSaid)>) {
        let Some(room) = self.seats.get(event) else { return };
        let mut told = room.lock().await;
        let members = self.members(Room::Seats(event));
        for (name, mut message) in said {
            told.sequence += 1;
            message.sequence = told.sequence;
            for socket in &members {
                if !told.behind.contains(&socket.id) && !send(socket, name, &message) {
                    told.behind.insert(socket.id);
                }
            }
        }
    }

    /// Gives everybody who missed something a snapshot, as soon as there is room for it.
    pub async fn catch_up(&self, state: &AppState) -> Result<(), Unavailable> {
        for id in self.seats.all() {
            let Some(room) = self.seats.get(id) else { continue };
            let mut told = room.lock().await;
            if told.behind.is_empty() {
                continue;
            }
            let Some(event) = state.desk.event(id).await? else { continue };
            let snapshot = told.snapshot(state, &event).await?;
            let behind = std::mem::take(&mut told.behind);
            let mut members = self.members(Room::Seats(id));
            members.retain(|socket| behind.contains(&socket.id));
            told.show(state, members, &snapshot).await;
        }
        self.seats.tidy(|event| self.members(Room::Seats(event)).is_empty());
        Ok(())
    }

    /// Counts everybody as having missed something.
    pub async fn all_behind(&self) {
        for id in self.seats.all() {
            let Some(room) = self.seats.get(id) else { continue };
            let mut told = room.lock().await;
            told.sequence += 1;
            told.behind.extend(self.members(Room::Seats(id)).iter().map(|socket| socket.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_by_what_it_is_called() {
        for room in
            [Room::Event(EventId(1 << 20)), Room::Queue(EventId(5)), Room::Seats(EventId(7)), Room::User(UserId(9))]
        {
            assert_eq!(Room::named(&room.to_string()), Some(room));
        }
        for wrong in ["", "e", "x1", "eg", "한글"] {
            assert_eq!(Room::named(wrong), None, "{wrong}");
        }
    }
}
