//! What clients send: rooms to join and to leave, and the seats they have their eyes on.

use std::sync::Arc;

use desk::Unavailable;
use engine::catalogue::Event;
use serde::Deserialize as _;
use serde_json::Value;
use socketioxide::ParserError;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use waiting_room::Door;

use super::join;
use super::messages::{Asked, Heard, SeatsEyed};
use super::rooms::Room;
use super::visitor::Visitor;
use crate::body::Named;
use crate::ids;
use crate::state::{AppState, WeakState};

/// The most rooms one socket is in.
const MOST_ROOMS: usize = 32;
/// The most seats a client can have its eyes on, and the longest name of one, in bytes.
const MOST_EYED: usize = 20;
const LONGEST_NAME: usize = 100;

/// What a client wants.
#[derive(Debug, Clone, Copy)]
enum Wish {
    JoinEvent,
    LeaveEvent,
    JoinQueue,
    LeaveQueue,
    JoinSeats,
    LeaveSeats,
    EyeSeats,
}

impl Wish {
    fn is_goodbye(self) -> bool {
        matches!(self, Self::LeaveEvent | Self::LeaveQueue | Self::LeaveSeats)
    }
}

const WISHES: [(&str, Wish); 7] = [
    ("join-event", Wish::JoinEvent),
    ("leave-event", Wish::LeaveEvent),
    ("join-queue", Wish::JoinQueue),
    ("leave-queue", Wish::LeaveQueue),
    ("join-seat-selection", Wish::JoinSeats),
    ("leave-seat-selection", Wish::LeaveSeats),
    ("seat-selection-changed", Wish::EyeSeats),
];

/// Why a message was ignored, in the words of an ack.
#[derive(Debug)]
struct Ignored(&'static str);

impl From<Unavailable> for Ignored {
    fn from(Unavailable(reason): Unavailable) -> Self {
        tracing::error!(%reason, "the store is unavailable");
        Self("the service is unavailable")
    }
}

/// Listens to a socket.
pub fn listen(socket: &SocketRef, weak: &WeakState) {
    for (name, wish) in WISHES {
        let weak = weak.clone();
        socket.on(name, move |socket: SocketRef, TryData(asked): TryData<Value>, ack: AckSender| {
            let heard = weak.upgrade().zip(socket.extensions.get::<Arc<Visitor>>());
            let turn = heard.and_then(|(state, visitor)| {
                let turn = visitor.turn(state.desk.now(), wish.is_goodbye())?;
                Some((turn, state, visitor))
            });
            async move {
                let Some((turn, state, visitor)) = turn else { return answer(ack, Err(Ignored("too many messages"))) };
                let done = turn.then(fulfil(&state, &socket, &visitor, wish, asked)).await;
                answer(ack, done);
            }
        });
    }
    let weak = weak.clone();
    socket.on_disconnect(move |socket: SocketRef| {
        if let Some(visitor) = socket.extensions.get::<Arc<Visitor>>() {
            visitor.go();
        }
        // Not in what follows later: where the connection ends right after the goodbye, the rooms are forgotten by then.
        let rooms = socket.rooms();
        // Left before anybody counts who is still there.
        socket.leave_all();
        if let Some(state) = weak.upgrade() {
            for room in rooms.iter().filter_map(|name| Room::named(name)) {
                if let Room::Event(event) = room {
                    state.sockets.counted_anew(event);
                }
            }
        }
        std::future::ready(())
    });
}

fn answer(ack: AckSender, done: Result<(), Ignored>) {
    let error = done.err().map(|Ignored(why)| why);
    // Who asked and is gone, or does not read, is not told.
    let _ = ack.send(&Heard { ok: error.is_none(), error });
}

async fn fulfil(
    state: &AppState,
    socket: &SocketRef,
    visitor: &Visitor,
    wish: Wish,
    asked: Result<Value, ParserError>,
) -> Result<(), Ignored> {
    let asked = asked.ok().and_then(|value| Asked::deserialize(Named(value)).ok());
    let asked = asked.ok_or(Ignored("the payload must be an object with an eventId, and a list of seats if any"))?;
    let event = event(state, &asked.event_id).await?;
    let sockets = &state.sockets;
    match wish {
        Wish::JoinEvent => {
            may_join_more(socket)?;
            join(socket, Room::Event(event.id));
            sockets.counted_anew(event.id);
        }
        Wish::LeaveEvent => {
            socket.leave(Room::Event(event.id).to_string());
            sockets.counted_anew(event.id);
        }
        Wish::JoinQueue => {
            may_join_more(socket)?;
            join(socket, Room::Queue(event.id));
            state.rooms.look_alive(Door::Tiketi, Some(event.id), visitor.user).await?;
        }
        Wish::LeaveQueue => socket.leave(Room::Queue(event.id).to_string()),
        Wish::JoinSeats => {
            may_join_more(socket)?;
            sockets.join_seats(state, socket, &event).await?;
        }
        Wish::LeaveSeats => socket.leave(Room::Seats(event.id).to_string()),
        Wish::EyeSeats => eye(state, socket, visitor, &event, asked.seats).await?,
    }
    Ok(())
}

/// The event a client names, where the public sees it.
async fn event(state: &AppState, id: &str) -> Result<Arc<Event>, Ignored> {
    let id = ids::parse_event(id).ok_or(Ignored("eventId is no id"))?;
    state.desk.public_event(id).await?.ok_or(Ignored("no such event"))
}

fn may_join_more(socket: &SocketRef) -> Result<(), Ignored> {
    if socket.rooms().len() >= MOST_ROOMS { Err(Ignored("too many rooms")) } else { Ok(()) }
}

/// Whether nothing but an id can be in a text, whatever is made of it where it is shown.
fn is_plain(id: &str) -> bool {
    id.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' '))
}

/// Tells the others who choose seats there what this one has its eyes on.
async fn eye(
    state: &AppState,
    socket: &SocketRef,
    visitor: &Visitor,
    event: &Event,
    seats: Option<Vec<String>>,
) -> Result<(), Ignored> {
    let seats = seats.ok_or(Ignored("seats must be a list of seat ids"))?;
    if seats.len() > MOST_EYED || seats.iter().any(|seat| seat.len() > LONGEST_NAME) {
        return Err(Ignored("too many seats"));
    }
    if !seats.iter().all(|seat| is_plain(seat) || event.offer.layout.find(seat).is_some()) {
        return Err(Ignored("seats must be a list of seat ids"));
    }
    if state.desk.is_shared() {
        state.sockets.others.eyed(event.id, visitor.user, &seats);
    }
    let message = SeatsEyed::new(event.id, visitor.user, seats);
    // Who has no room for it does without: it is only what somebody looks at.
    let _ = socket.to(Room::Seats(event.id).to_string()).emit("seat-update", &message).await;
    Ok(())
}
