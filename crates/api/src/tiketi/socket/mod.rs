//! Socket.IO: who is looking at what, told as it happens.
//!
//! Every server tells the sockets it has itself, from the stream of events of all of them and from what the others say
//! of theirs. What is sent to a socket
//! waits in a buffer of its own; one that is full is that client's loss: it is brought up to date once it reads again,
//! and hung up on with the next heartbeat if it does not.

mod messages;
mod news;
mod others;
mod rooms;
mod snapshot;
mod visitor;
mod wishes;

pub use news::attend;

use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::middleware::map_request;
use desk::Time;
use engine::id::{EventId, UserId};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::service::SocketIoService;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio::sync::Semaphore;

use self::news::Notices;
use self::others::Others;
use self::rooms::{Room, SeatRooms};
use self::visitor::{Place, Visitor};
use crate::caller;
use crate::fault::Fault;
use crate::shares::Shares;
use crate::state::{AppState, WeakState};

/// The most sockets at once.
const MOST_SOCKETS: usize = 20_000;
/// The most of them that are one person's.
const MOST_SOCKETS_OF_ONE: usize = 20;
/// The most messages that wait for one socket to read them.
const MOST_UNREAD: usize = 512;
/// The longest message a client may send, in bytes.
const LONGEST_MESSAGE: usize = 64 * 1024;
/// What a connection gets to say whose it is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The sockets of this server.
pub struct Sockets {
    io: SocketIo,
    service: SocketIoService<Router>,
    room: Arc<Semaphore>,
    own: Shares<UserId>,
    seats: SeatRooms,
    notices: Notices,
    others: Others,
    attached: Once,
}

impl Default for Sockets {
    fn default() -> Self {
        let (service, io) = SocketIo::builder()
            .max_buffer_size(MOST_UNREAD)
            .max_payload(LONGEST_MESSAGE as u64)
            .ws_max_message_size(LONGEST_MESSAGE)
            .ws_max_frame_size(LONGEST_MESSAGE)
            .ws_read_buffer_size(1_024)
            .connect_timeout(CONNECT_TIMEOUT)
            .build_with_inner_svc(Router::new());
        Self {
            io,
            service,
            room: Arc::new(Semaphore::new(MOST_SOCKETS)),
            own: Shares::new(MOST_SOCKETS_OF_ONE),
            seats: SeatRooms::default(),
            notices: Notices::default(),
            others: Others::default(),
            attached: Once::new(),
        }
    }
}

impl Sockets {
    /// The routes of Socket.IO.
    pub(super) fn routes(&self, state: &AppState) -> Router<AppState> {
        self.attached.call_once(|| {
            let weak = state.downgrade();
            let enter = move |socket: SocketRef, TryData(auth): TryData<Auth>| {
                let weak = weak.clone();
                async move { enter(&weak, &socket, auth.ok()).await }
            };
            self.io.ns("/", (async || {}).with(enter));
        });
        let service = self.service.clone();
        let routes = Router::new().route_service("/socket.io/", service.clone()).route_service("/socket.io", service);
        routes.layer(map_request(detached))
    }

    /// A place for one more socket of a person, where there is one.
    fn place(&self, user: UserId) -> Option<Place> {
        Some((self.room.clone().try_acquire_owned().ok()?, self.own.take(user)?))
    }

    /// The sockets in a room.
    fn members(&self, room: Room) -> Vec<SocketRef> {
        self.io.of("/").map(|all| all.within(room.to_string()).sockets()).unwrap_or_default()
    }

    /// All sockets.
    fn all(&self) -> Vec<SocketRef> {
        self.io.of("/").map(|all| all.sockets()).unwrap_or_default()
    }

    /// Tells all sockets in a room. What a full one misses, the next word of the same kind makes up for.
    fn tell<T: Serialize>(&self, room: Room, event: &str, message: &T) {
        for socket in self.members(room) {
            let _ = send(&socket, event, message);
        }
    }

