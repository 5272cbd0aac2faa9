//! The stream of booking events, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use desk::{Entry, Span, Time, Unavailable};
use engine::people::Role;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::HeaderMap;
use tokio::sync::{broadcast, watch};
use tokio::time::Sleep;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::announcement::{BookingEvent, announce};
use super::errors::{ApiError, ReadProblems};
use crate::caller::{self, Caller};
use crate::fault::Fault;
use crate::state::AppState;

/// How often something is sent when nothing happens, so that both ends know that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a look at what the listener may do is good for.
const RIGHTS_LAST: Span = Span::seconds(1);
/// How many entries of the past are read at a time.
const PAGE: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(events))
}

/// What happens to bookings, as it happens: an organizer hears of its own events, an admin of all.
///
/// Each event has an `id`, a name such as `booking.created`, and JSON as its data. Whoever comes back with
/// `Last-Event-ID` gets what was missed, as far as three days back. The stream ends when the server stops, when the
/// client does not keep up, when its token runs out and when its person may no longer listen: come back with
/// `Last-Event-ID`, and with another token where it was that.
#[utoipa::path(
    get, path = "/api/events/stream", operation_id = "stream_booking_events",
    security(("bearer" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was received")),
    responses(
        (status = 200, description = "The events", content((BookingEvent = "text/event-stream"))),
        ReadProblems,
    )
)]
async fn events(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, ApiError> {
    if caller.role == Role::User {
        return Err(ApiError::forbidden("Only organizers and admins may do this"));
    }
    // Or as it is called in what is told of it.
    let read = |text: &str| text.strip_prefix("bev_").unwrap_or(text).parse().ok();
    let last = headers.get("last-event-id").map(|value| value.to_str().ok().and_then(read));
    let wrong = || ApiError::field("Last-Event-ID", "must be the id of an event of this stream");
    let last: Option<u64> = last.map(|last| last.ok_or_else(wrong)).transpose()?;
    let token = caller::bearer_of(&headers).ok_or(Fault::Unauthorized)?.to_owned();
    let feed = Feed::open(state, caller, token, last).await?;
    Ok(Sse::new(unfold(feed, Feed::next)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What one client is sent.
struct Feed {
    state: AppState,
    /// Who listens, as it was looked up last.
    caller: Caller,
    /// When that was.
    looked_up: Time,
    token: String,
    live: broadcast::Receiver<Arc<Entry>>,
    /// What was read of the past and not sent yet.
    past: VecDeque<Arc<Entry>>,
    /// The last entry that was looked at.
    position: u64,
    /// Up to here it is the past; what comes after is heard live.
    present: u64,
    stopping: watch::Receiver<bool>,
    over: Pin<Box<Sleep>>,
}

impl Feed {
    async fn open(state: AppState, caller: Caller, token: String, last: Option<u64>) -> Result<Self, Unavailable> {
        // Listening comes first, so that nothing falls between the past and the present.
        let live = state.desk.live();
        let present = state.desk.stream_end().await?;
        let position = last.unwrap_or(present).min(present);
        let stopping = state.stopping.subscribe();
        let looked_up = state.desk.now();
        let left = u64::try_from(caller.expires_at.0.saturating_sub(looked_up.0)).unwrap_or(0);
        let over = Box::pin(tokio::time::sleep(Duration::from_micros(left)));
        let past = VecDeque::new();
        Ok(Self { state, caller, looked_up, token, live, past, position, present, stopping, over })
    }

    /// The next event for this client; `None` ends the stream.
    async fn next(mut self) -> Option<(Result<Sent, Infallible>, Self)> {
        loop {
            let entry = self.entry().await?;
            self.position = entry.position;
            if !self.may_listen().await {
                return None;
            }
            match self.sent(&entry).await {
                Ok(Some(sent)) => return Some((Ok(sent), self)),
                Ok(None) => {}
                Err(Unavailable(error)) => {
                    tracing::warn!(error, "a stream of events ends");
                    return None;
                }
            }
        }
    }

    async fn entry(&mut self) -> Option<Arc<Entry>> {
        if self.position < self.present && self.past.is_empty() {
            let read = self.state.desk.stream_after(self.position, PAGE).await.ok()?;
            self.past.extend(read.into_iter().filter(|entry| entry.position <= self.present));
        }
        if let Some(entry) = self.past.pop_front().filter(|_| !*self.stopping.borrow()) {
            return Some(entry);
        }
        self.position = self.position.max(self.present);
        loop {
            let heard = tokio::select! {
                heard = self.live.recv() => heard,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = &mut self.over => return None,
            };
            // Who is too far behind comes back with the last id it has.
            let entry = heard.ok()?;
            if entry.position > self.position {
                return Some(entry);
            }
        }
    }

    /// Whether the token still counts, and its person may still hear of bookings: rights that were taken away, or that
    /// reach less far than they did, count after a second at most.
    async fn may_listen(&mut self) -> bool {
        let now = self.state.desk.now();
        if self.looked_up + RIGHTS_LAST <= now {
            let Ok(caller) = caller::of_token(&self.token, &self.state).await else { return false };
            (self.caller, self.looked_up) = (caller, now);
        }
        now < self.caller.expires_at && self.caller.role != Role::User
    }

    /// What an entry tells this client.
    async fn sent(&self, entry: &Entry) -> Result<Option<Sent>, Unavailable> {
        let Some(event) = self.state.desk.event(entry.event).await? else { return Ok(None) };
        let concerns = self.caller.role == Role::Admin || event.owner == self.caller.user;
        let told = announce(entry, &event).filter(|_| concerns);
        Ok(told.map(|told| Sent::default().id(entry.position.to_string()).event(told.name).data(told.body)))
    }
}