    /// Notes that another number of sockets looks at an event.
    fn counted_anew(&self, event: EventId) {
        self.notices.counted_anew(Room::Event(event));
        self.others.counted_anew(event);
    }

    /// Hangs up on those whose token has run out. Who has no room to be told so is tried again.
    fn end_visits(&self, now: Time) {
        let is_over = |own: Arc<Visitor>| own.is_over(now);
        for socket in self.all() {
            if socket.extensions.get::<Arc<Visitor>>().is_some_and(is_over) {
                let _ = socket.disconnect();
            }
        }
    }

    /// Hangs up on everybody.
    async fn close(&self) {
        self.io.close().await;
    }
}

/// Copies what stays with a socket of the request that opened it: as it came it is a part of all that was read with it,
/// 16 KiB, and would keep that for as long as the socket is there.
async fn detached(mut request: Request) -> Request {
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    *request.headers_mut() = request.headers().iter().filter_map(own).collect();
    if let Ok(uri) = request.uri().to_string().parse() {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().remove::<OriginalUri>();
    request
}

/// Puts a message into a socket's buffer. Gives whether there was room; a socket that is gone needs none.
fn send<T: Serialize>(socket: &SocketRef, event: &str, message: &T) -> bool {
    !matches!(socket.emit(event, message), Err(SendError::Socket(SocketError::InternalChannelFull)))
}

/// Takes a socket into a room.
fn join(socket: &SocketRef, room: Room) {
    socket.join(room.to_string());
    if socket.extensions.get::<Arc<Visitor>>().is_none_or(|visitor| visitor.is_gone()) {
        // Who is gone has left every room already: nobody would take it out of this one.
        socket.leave(room.to_string());
    }
}

/// What a client says of itself when it connects.
#[derive(Deserialize)]
struct Auth {
    token: Option<serde_json::Value>,
}

/// Why a client is not let in, in the words it is told.
#[derive(Debug, thiserror::Error)]
enum NotLetIn {
    #[error("Authentication required")]
    NoToken,
    #[error("Invalid authentication token")]
    BadToken,
    #[error("Too many connections")]
    Full,
    #[error("Service unavailable")]
    Unavailable,
}

/// Lets a client in: whose socket it is, and what it may say. Before this is done nothing it sends is read.
async fn enter(weak: &WeakState, socket: &SocketRef, auth: Option<Auth>) -> Result<(), NotLetIn> {
    use serde_json::Value;
    let state = weak.upgrade().ok_or(NotLetIn::Unavailable)?;
    let token = match auth.and_then(|auth| auth.token) {
        None | Some(Value::Null) => return Err(NotLetIn::NoToken),
        Some(Value::String(text)) if text.is_empty() => return Err(NotLetIn::NoToken),
        Some(Value::String(text)) => text,
        Some(_) => return Err(NotLetIn::BadToken),
    };
    let caller = caller::of_token(&token, &state).await.map_err(|fault| match fault {
        Fault::Unauthorized => NotLetIn::BadToken,
        _ => NotLetIn::Unavailable,
    })?;
    let place = state.sockets.place(caller.user).ok_or(NotLetIn::Full)?;
    socket.extensions.insert(Arc::new(Visitor::new(caller.user, caller.expires_at, place)));
    // It does not count as connected before this is done.
    socket.join(Room::User(caller.user).to_string());
    wishes::listen(socket, weak);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_takes_the_places_of_others() {
        let sockets = Sockets::default();
        let taken = |places: usize| assert_eq!(sockets.room.available_permits(), MOST_SOCKETS - places);
        let mut places: Vec<Place> =
            (0..MOST_SOCKETS_OF_ONE).map(|_| sockets.place(UserId(1)).expect("a place")).collect();
        assert!(sockets.place(UserId(1)).is_none());
        taken(MOST_SOCKETS_OF_ONE);
        assert!(sockets.place(UserId(2)).is_some());
        drop(places.pop());
        places.extend(sockets.place(UserId(1)));
        assert_eq!(places.len(), MOST_SOCKETS_OF_ONE);
        drop(places);
        taken(0);
    }
}
